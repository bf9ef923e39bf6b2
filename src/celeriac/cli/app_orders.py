"""The orders for apps and their instances: restart and scale, with the words of `cf`."""

from typing import Any

import click

from celeriac.cli.act import ask, follow, gives_orders, in_order, tell_passes
from celeriac.cli.console import asks_console, console
from celeriac.cli.tables import plain
from celeriac.client import App, Celeriac, Process, Worker


@click.command()
@click.argument("name")
@click.option("--instance", type=click.IntRange(min=0), help="Only this index of the app.")
@click.option("--process", help="The process type of --instance, where the app has several.")
@click.option("--rolling", "strategy", flag_value="rolling", help="One instance at a time, each proven (the default).")
@click.option(
    "--all-at-once", "strategy", flag_value="all_at_once", help="All instances in one order, as `cf restart`."
)
@gives_orders
@asks_console
@click.pass_context
def restart(ctx: click.Context, /, name: str, url: str, token: str | None, **options: Any) -> None:
    """Order the restart of an app or of one instance, and follow it: exit code 0 if all came back, else 1.

    NAME is an app's name; or a worker's name (`orders-worker/0`), its node name or its id, for that instance alone. Without
    an option all instances of an app are restarted one at a time, each proven to work before the next, to the first that is
    not. The keeper goes on also where you do not wait.
    """
    cluster, instance, strategy = options["cluster"], options["instance"], options["strategy"]
    if instance is not None and strategy is not None:
        raise click.UsageError("--instance restarts one index; --rolling and --all-at-once are for all of them.")
    with console(url, token) as client:
        app = app_named(client, name, cluster)
        order = _Order(ctx, client, yes=options["yes"], wait=not options["no_wait"])
        if app is not None and instance is None:
            order.app(app, strategy or "rolling")
        elif app is not None:
            order.instance(app, instance, options["process"])
        elif instance is not None or strategy is not None:
            raise click.ClickException(f"The app {plain(name)} is not watched.")
        else:
            order.worker(client.worker(name, cluster))


@click.command()
@click.argument("app")
@click.argument("instances", type=click.IntRange(min=0))
@click.option("--process", help="The process type, where the app wants instances of several.")
@click.option("--no-drain", is_flag=True, help="Do not wait until the workers that go have ended their tasks.")
@gives_orders
@asks_console
@click.pass_context
def scale(ctx: click.Context, /, app: str, instances: int, url: str, token: str | None, **options: Any) -> None:
    """Order another number of instances, and follow it: exit code 0 if they are there, else 1.

    The platform stops the highest indexes. The workers there take no more and end what they have before; if one is not idle
    in time, all consume again and nothing is scaled. It is refused during a deployment, where App Autoscaler is known to own the app,
    and with the platform's own reason where a quota does not allow it.
    """
    process, drain = options["process"], not options["no_drain"]
    with console(url, token) as client:
        found = app_named(client, app, options["cluster"])
        if found is None:
            raise click.ClickException(f"The app {plain(app)} is not watched.")
        one = _process_of(found, process)
        going = [each.index for each in found.instances if each.index >= instances and each.process == one.type]
        click.echo(_what_scaling_does(found, one, instances, going, drain=drain))
        ask(
            ctx, f"Scale {plain(one.type)} of {plain(found.name)} from {one.wanted} to {instances}?", yes=options["yes"]
        )
        remedy = client.scale(found.id, instances, found.cluster, process=one.type, drain=drain)
        ctx.exit(follow(client, remedy, seen=0, wait=not options["no_wait"]))


def _process_of(app: App, named: str | None) -> Process:
    """Return the process that is named or meant; an error where it is neither."""
    found = next((one for one in app.processes if one.type == (named or app.process)), None)
    if found is None:
        there = ", ".join(f"{plain(one.type)} ({one.wanted} wanted)" for one in app.processes) or "none"
        what = f"no process {plain(named)}" if named else "no one process that is meant"
        raise click.ClickException(f"{plain(app.name)} has {what}; it has: {there}. Add --process.")
    return found


def app_named(client: Celeriac, name: str, cluster: str | None) -> App | None:
    """Return the one app of this name or id, None if there is none; an error where it is several."""
    found = [one for one in client.apps(cluster) if name in (one.id, one.name)]
    clusters = sorted({plain(one.cluster) for one in found})
    if len(clusters) > 1:
        raise click.ClickException(f"The app {plain(name)} is watched in {', '.join(clusters)}; add --cluster.")
    if len(found) > 1:
        each = ", ".join(f"{plain(one.platform)} (id {plain(one.id) or 'not known'})" for one in found)
        raise click.ClickException(f"The app {plain(name)} is on {each}; give its id in place of its name.")
    return found[0] if found else None


class _Order:
    """One restart as it is told, asked, given and followed."""

    def __init__(self, ctx: click.Context, client: Celeriac, *, yes: bool, wait: bool) -> None:
        self._ctx, self._client, self._yes, self._wait = ctx, client, yes, wait

    def worker(self, found: Worker) -> None:
        click.echo(_what_restart_does(found))
        tell_passes(found.passes)
        ask(self._ctx, f"Restart {plain(found.name)}?", yes=self._yes)
        seen = len(self._client.incident(found.incident).steps) if found.incident else 0
        self._ctx.exit(follow(self._client, self._client.restart(found.id), seen=seen, wait=self._wait))

    def instance(self, app: App, index: int, process: str | None) -> None:
        """One index; by its worker, where there is one."""
        mine = [one for one in app.instances if one.index == index and process in {None, one.process}]
        if len(mine) > 1:
            types = ", ".join(plain(one.process) for one in mine)
            raise click.ClickException(f"Index {index} of {plain(app.name)} is there in {types}; add --process.")
        if not mine:
            named = f" of process {plain(process or app.process)}" if process or app.process else ""
            raise click.ClickException(f"{plain(app.name)} has no index {index}{named}.")
        (one,) = mine
        if one.worker:
            self.worker(self._client.worker(one.worker, app.cluster))
            return
        what = (
            f"index {index} of {plain(app.name)} ({plain(one.process)}, now {plain(one.state)}, guid {plain(one.guid)})"
        )
        click.echo(f"The keeper will stop {what}, which was judged by nobody; the tasks that it runs are cut off.")
        ask(self._ctx, f"Restart index {index} of {plain(app.name)}?", yes=self._yes)
        remedy = self._client.restart_instance(app.id, index, app.cluster, process=one.process)
        self._ctx.exit(follow(self._client, remedy, seen=0, wait=self._wait))

    def app(self, app: App, strategy: str) -> None:
        workers = self._client.workers(app.cluster)
        mine = [one for one in workers if one.instance and (one.instance.app, one.instance.platform) == _of(app)]
        click.echo(_what_restarting_all_does(app, strategy, sum(one.active or 0 for one in mine)))
        tell_passes(app.passes)
        ask(self._ctx, f"Restart {plain(app.name)}?", yes=self._yes)
        remedy = self._client.restart_app(app.id, app.cluster, strategy=strategy)
        self._ctx.exit(follow(self._client, remedy, seen=0, wait=self._wait))


def _of(app: App) -> tuple[str, str]:
    return app.name, app.platform


def _what_restart_does(found: Worker) -> str:
    instance = found.instance
    if instance is None or instance.guid is None:
        msg = f"{plain(found.name)} has no running platform instance that could be restarted."
        raise click.ClickException(msg)
    busy = f" It runs {found.active} tasks now; they will be cut off." if found.active else ""
    return (
        f"{plain(found.name)} in {plain(found.cluster)} is {found.verdict}.{busy}\n"
        f"The keeper will stop index {instance.index} of {plain(instance.app)} ({plain(instance.process)}, now "
        f"{plain(instance.state)}, guid {plain(instance.guid)}); the platform starts it again, and Celeriac checks "
        "that it came back."
    )


def _what_restarting_all_does(app: App, strategy: str, running: int) -> str:
    number, name, cluster = len(app.instances), plain(app.name), plain(app.cluster)
    cut = f"; they run {running} tasks now, which are cut off" if running else "; the tasks that they run are cut off"
    if strategy == "all_at_once":
        return (
            f"The platform will stop all {number} instances of {name} in {cluster} at once and start new ones{cut}. Until "
            "these have come up nothing is consumed. Each is proven to work afterwards."
        )
    return (
        f"The keeper will restart the {number} instances of {name} in {cluster}, one at a time, each proven before the "
        f"next{cut}.{in_order(app.turns)}"
    )


def _what_scaling_does(app: App, process: Process, instances: int, going: list[int], *, drain: bool) -> str:
    name, cluster = f"{plain(app.name)} ({plain(process.type)})", plain(app.cluster)
    if not going:
        return (
            f"The platform will be told to run {instances} instances of {name} in {cluster}, now {process.wanted}; "
            "each new one is proven to work."
        )
    indexes = ", ".join(str(one) for one in sorted(going))
    first = "end what they have and are stopped" if drain else "are stopped; the tasks that they run are cut off"
    return f"The workers at index {indexes} of {name} in {cluster} {first}; {instances} of {process.wanted} instances are left."
