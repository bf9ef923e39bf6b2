"""Who signs on how, as the settings have it: sessions, passwords, the provider, tokens, and what each gives."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from celeriac.access_ports import Provider, Users
from celeriac.adapters import users_file
from celeriac.adapters.passwords import Argon2Passwords
from celeriac.adapters.sql import SqlStore
from celeriac.adapters.users_file import UsersFile
from celeriac.app.access.acting import Register
from celeriac.app.access.api_tokens import ApiTokenDesk
from celeriac.app.access.command_line import CommandLineSignOn
from celeriac.app.access.door import Door, OpenDoor
from celeriac.app.access.footing import Footing
from celeriac.app.access.machines import Machines
from celeriac.app.access.password_sign_on import Account, Guarded, PasswordSignOn
from celeriac.app.access.provider_sign_on import ProviderSignOn
from celeriac.app.access.roles import Roles
from celeriac.app.access.sessions import Lasting, SessionDesk
from celeriac.app.access.signing_on import SigningOn
from celeriac.app.access.standing_sessions import StandingSessions
from celeriac.settings import AccessSettings, Settings

if TYPE_CHECKING:
    from celeriac.oidc import RelyingParty


class Kept(NamedTuple):
    """What all of access shares."""

    store: SqlStore
    register: Register
    clock: Callable[[], float]


def check_access(settings: Settings) -> None:
    """Raise SettingsError where nobody could sign on as the settings have it."""
    if settings.access.sign_on == "users" and settings.access.users:
        users_file.checked(settings.access.users)
    _provider(settings.access)


def signing_on(settings: Settings, kept: Kept) -> SigningOn:
    """Return all that there is to sign on with."""
    access = settings.access
    if access.sign_on == "none":
        return SigningOn(OpenDoor())
    provider = _provider(access)
    clusters = [one.name for one in settings.cluster]
    users = UsersFile(access.users, clusters) if access.sign_on == "users" and access.users else None
    roles = Roles(access.rules(), kept.store.role_tables(), kept.clock, clusters)
    desk = _desk(access, kept, roles, users, provider)
    register, clock, store = kept.register, kept.clock, kept.store
    tokens = ApiTokenDesk(store.api_tokens(), register, clock)
    machines = _machines(access, provider, roles, register)
    return SigningOn(
        door=Door(desk, tokens, machines),
        desk=desk,
        provider=ProviderSignOn(provider, kept.store.once(), desk, kept.register, kept.clock) if provider else None,
        passwords=_passwords(access, kept, desk, users),
        users=users is not None,
        public_url=f"{settings.console.public_url or ''}{settings.console.root_path}",
        command_line=CommandLineSignOn((store.once(), store.attempts()), desk, register, clock),
        tokens=tokens,
        machines=machines,
        standing=StandingSessions(store.sessions(), clock),
        roles=roles if provider else None,
    )


def _machines(
    access: AccessSettings, provider: "RelyingParty | None", roles: Roles, register: Register
) -> Machines | None:
    """Return what takes the provider's tokens; without an audience of ours none is ours to take."""
    taken = provider is not None and access.oidc is not None and access.oidc.api_audience is not None
    return Machines(provider, roles.grants, register) if provider and taken else None


def _desk(
    access: AccessSettings, kept: Kept, roles: Roles, users: Users | None, provider: Provider | None
) -> SessionDesk:
    oidc = access.oidc
    lasting = Lasting(
        idle_s=access.session.idle,
        longest_s=access.session.longest,
        refresh_s=oidc.refresh if oidc else Lasting.refresh_s,
        reauthorise_s=oidc.reauthorise if oidc else float("inf"),
    )
    sessions = kept.store.sessions()
    issuer = oidc.issuer if provider and oidc else None
    footing = Footing(roles, issuer, users, _glass(access))
    return SessionDesk((sessions, sessions), footing, lasting, kept.register, kept.clock, provider)


def _passwords(access: AccessSettings, kept: Kept, desk: SessionDesk, users: Users | None) -> PasswordSignOn | None:
    account = _glass(access)
    if users is None and account is None:
        return None
    return PasswordSignOn(
        Guarded(Argon2Passwords(), kept.store.attempts(), access.tries),
        desk,
        kept.register,
        kept.clock,
        users=users,
        break_glass=(account, kept.store.break_glass()) if account else None,
    )


def _glass(access: AccessSettings) -> Account | None:
    one = access.break_glass
    return Account(one.name, one.hash.get_secret_value(), one.networks) if one else None


def _provider(access: AccessSettings) -> "RelyingParty | None":
    if access.sign_on != "oidc" or access.oidc is None:
        return None
    from celeriac.bootstrap.relying_party import relying_party

    return relying_party(access.oidc)
