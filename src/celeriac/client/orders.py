"""What can be ordered through the client: each order returns at once, and its remedy tells later how it went."""

from urllib.parse import quote

from celeriac.client.answers import Remedy
from celeriac.client.connection import Connection, query


class Orders(Connection):
    """The orders for workers and apps."""

    def restart(self, worker: str) -> Remedy:
        """Order the restart of a worker's instance; the remedy returned tells later how it went."""
        return self._post(f"/workers/{quote(worker, safe='')}/restart", Remedy)

    def recycle(self, worker: str) -> Remedy:
        """Order a worker to be ended once its tasks have ended; its platform starts it again."""
        return self._post(f"/workers/{quote(worker, safe='')}/recycle", Remedy)

    def restart_app(self, app: str, cluster: str | None = None, *, strategy: str = "rolling") -> Remedy:
        """Order a restart of an app's instances, `rolling` or `all_at_once`; `app` is its id or its name."""
        return self._post(f"/apps/{quote(app, safe='')}/restart{query(cluster=cluster)}", Remedy, strategy=strategy)

    def restart_instance(
        self, app: str, index: int, cluster: str | None = None, *, process: str | None = None
    ) -> Remedy:
        """Order the restart of one index of an app; the process type where it has several."""
        asked = query(cluster=cluster, process=process)
        return self._post(f"/apps/{quote(app, safe='')}/instances/{index}/restart{asked}", Remedy)

    def scale(
        self, app: str, instances: int, cluster: str | None = None, *, process: str | None = None, drain: bool = True
    ) -> Remedy:
        """Order so many instances of an app's process; those that go end their tasks before, if `drain`."""
        asked = query(cluster=cluster)
        body = {"instances": instances, "process": process, "drain": drain}
        return self._post(f"/apps/{quote(app, safe='')}/scale{asked}", Remedy, **body)

    def approve(self, incident: str) -> Remedy:
        """Approve what an incident is held for."""
        return self._post(f"/incidents/{quote(incident, safe='')}/approve", Remedy)
