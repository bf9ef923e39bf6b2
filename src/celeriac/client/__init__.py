"""A typed client of Celeriac's HTTP API; it stands alone and imports nothing else of Celeriac."""

from celeriac.client.answers import (
    App,
    AppInstance,
    Cluster,
    Evidence,
    Incident,
    Instance,
    Remedy,
    Step,
    Task,
    TaskPage,
    Worker,
)
from celeriac.client.api import DEFAULT_URL, Celeriac, ClientError

__all__ = [
    "DEFAULT_URL",
    "App",
    "AppInstance",
    "Celeriac",
    "ClientError",
    "Cluster",
    "Evidence",
    "Incident",
    "Instance",
    "Remedy",
    "Step",
    "Task",
    "TaskPage",
    "Worker",
]
