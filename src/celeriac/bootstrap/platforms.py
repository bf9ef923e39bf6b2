"""The platforms that the settings name."""

from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, Session
from celeriac.core.errors import PortError, SettingsError, UnreachableError
from celeriac.settings import PlatformSettings, Settings


def platform(place: PlatformSettings, apps: tuple[str, ...], sessions: dict[str, Session]) -> CloudFoundry:
    """Return the adapter for one cluster's apps."""
    if place.name not in sessions:
        sessions[place.name] = session(place)
    return CloudFoundry(place.name, sessions[place.name], org=place.org, space=place.space, selectors=apps)


def session(place: PlatformSettings) -> Session:
    """Return a connection to a foundation; it logs in with its first request."""
    credentials = Credentials(
        setting=f"platform.{place.name}",
        username=place.username,
        password=place.password.get_secret_value() if place.password else None,
        client_id=place.client_id,
        client_secret=place.client_secret.get_secret_value() if place.client_secret else None,
    )
    try:
        return Session(place.api, credentials, timeout=place.timeout, ca_file=place.ca_file)
    except OSError as error:
        raise SettingsError(f"The setting platform.{place.name}.ca_file: {place.ca_file}: {error}.") from None


def check_logins(settings: Settings) -> list[str]:
    """Log in to every platform once: SettingsError if one refuses; return those that are not there yet."""
    absent = []
    for place in settings.platform:
        one = session(place)
        try:
            one.log_in()
        except UnreachableError as error:
            absent.append(f"platform {place.name} is not there yet: {error}")
        except PortError as error:
            raise SettingsError(f"{error}.") from None
        finally:
            one.close()
    return absent
