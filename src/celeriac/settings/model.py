"""Every start-up setting with its default and meaning; docs/reference/settings.md is made from this module.

Secrets are `SecretStr`: they never show in logs, errors or reprs.
"""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.core.redact import Payloads
from celeriac.settings.access import AccessSettings, AuditSettings
from celeriac.settings.console import ConsoleSettings
from celeriac.settings.history import HistorySettings
from celeriac.settings.local_platform import AnyPlatform
from celeriac.settings.maintenance import MaintenanceSettings
from celeriac.settings.references import mistakes, unfit
from celeriac.settings.section import Name, Seconds, Section
from celeriac.settings.urls import (
    broker_kind,
    checked_backend,
    checked_broker,
    checked_management,
    store_directory,
)


class ClusterSettings(Section):
    """`[[cluster]]`: one Celery application on one broker."""

    name: Name = Field(description="What pages and commands call it.")
    broker: SecretStr = Field(description="The broker's URL, as the workers have it.")
    service: str | None = Field(
        default=None,
        description="On Cloud Foundry, in place of `broker`: the bound service instance whose credentials hold the URL.",
    )
    result_backend: SecretStr | None = Field(
        default=None,
        description="The result backend's URL, as the workers have it: it shows which tasks of a hung worker have ended.",
    )
    management: SecretStr | None = Field(
        default=None,
        description="URL of RabbitMQ's management API, as `http://user:password@host:15672`; without a user it is asked as "
        "the broker's own. Only for RabbitMQ.",
    )
    platform: Name | tuple[Name, ...] | None = Field(
        default=None, description="The platform that its workers run on, or a list of several."
    )
    apps: tuple[str, ...] = Field(
        default=(), description="Apps of that platform with its workers: `name`, or `name:process`."
    )
    app_labels: str | None = Field(
        default=None,
        min_length=1,
        description="Label selector of Cloud Foundry for more such apps: `celery=worker,team in (shop,mail)`.",
    )
    enable_task_events: Literal["once", "never"] = Field(
        default="once", description="Whether a worker that sends no task events is told, once, to send them."
    )
    payloads: Payloads = Field(
        default=Payloads.REDACTED,
        description="What is stored of arguments and results: `none`, `redacted` (no values of secret keys) or `full`.",
    )
    secret_words: tuple[str, ...] = Field(
        default=(), description="More words that make a key's value secret, beside `password`, `token` and the like."
    )
    accept_pickle: bool = Field(
        default=False, description="Whether events in pickle are read: whoever can send one can run code here."
    )

    @field_validator("broker")
    @classmethod
    def _broker(cls, broker: SecretStr) -> SecretStr:
        checked_broker(broker.get_secret_value())
        return broker

    @field_validator("result_backend")
    @classmethod
    def _result_backend(cls, backend: SecretStr | None) -> SecretStr | None:
        if backend is not None:
            checked_backend(backend.get_secret_value())
        return backend

    @field_validator("management")
    @classmethod
    def _management(cls, management: SecretStr | None) -> SecretStr | None:
        if management is not None:
            checked_management(management.get_secret_value())
        return management

    @model_validator(mode="after")
    def _management_of_rabbitmq(self) -> "ClusterSettings":
        if self.management is not None and self.broker_kind != "rabbitmq":
            msg = "management is the URL of RabbitMQ's management API, and this broker is no RabbitMQ; leave it out"
            raise ValueError(msg)
        return self

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return the names of its platforms."""
        if self.platform is None:
            return ()
        return (self.platform,) if isinstance(self.platform, str) else self.platform

    @property
    def broker_kind(self) -> str:
        """Return who reads this broker: `redis`, `rabbitmq`, or `kombu`."""
        return broker_kind(self.broker.get_secret_value())


class HealSettings(Section):
    """`[heal]`: what the keeper may do, and when evidence counts."""

    mode: Mode = Field(default=Mode.APPROVE, description="`observe` decides only, `approve` asks first, `auto` acts.")
    cycle: Seconds = Field(default=2.0, description="Seconds between two cycles.")
    suspect_beats: float = Field(default=6, gt=0, description="Missed heartbeats until a worker is suspect and asked.")
    silent: Seconds = Field(default=30, description="Least silence in seconds that can convict.")
    silent_beats: float = Field(
        default=15, gt=0, description="Least silence in the worker's own heartbeats that can convict."
    )
    settle: Seconds = Field(default=40, description="Seconds after our own gap in which silence convicts nobody.")
    may_block: Seconds = Field(default=600, description="Silence in seconds that a pool other than prefork is granted.")
    drain_deadline: Seconds = Field(default=1800, description="Seconds that a warm shutdown may take.")
    start_deadline: Seconds = Field(default=180, description="Seconds until a running instance must have joined.")
    verify_least: Seconds = Field(
        default=180, description="Least seconds that a restarted instance has until it must be proven."
    )
    unclear: Seconds = Field(default=40, description="Seconds to wait for a restart whose answer was unclear.")
    recovered: Seconds = Field(default=60, description="Seconds of health after which a held incident ends by itself.")
    finish_grace: float = Field(
        default=60,
        ge=0,
        description="Seconds that the tasks of a hung worker have to end before it is restarted, if any were under way.",
    )
    recycle_within: Seconds = Field(
        default=300,
        description="Seconds that a worker has to end its tasks when it is recycled; then it goes on as before.",
    )
    cooldown: Seconds = Field(default=600, description="Seconds between two restarts of one worker.")
    budget_share: float = Field(
        default=0.1, gt=0, le=1, description="Share of an app that may be restarted at once (at least one)."
    )
    budget_per_hour: int = Field(
        default=5, ge=0, description="Restarts per cluster and hour that the keeper makes by itself."
    )
    quorum_share: float = Field(default=0.3, gt=0, le=1, description="Share of workers that may fall silent together.")
    deploy_wait: float = Field(
        default=600, ge=0, description="Seconds after somebody's change of an app in which the keeper leaves it alone."
    )
    breaker: int = Field(
        default=3,
        ge=0,
        description="Restarts of one app that did not prove well within an hour, after which the keeper makes no more; 0: never.",
    )
    min_healthy: str = Field(
        default="50%",
        description="How many of a process's wanted instances must stay well when one that still works is restarted: a "
        'number, or a share like `"50%"`, rounded down.',
    )
    many_silent: Seconds = Field(
        default=60, description="Seconds after which many silent workers are one critical incident of the cluster."
    )
    maintenance: tuple[MaintenanceSettings, ...] = ()
    doubt: Seconds = Field(
        default=30, description="Seconds that a worker is idle while work waits for it until it is asked why."
    )
    deaf: Seconds = Field(default=60, description="Seconds of the same that can convict.")
    stuck: Seconds = Field(default=600, description="Least seconds that a task must run to hold its slot for too long.")
    live_repair: tuple[str, ...] = Field(
        default=(),
        description="Queues and tasks for which the keeper repairs a worker by itself in mode `auto`: it adds a consumer of "
        "such a queue, grows an empty pool that serves it, and revokes such a task when it is stuck.",
    )
    lease: float = Field(
        gt=0, le=600, default=10.0, description="Seconds after which another keeper takes over from one that is gone."
    )

    @field_validator("min_healthy", mode="before")
    @classmethod
    def _number_or_share(cls, given: object) -> object:
        text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
        if not isinstance(text, str) or not re.fullmatch(r"\d{1,6}|(\d{1,2}|100)%", text):
            msg = "is a number of instances like 2, or a share of them like '50%'"
            raise ValueError(msg)
        return text

    def limits(self) -> Limits:
        """Return the thresholds for the core."""
        return Limits(
            suspect_beats=self.suspect_beats,
            silent_s=self.silent,
            silent_beats=self.silent_beats,
            settle_s=self.settle,
            may_block_s=self.may_block,
            drain_deadline_s=self.drain_deadline,
            start_deadline_s=self.start_deadline,
            verify_least_s=self.verify_least,
            unclear_s=self.unclear,
            recovered_s=self.recovered,
            doubt_s=self.doubt,
            deaf_s=self.deaf,
            stuck_s=self.stuck,
            recycle_s=self.recycle_within,
            finish_grace_s=self.finish_grace,
            live_repair=self.live_repair,
        )

    def window(self, cluster: str, now: float) -> str | None:
        """Return what to say of the maintenance window that is open for a cluster, if one is."""
        return next(filter(None, (one.holds(cluster, now) for one in self.maintenance)), None)

    def policy(self, mode: Mode, paused: str | None, maintenance: str | None = None) -> Policy:
        """Return what the keeper may do now; the last two hold the reasons of a pause and of an open window."""
        share = self.min_healthy.endswith("%")
        least = int(self.min_healthy.rstrip("%"))
        return Policy(
            mode=mode,
            paused=paused,
            maintenance=maintenance,
            deploy_wait_s=self.deploy_wait,
            breaker=self.breaker,
            min_healthy=0 if share else least,
            min_healthy_share=least / 100 if share else 0,
            many_silent_s=self.many_silent,
            cooldown_s=self.cooldown,
            budget_share=self.budget_share,
            budget_per_hour=self.budget_per_hour,
            quorum_share=self.quorum_share,
        )


class Settings(Section):
    """The whole file."""

    store: Path = Field(
        default=Path("celeriac-data"),
        description="Directory of the SQLite store, also as `sqlite:///relative` or `sqlite:////absolute`; a file PAUSE in "
        "it pauses healing.",
    )
    ephemeral_store: bool = Field(
        default=False,
        description="Whether the store may lie on the disk of a Cloud Foundry app, which is empty after each restart.",
    )
    console: ConsoleSettings = ConsoleSettings()
    access: AccessSettings = AccessSettings()
    audit: AuditSettings = AuditSettings()
    platform: tuple[AnyPlatform, ...] = ()
    cluster: tuple[ClusterSettings, ...] = Field(min_length=1)
    history: HistorySettings = HistorySettings()
    heal: HealSettings = HealSettings()

    @field_validator("store", mode="before")
    @classmethod
    def _directory(cls, store: object) -> object:
        return store_directory(store) if isinstance(store, str) else store

    @model_validator(mode="after")
    def _references(self) -> "Settings":
        for wrong in mistakes(self.cluster, self.platform, self.heal.maintenance):
            raise ValueError(wrong)
        for wrong in unfit(self.console, self.access, [one.name for one in self.cluster]):
            raise ValueError(wrong)
        return self
