"""Cloud Foundry through its API v3 and log-cache: our own thin adapter, because every call needs a time limit.

Source of every shape and rule here: cloud_controller_ng and UAA, as read in their source.
"""

from celeriac.adapters.cloudfoundry.logcache import LogLine, recent
from celeriac.adapters.cloudfoundry.login import Credentials
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.adapters.cloudfoundry.space import CloudFoundry

__all__ = ["CloudFoundry", "Credentials", "LogLine", "Session", "recent"]
