"""All that there is to sign on with and off from, as the settings have it: what is None is not set up."""

from typing import NamedTuple

from celeriac.app.access.api_tokens import ApiTokenDesk
from celeriac.app.access.command_line import CommandLineSignOn
from celeriac.app.access.door import AnyDoor
from celeriac.app.access.machines import Machines
from celeriac.app.access.password_sign_on import PasswordSignOn
from celeriac.app.access.provider_sign_on import ProviderSignOn
from celeriac.app.access.roles import Roles
from celeriac.app.access.sessions import SessionDesk
from celeriac.app.access.standing_sessions import StandingSessions


class SigningOn(NamedTuple):
    """The door, and the ways through it.

    `public_url` is the address that people use, with the path that a proxy puts before ours. `users` tells that people of
    a users file sign on with passwords; without it only the break-glass account does, where `passwords` is there.
    """

    door: AnyDoor
    desk: SessionDesk | None = None
    provider: ProviderSignOn | None = None
    passwords: PasswordSignOn | None = None
    users: bool = False
    public_url: str = ""
    command_line: CommandLineSignOn | None = None
    tokens: ApiTokenDesk | None = None
    machines: Machines | None = None
    standing: StandingSessions | None = None
    roles: Roles | None = None

    @property
    def break_glass(self) -> bool:
        """Tell whether there is a way in beside the usual one."""
        return self.passwords is not None and not self.users
