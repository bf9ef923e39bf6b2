"""The processes of one `celeriac local`, asked over its socket."""

from celeriac.adapters.local_processes.connection import Connection
from celeriac.adapters.local_processes.platform import LocalProcesses
from celeriac.adapters.local_processes.records import LocalRecords

__all__ = ["Connection", "LocalProcesses", "LocalRecords"]
