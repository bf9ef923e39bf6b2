"""The organizations and spaces of the foundation, found by guid; they are those that the configuration names."""

import time

from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.entities import Organization, Space, stable_guid
from celeriac.emulator.space_config import OrganizationConfig, SpaceConfig


class Spaces:
    """All organizations and spaces, the foundation's first before all others."""

    def __init__(self, config: EmulatorConfig) -> None:
        now = int(time.time())
        told = {each.name: each for each in config.organizations}
        named = dict.fromkeys([org for org, _ in config.places()] + list(told))
        self.organizations = [_organization(told.get(name, OrganizationConfig(name)), now) for name in named]
        by_name = {each.name: each for each in self.organizations}
        shaped = {config.place(each.org, each.name): each for each in config.spaces}
        self.all = [
            _space(by_name[org], shaped.get((org, space), SpaceConfig(space)), now) for org, space in config.places()
        ]
        self._by_guid = {space.guid: space for space in self.all}

    def space(self, guid: str) -> Space:
        """Return a space that is known to be there."""
        return self._by_guid[guid]


def space_guid(org: str, space: str) -> str:
    """Return the guid of the space with these names."""
    return stable_guid(org, space)


def _organization(config: OrganizationConfig, now: int) -> Organization:
    return Organization(stable_guid(config.name), config.name, now, config.suspended, config.quota)


def _space(org: Organization, config: SpaceConfig, now: int) -> Space:
    return Space(space_guid(org.name, config.name), config.name, now, org, config.quota)
