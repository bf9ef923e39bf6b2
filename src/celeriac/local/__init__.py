"""The processes of one app on one host: what a Procfile names is kept running, and told and ordered over a socket."""

from celeriac.local.errors import LocalError
from celeriac.local.run import Options, run

__all__ = ["LocalError", "Options", "run"]
