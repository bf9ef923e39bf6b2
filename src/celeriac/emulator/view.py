"""What one caller sees of the foundation, and what it may do there: what it cannot read is not found."""

from dataclasses import dataclass

from celeriac.emulator.audit import Party
from celeriac.emulator.entities import App, Organization, Process, Space
from celeriac.emulator.errors import feature_disabled, not_authorized, not_found, org_suspended
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.roles import Right
from celeriac.emulator.space_config import Role
from celeriac.emulator.uaa import Caller


@dataclass(frozen=True, slots=True)
class View:
    """The foundation as a caller with a valid token sees it; every finding method raises `ApiError` 404."""

    here: Foundation
    caller: Caller

    @property
    def actor(self) -> Party:
        """The caller, as audit events name it."""
        return Party(self.caller.guid, "user", self.caller.name)

    def reads(self, space_guid: str) -> bool:
        """Tell whether the caller has any role in a space."""
        return self.here.roles.of(self.caller.guid, space_guid) is not Role.NONE

    def may(self, right: Right, space_guid: str) -> bool:
        """Tell whether the caller's role allows something."""
        return self.here.roles.of(self.caller.guid, space_guid) in right.roles

    def require(self, right: Right, app: App) -> App:
        """Return the app, or raise `ApiError` 403 where the role does not suffice."""
        if not self.may(right, app.space_guid):
            raise not_authorized()
        return app

    def require_order(self, right: Right, app: App) -> App:
        """Do the same for what changes something, which a suspended organization does not take."""
        self.require(right, app)
        self.require_active(app.space_guid)
        return app

    def require_active(self, space_guid: str) -> None:
        """Raise `ApiError` 403 where the organization is suspended."""
        if self.here.spaces.space(space_guid).org.suspended:
            raise org_suspended()

    def require_feature(self, name: str) -> None:
        """Raise `ApiError` 403 where the foundation's feature flag is off."""
        if name in self.here.config.disabled_features:
            raise feature_disabled(name)

    def spaces(self) -> list[Space]:
        """Return the spaces that the caller can read."""
        return [space for space in self.here.spaces.all if self.reads(space.guid)]

    def organizations(self) -> list[Organization]:
        """Return the organizations in which the caller can read a space."""
        read = {space.org.guid for space in self.spaces()}
        return [org for org in self.here.spaces.organizations if org.guid in read]

    def space_of(self, app: App) -> Space:
        """Return the space of an app."""
        return self.here.spaces.space(app.space_guid)

    def apps(self) -> list[App]:
        """Return the apps that the caller can read."""
        return [app for app in self.here.controller.apps() if self.reads(app.space_guid)]

    def app(self, guid: str) -> App:
        """Return one app."""
        app = self.here.controller.app(guid)
        if app is None or not self.reads(app.space_guid):
            raise not_found("App")
        return app

    def processes(self) -> list[tuple[Process, App]]:
        """Return the processes that the caller can read, each with its app."""
        apps = {app.guid: app for app in self.apps()}
        return [(each, apps[each.app_guid]) for each in self.here.controller.processes() if each.app_guid in apps]

    def process(self, guid: str) -> Process:
        """Return one process."""
        process = self.here.controller.process(guid)
        app = self.here.controller.app(process.app_guid) if process else None
        if process is None or app is None or not self.reads(app.space_guid):
            raise not_found("Process")
        return process

    def process_of(self, app_guid: str, process_type: str) -> Process:
        """Return the process of one type of an app."""
        process = self.here.controller.process_of(self.app(app_guid).guid, process_type)
        if process is None:
            raise not_found("Process")
        return process
