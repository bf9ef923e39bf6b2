"""Cloud Foundry through its API v3 and log-cache: our own thin adapter, because every call needs a time limit.

Source of every shape and rule here: cloud_controller_ng and UAA, as read in their source.
"""

from celeriac.adapters.cloudfoundry.budget import Budget
from celeriac.adapters.cloudfoundry.cf_login import CfLogin
from celeriac.adapters.cloudfoundry.cf_login import path_of as cf_config
from celeriac.adapters.cloudfoundry.cf_login import read as read_cf_login
from celeriac.adapters.cloudfoundry.logcache import recent
from celeriac.adapters.cloudfoundry.login import Credentials
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.adapters.cloudfoundry.space import CloudFoundry, Options

__all__ = [
    "Budget",
    "CfLogin",
    "CloudFoundry",
    "Credentials",
    "Options",
    "Session",
    "cf_config",
    "read_cf_login",
    "recent",
]
