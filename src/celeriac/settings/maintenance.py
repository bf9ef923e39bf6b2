"""`[[heal.maintenance]]`: when the keeper restarts nothing by itself, each week or once."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field, field_validator, model_validator

from celeriac.settings.section import Section

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class MaintenanceSettings(Section):
    """A window in which nothing is restarted without a person: weekly (`days begins ends zone`) or once (`since until`)."""

    why: str = Field(default="maintenance", min_length=1, description="What incidents that it holds say.")
    clusters: tuple[str, ...] = Field(default=(), description="The clusters that it is for; all, if none is named.")
    days: tuple[Day, ...] = Field(default=(), description="Days on which a weekly window begins.")
    begins: time | None = Field(default=None, description='Time of day at which it begins, like `"22:00"`.')
    ends: time | None = Field(
        default=None, description="Time of day at which it ends; not later than `begins`: on the next day."
    )
    zone: str = Field(default="UTC", description="Time zone of these times of day, like `Europe/Berlin`.")
    since: AwareDatetime | None = Field(
        default=None, description="When a window that comes once begins, like `2026-12-24T18:00:00+01:00`."
    )
    until: AwareDatetime | None = Field(default=None, description="When it ends.")

    @field_validator("begins", "ends")
    @classmethod
    def _naive(cls, at: time | None) -> time | None:
        if at is not None and at.tzinfo is not None:
            msg = "is a time of day without a zone, like '22:00'; give the zone in zone"
            raise ValueError(msg)
        return at

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        _zone(zone)
        return zone

    @model_validator(mode="after")
    def _one_kind(self) -> "MaintenanceSettings":
        weekly = (bool(self.days), self.begins is not None, self.ends is not None)
        once = (self.since is not None, self.until is not None)
        if (all(weekly) and not any(once)) or (all(once) and not any(weekly)):
            if self.since and self.until and self.since >= self.until:
                msg = "until must be later than since"
                raise ValueError(msg)
            return self
        msg = "give days, begins and ends for a window of each week, or since and until for one that comes once"
        raise ValueError(msg)

    def holds(self, cluster: str, now: float) -> str | None:
        """Return what to say while this window is open for a cluster, or None; `now` is in seconds since the epoch."""
        if self.clusters and cluster not in self.clusters:
            return None
        if self.since and self.until:
            inside = self.since.timestamp() <= now < self.until.timestamp()
            return f"{self.why}, until {self.until:%Y-%m-%d %H:%M %z}" if inside else None
        return self._weekly(datetime.fromtimestamp(now, _zone(self.zone)))

    def _weekly(self, local: datetime) -> str | None:
        if self.begins is None or self.ends is None:
            return None
        today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
        at = local.time()
        if self.begins < self.ends:
            inside = today in self.days and self.begins <= at < self.ends
        else:
            inside = (today in self.days and at >= self.begins) or (yesterday in self.days and at < self.ends)
        return f"{self.why}, until {self.ends:%H:%M} {self.zone}" if inside else None


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is no time zone that is known here; write one like 'Europe/Berlin', or 'UTC'"
        raise ValueError(msg) from None
