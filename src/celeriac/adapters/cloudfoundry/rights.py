"""What our account may do in one space, by its roles, its token's scopes and the state of the organization."""

import time
from collections.abc import Callable

from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.where import Where
from celeriac.core.apps import Rights
from celeriac.core.errors import MissingError
from celeriac.platform_ports import PlatformRights

ACT = ("space_developer", "space_supporter")
LOOK = ("space_auditor", "space_manager")
NONE = "none in this space"
ADMIN = "cloud_controller.admin"
WRITE = "cloud_controller.write"


class SpaceRights:
    """`PlatformRights` of one space."""

    def __init__(self, where: Where, *, now: Callable[[], float] = time.time) -> None:
        self._where, self._now = where, now

    @understood("our rights")
    def rights(self) -> Rights:
        """Return what our account may do; what its role lacks is named with the command that gives it."""
        session, where = self._where.session, self._where
        space, org = where.space_id(), where.organization()
        scopes = session.scopes()
        role = ADMIN if ADMIN in scopes else self._role(space)
        may = role in (*ACT, ADMIN) if role else None
        lacking = []
        if not may:
            lacking.append(f"restarting, scaling and reading variables need the role space_supporter: {where.grant}")
        if scopes and not {WRITE, ADMIN} & scopes:
            lacking.append(
                f"restarting and scaling need the scope {WRITE}: a UAA administrator gives it to our account"
            )
        if org.get("suspended"):
            lacking.append(f"organization {where.org!r} is suspended: an administrator makes it active again")
        acts = None if may is None else not lacking
        return Rights(session.account, role, acts, may, tuple(lacking))

    def clock_ahead(self) -> float:
        """Return by how much the foundation's clock is ahead, from the Date of an answer."""
        return self._where.session.clock_ahead(self._now)

    def _role(self, space: str) -> str | None:
        """Return our strongest role; None where it cannot be told, as by APIs before 3.75, which list no roles."""
        session = self._where.session
        session.log_in()
        if session.own_guid is None:
            return None
        try:
            mine = list(session.pages("/v3/roles", user_guids=session.own_guid, space_guids=space))
        except MissingError:
            return None
        held = {str(one["type"]) for one in mine}
        return next((role for role in (*ACT, *LOOK) if role in held), NONE)


def _fits(rights: SpaceRights) -> PlatformRights:
    """Let the type checker prove that the class fits its port."""
    return rights
