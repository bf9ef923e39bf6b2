"""What is ordered for a whole app, and what else may change how many instances it has."""

from collections.abc import Callable, Iterable
from typing import Any

from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.where import Where, part
from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError
from celeriac.core.model import App, Place
from celeriac.core.places import MISSING
from celeriac.platform_ports import AppOrders

IGNORED = "app-autoscaler.cloudfoundry.org/disable-autoscaling"
"""The label by which App Autoscaler leaves an app alone, whatever its value."""


class Orders:
    """`AppOrders` in one space; `look` reads its watched apps, App Autoscaler is asked only where its API's address is given."""

    def __init__(self, where: Where, look: Callable[[], Iterable[App]], *, autoscaler: str | None = None) -> None:
        self._where, self._look, self._autoscaler = where, look, autoscaler

    def read(self, place: Place) -> App:
        """Return the app of a place as it is now."""
        found = next((one for one in self._look() if one.name == place.app and one.state != MISSING), None)
        if found is None:
            raise MissingError(f"the platform shows no app {place.app} any more")
        return found

    def restart_app(self, app: App) -> None:
        """Restart every process of an app at once."""
        with self._where.explained():
            self._where.session.order("POST", f"/v3/apps/{part(app.guid)}/actions/restart")

    def scale(self, app: App, process: str, instances: int) -> None:
        """Want so many instances; the foundation's own reason where a quota or a deployment forbids it."""
        path = f"/v3/apps/{part(app.guid)}/processes/{part(process)}/actions/scale"
        with self._where.explained():
            self._where.session.order("POST", path, {"instances": instances})

    @understood("what scales an app")
    def scaled_by(self, app: App) -> str | None:
        """Return App Autoscaler's policy for the app in words; it scales processes of type web alone.

        Without an address it is not asked: a guessed one may be anybody's app, which would get our token.
        """
        webless = app.processes and not any(one.type == "web" for one in app.processes)
        if self._autoscaler is None or webless:
            return None
        shown = self._where.session.get(f"/v3/apps/{part(app.guid)}")
        if IGNORED in ((shown.get("metadata") or {}).get("labels") or {}):
            return None
        try:
            policy = self._where.session.get_from(self._autoscaler, f"/v1/apps/{part(app.guid)}/policy")
        except MissingError:
            return None
        except RefusedError as error:
            raise RefusedError(
                f"whether App Autoscaler scales {app.name} is told only to an account with the role space_developer ({error})"
            ) from error
        except PortError as error:
            raise UnreachableError(f"whether App Autoscaler scales {app.name} cannot be told: {error}") from error
        return _words(policy) if policy else None


def _words(policy: dict[str, Any]) -> str:
    least, most = policy["instance_min_count"], policy["instance_max_count"]
    by = sorted({str(rule["metric_type"]) for rule in policy.get("scaling_rules") or ()})
    return f"App Autoscaler: {least} to {most} instances of web" + (f" by {', '.join(by)}" if by else "")


def _fits(orders: Orders) -> AppOrders:
    """Let the type checker prove that the class fits its port."""
    return orders
