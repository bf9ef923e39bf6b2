"""What people ask of an app beside its instances: what it says, what befell it, its settings, its room, and our rights."""

from msgspec import Struct


class LogLine(Struct, frozen=True):
    """One line that an instance wrote, or that the platform wrote of it; `at` in seconds since the epoch.

    `source` is the platform's word for who wrote it (`APP/PROC/WORKER`, `CELL`, `API`), `process` and `index` are None
    where the line is of no one instance, `stream` is OUT or ERR.
    """

    at: float
    source: str
    stream: str
    text: str
    process: str | None = None
    index: int | None = None


class AppEvent(Struct, frozen=True):
    """One thing that was done to an app or that befell it, in the platform's words; `actor` is who did it, if known."""

    id: str
    at: float
    kind: str
    actor: str | None
    text: str


class Variable(Struct, frozen=True):
    """One variable of an app's environment; `value` is None where it may be a secret."""

    name: str
    value: str | None


class Room(Struct, frozen=True):
    """What a quota leaves: None is without a bound.

    `quota` names the quota and whose it is. `instances_left` counts instances of any app, `memory_left_mb` what they may use
    together, `instance_memory_mb` what one may use at most.
    """

    quota: str
    instances_left: int | None = None
    memory_left_mb: int | None = None
    instance_memory_mb: int | None = None


class Rights(Struct, frozen=True):
    """What our account may do where a platform's apps run.

    `role` is the platform's word for it (None: it cannot be told), `acts` whether it may restart and scale, `reads_env`
    whether it may see an app's variables; `lacking` names, for each of these that is missing, the right and how it is given.
    """

    account: str
    role: str | None
    acts: bool | None
    reads_env: bool | None
    lacking: tuple[str, ...] = ()
