"""The platforms that the settings name."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from celeriac.adapters.cloudfoundry import (
    Budget,
    CfLogin,
    CloudFoundry,
    Credentials,
    Options,
    Session,
    cf_config,
    read_cf_login,
)
from celeriac.adapters.local_processes import Connection, LocalProcesses, LocalRecords
from celeriac.app.several_apps import SeveralOrders, SeveralRecords
from celeriac.app.several_platforms import SeveralPlatforms
from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.errors import PortError, RefusedError, SettingsError, UnreachableError
from celeriac.core.model import App
from celeriac.evidence_ports import PlatformRecords
from celeriac.platform_ports import AppOrders, AppRecords, PlatformRights
from celeriac.ports import Platform
from celeriac.settings import AnyPlatform, ClusterSettings, LocalPlatformSettings, PlatformSettings, Settings

KEEPER = 0.8
CONSOLE = 0.2
"""The shares of an account's requests that the processes have; together they are all of it."""

LOGINS = "logins"
"""The directory, in the store's, with what one-time passcodes leave."""


class Target(Struct, frozen=True):
    """Where a platform is, once what its settings leave out is taken from the login of `cf`."""

    api: str
    org: str
    space: str


class Watched(Struct, frozen=True):
    """What a cluster has of its platforms: for its keeper, for what is kept of workers, and for people."""

    platform: Platform
    records: PlatformRecords
    app_records: AppRecords
    orders: AppOrders


class Foundations:
    """The connections of one process: tables of one foundation and account share one, with one budget."""

    def __init__(self, settings: Settings, share: float = KEEPER, beside: "Foundations | None" = None) -> None:
        """`beside` are others of the same process, whose budgets these share."""
        self._settings, self._share = settings, share
        self._sessions: dict[object, Session] = {}
        self.budgets: dict[tuple[str, str], Budget] = beside.budgets if beside else {}

    def watched(self, cluster: ClusterSettings) -> Watched | None:
        """Return what a cluster's keeper and people have of its platforms: of one, or of several as one."""
        named = {one.name: one for one in self._settings.platform}
        each = {name: self.one(named[name], cluster) for name in cluster.platforms}
        if len(each) <= 1:
            return next(iter(each.values()), None)
        apps = tuple({one.partition(":")[0]: None for one in cluster.apps})
        joined = SeveralPlatforms(
            [one.platform for one in each.values()],
            {name: one.records for name, one in each.items()},
            dict.fromkeys(each, apps),
        )
        return Watched(
            joined,
            joined,
            SeveralRecords({name: one.app_records for name, one in each.items()}),
            SeveralOrders({name: one.orders for name, one in each.items()}),
        )

    def one(self, place: AnyPlatform, cluster: ClusterSettings) -> Watched:
        """Return what one cluster has of one platform."""
        if isinstance(place, LocalPlatformSettings):
            connection = _connection(place)
            here = LocalProcesses(place.name, connection, selectors=cluster.apps)
            return Watched(here, here, LocalRecords(connection), here)
        target = target_of(place)
        options = Options(
            labels=cluster.app_labels,
            watcher=cluster.name,
            autoscaler=place.app_autoscaler,
            secret_words=cluster.secret_words,
        )
        session = self.session(place, target)
        space = CloudFoundry(
            place.name, session, org=target.org, space=target.space, selectors=cluster.apps, options=options
        )
        return Watched(space, space, _Sparing(space.records, session.budget), space.orders)

    def rights(self, place: AnyPlatform) -> PlatformRights:
        """Return what tells what our account may do on one platform."""
        if isinstance(place, LocalPlatformSettings):
            return LocalProcesses(place.name, _connection(place), selectors=())
        target = target_of(place)
        session = self.session(place, target)
        return CloudFoundry(place.name, session, org=target.org, space=target.space, selectors=()).rights

    def close(self) -> None:
        """Close all connections."""
        for one in self._sessions.values():
            one.close()

    def session(self, place: PlatformSettings, target: Target) -> Session:
        """Return the connection to a platform's foundation; it logs in with its first request."""
        who = credentials(place, self._settings.store)
        key = (target.api.rstrip("/"), replace(who, setting="", keep=None), place.ca_file)
        if key not in self._sessions:
            one = session(place, self._settings.store, target)
            account = (target.api.rstrip("/"), who.who)
            # The least of what several tables of one account say.
            foundations = [each for each in self._settings.platform if isinstance(each, PlatformSettings)]
            rates = [each.requests_per_minute for each in foundations if self._account(each) == account]
            one.budget = self.budgets.setdefault(account, Budget(min(rates) * self._share))
            self._sessions[key] = one
        return self._sessions[key]

    def _account(self, place: PlatformSettings) -> tuple[str, str] | None:
        with suppress(SettingsError):
            return target_of(place).api.rstrip("/"), credentials(place, self._settings.store).who
        return None


class _Sparing:
    """`AppRecords` whose requests wait their turn when the budget is low, as polls do; logs do not count, and never wait."""

    def __init__(self, records: AppRecords, budget: Budget) -> None:
        self._records, self._budget = records, budget

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        return self._records.lines(app, limit)

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        return self._records.follow(app, since)

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        with self._budget.poll(f"{app.guid} events for people"):
            return self._records.events(app, limit)

    def environment(self, app: App) -> tuple[Variable, ...]:
        with self._budget.poll(f"{app.guid} environment for people"):
            return self._records.environment(app)

    def room(self, app: App) -> tuple[Room, ...]:
        with self._budget.poll(f"{app.guid} room for people"):
            return self._records.room(app)


def polls(settings: Settings, cluster: ClusterSettings) -> tuple[float, float]:
    """Return the seconds between two reads of a cluster's platforms while all is well, and on suspicion: the shortest."""
    mine = [one for one in settings.platform if one.name in cluster.platforms]
    calm = min((one.poll for one in mine), default=10.0)
    return calm, min((one.poll_on_suspicion for one in mine), default=2.0)


def address(place: AnyPlatform) -> str:
    """Return where a platform is, in words for people; raises SettingsError as `target_of` does."""
    if isinstance(place, LocalPlatformSettings):
        return str(place.socket)
    target = target_of(place)
    return f"{target.api} ({target.org}/{target.space})"


def _connection(place: LocalPlatformSettings) -> Connection:
    return Connection(place.socket, timeout=place.timeout)


def session(place: PlatformSettings, store: Path, target: Target) -> Session:
    """Return a connection to a foundation; it logs in with its first request."""
    try:
        return Session(target.api, credentials(place, store), timeout=place.timeout, ca_file=place.ca_file)
    except OSError as error:
        raise SettingsError(f"The setting platform.{place.name}.ca_file: {place.ca_file}: {error}.") from None


def credentials(place: PlatformSettings, store: Path) -> Credentials:
    """Return who logs in to a platform."""
    return Credentials(
        setting=f"platform.{place.name}",
        username=place.username,
        password=place.password.get_secret_value() if place.password else None,
        origin=place.origin,
        client_id=place.client_id,
        client_secret=place.client_secret.get_secret_value() if place.client_secret else None,
        refresh_token=place.refresh_token.get_secret_value() if place.refresh_token else None,
        passcode=place.passcode.get_secret_value() if place.passcode else None,
        keep=store / LOGINS / f"{place.name}.json" if place.passcode else None,
        cf_config=cf_config(place.cf_home) if place.cf_login else None,
    )


def target_of(place: PlatformSettings) -> Target:
    """Return where a platform is; raises SettingsError if the login of `cf` is needed and not there, or of another API."""
    found: CfLogin | None = None
    if place.cf_login:
        try:
            found = read_cf_login(cf_config(place.cf_home), f"platform.{place.name}.cf_login")
        except RefusedError as error:
            raise SettingsError(f"{error}.") from None
        if place.api is not None and place.api.rstrip("/") != found.target:
            raise SettingsError(
                f"The login of `cf` in {found.path} is for {found.target}, and platform.{place.name}.api is another."
            )
    known = {
        "api": place.api or (found and found.target),
        "org": place.org or (found and found.org),
        "space": place.space or (found and found.space),
    }
    for name, value in known.items():
        if not value:
            raise SettingsError(
                f"The setting platform.{place.name}.{name} is missing, and `cf target` has none either."
            )
    return Target(**{name: str(value) for name, value in known.items()})


def _opened(place: AnyPlatform, store: Path) -> Session | Connection:
    return _connection(place) if isinstance(place, LocalPlatformSettings) else session(place, store, target_of(place))


def check_logins(settings: Settings) -> list[str]:
    """Log in to every platform once: SettingsError if one refuses; return those that are not there yet."""
    absent = []
    for place in settings.platform:
        one = _opened(place, settings.store)
        try:
            one.log_in()
        except UnreachableError as error:
            absent.append(f"platform {place.name} is not there yet: {error}")
        except PortError as error:
            raise SettingsError(f"{error}.") from None
        finally:
            one.close()
    return absent
