"""Who is what in which space, and what each role may do there."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.entities import Space, new_guid, stable_guid
from celeriac.emulator.space_config import Role, RolesConfig
from celeriac.emulator.uaa import user_guid


class Right(Enum):
    """What a caller may be allowed to do in a space that it can read."""

    OPERATE = "restart, start, stop, scale, deploy, set variables"
    READ_VARIABLES = "read variables"
    READ_SECRETS = "read services and commands"
    CHANGE = "set labels and features"
    READ_POLICY = "read the autoscaler's policy"

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that may."""
        supported = self in (Right.OPERATE, Right.READ_VARIABLES)
        return (Role.DEVELOPER, Role.SUPPORTER) if supported else (Role.DEVELOPER,)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody has in a space."""

    guid: str
    user_guid: str
    role: Role
    space: Space
    created_at: int

    @property
    def updated_at(self) -> int:
        return self.created_at


class Roles:
    """Keeps the grants; each caller has at most one role in a space."""

    def __init__(self, config: EmulatorConfig, spaces: Iterable[Space]) -> None:
        now = int(time.time())
        callers = {user_guid(user.name): user.roles for user in config.users}
        callers |= {client.id: client.roles for client in config.clients}
        self._lock = threading.Lock()
        self._grants: dict[tuple[str, str], Grant] = {}
        for space in spaces:
            for caller, roles in callers.items():
                role = _role(roles, space)
                if role is not Role.NONE:
                    guid = stable_guid(caller, space.guid, role)
                    self._grants[caller, space.guid] = Grant(guid, caller, role, space, now)

    def grants(self) -> list[Grant]:
        """Return all grants."""
        with self._lock:
            return list(self._grants.values())

    def of(self, caller_guid: str, space_guid: str) -> Role:
        """Return the role of a caller in a space."""
        with self._lock:
            grant = self._grants.get((caller_guid, space_guid))
        return grant.role if grant else Role.NONE

    def give(self, caller_guid: str, space: Space, role: Role) -> Grant:
        """Give a role in a space, in place of the one before."""
        grant = Grant(new_guid(), caller_guid, role, space, int(time.time()))
        with self._lock:
            self._grants[caller_guid, space.guid] = grant
        return grant

    def take(self, grant: Grant) -> None:
        """Take a role away; it may be gone already."""
        with self._lock:
            if self._grants.get((grant.user_guid, grant.space.guid)) == grant:
                del self._grants[grant.user_guid, grant.space.guid]


def _role(roles: RolesConfig, space: Space) -> Role:
    named = roles.spaces.get(f"{space.org.name}/{space.name}") or roles.spaces.get(space.name)
    return named or roles.everywhere
