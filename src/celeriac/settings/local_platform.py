"""Where `celeriac local` answers; and which table of settings a `[[platform]]` is."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from celeriac.settings.platform import PlatformSettings
from celeriac.settings.section import Name, Seconds, Section


class LocalPlatformSettings(Section):
    """`[[platform]]` with `kind = "local"`: the processes that one `celeriac local` runs on this host."""

    name: Name = Field(description="What clusters call it.")
    kind: Literal["local"] = Field(description="The kind of platform.")
    socket: Path = Field(description="The socket that `celeriac local` names in its first line.")
    timeout: Seconds = Field(default=5.0, description="Seconds that one request may take.")
    poll: Seconds = Field(default=5.0, description="Seconds between two reads while all is well.")
    poll_on_suspicion: Seconds = Field(default=1.0, description="Seconds between two reads while something is wrong.")


def _kind(table: object) -> str:
    kind = table.get("kind") if isinstance(table, dict) else getattr(table, "kind", None)
    return "cloudfoundry" if kind is None else str(kind)


AnyPlatform = Annotated[
    Annotated[PlatformSettings, Tag("cloudfoundry")] | Annotated[LocalPlatformSettings, Tag("local")],
    Discriminator(
        _kind, custom_error_type="platform_kind", custom_error_message="its kind is either cloudfoundry or local"
    ),
]
