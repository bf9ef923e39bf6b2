"""Which space, and who we are in it: what the errors about rights have to name."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.failures import NOT_AUTHORIZED, SUSPENDED, ApiRefusedError
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.core.errors import MissingError, RefusedError


class Where:
    """One space of one foundation, found by its names; `name` is the platform's, for the settings that errors name."""

    def __init__(self, name: str, session: Session, *, org: str, space: str) -> None:
        self.name, self.session, self.org, self.space = name, session, org, space
        self._org_guid: str | None = None
        self._space_guid: str | None = None

    @property
    def grant(self) -> str:
        """Return the command by which an org or space manager lets our account act."""
        return self._command("SpaceSupporter")

    @understood("its organization")
    def org_id(self) -> str:
        """Return the organization's guid; raises MissingError if it is not to be seen."""
        if self._org_guid is None:
            self._org_guid = str(self.organization()["guid"])
        return self._org_guid

    @understood("its organization")
    def organization(self) -> dict[str, Any]:
        """Return the organization as it is now; raises MissingError if it is not to be seen."""
        org = next(self.session.pages("/v3/organizations", names=names([self.org])), None)
        if org is None:
            raise MissingError(
                f"no organization {self.org!r} is to be seen; check platform.{self.name}.org and the role"
            )
        return org

    @understood("its space")
    def space_id(self) -> str:
        """Return the space's guid; raises MissingError if it is not to be seen."""
        if self._space_guid is None:
            params = {"names": names([self.space]), "organization_guids": self.org_id()}
            space = next(self.session.pages("/v3/spaces", **params), None)
            if space is None:
                raise MissingError(
                    f"no space {self.space!r} is to be seen; check platform.{self.name}.space and the role"
                    f" ({self._command('SpaceAuditor')})"
                )
            self._space_guid = str(space["guid"])
        return self._space_guid

    @understood("its space")
    def check_seen(self) -> None:
        """Raise MissingError if the space that was seen before is not to be seen any more: then our role is gone, not its apps."""
        params = {"names": names([self.space]), "organization_guids": self.org_id()}
        if self.space_id() not in {one["guid"] for one in self.session.pages("/v3/spaces", **params)}:
            raise MissingError(
                f"space {self.space!r} is not to be seen any more: our account has probably lost its role there, "
                f"its apps may well run ({self._command('SpaceSupporter')})"
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn the refusal of an order into the right that is missing and how it is given."""
        try:
            yield
        except ApiRefusedError as error:
            if SUSPENDED in error.codes:
                raise RefusedError(
                    f"organization {self.org!r} is suspended: nothing is started or stopped there until it is active again"
                ) from error
            if NOT_AUTHORIZED in error.codes:
                raise RefusedError(
                    f"our account lacks the right to do this in space {self.space!r}; a manager gives it by: {self.grant}"
                    f" ({error})"
                ) from error
            raise
        except MissingError as error:
            raise MissingError(
                f"{error}; it may have been deleted, or our account has lost its role in space {self.space!r}"
            ) from error

    def _command(self, role: str) -> str:
        account = self.session.account
        client = " --client" if self.session.is_client else ""
        return f"cf set-space-role {account} {self.org} {self.space} {role}{client}"


def part(text: str) -> str:
    """Return one part of a path, with a slash in it quoted too."""
    return quote(text, safe="")


def names(given: Iterable[str]) -> str:
    """Join a filter's values; a comma inside one is escaped twice."""
    return ",".join(name.replace(",", "%2C") for name in given)


def quota_of(thing: dict[str, Any]) -> str | None:
    """Return the guid of the quota of an organization or a space."""
    data = ((thing.get("relationships") or {}).get("quota") or {}).get("data") or {}
    return data.get("guid")
