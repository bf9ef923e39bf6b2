"""The command line: one group whose commands are imported only when they are called, so that `--help` stays quick."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

import celeriac

COMMANDS = {
    "serve": "celeriac.cli.run:serve",
    "observe": "celeriac.cli.observe:observe",
    "migrate": "celeriac.cli.run:migrate",
    "plan": "celeriac.cli.run:plan",
    "replay": "celeriac.cli.replay:replay",
    "doctor": "celeriac.cli.doctor:doctor",
    "openapi": "celeriac.cli.run:openapi",
    "emulator": "celeriac.cli.run:emulator",
    "local": "celeriac.cli.local:local",
    "demo": "celeriac.cli.run:demo",
    "login": "celeriac.cli.login:login",
    "whoami": "celeriac.cli.login:whoami",
    "logout": "celeriac.cli.login:logout",
    "tokens": "celeriac.cli.tokens:tokens",
    "workers": "celeriac.cli.watch:workers",
    "queues": "celeriac.cli.queues:queues",
    "tasks": "celeriac.cli.tasks:tasks",
    "durations": "celeriac.cli.tasks:durations",
    "observation": "celeriac.cli.watch:observation",
    "incidents": "celeriac.cli.watch:incidents",
    "apps": "celeriac.cli.apps:apps",
    "logs": "celeriac.cli.apps:logs",
    "events": "celeriac.cli.apps:events",
    "env": "celeriac.cli.apps:env",
    "capacity": "celeriac.cli.capacity:capacity",
    "report": "celeriac.cli.report:report",
    "audit": "celeriac.cli.audit:audit",
    "approve": "celeriac.cli.act:approve",
    "restart": "celeriac.cli.app_orders:restart",
    "scale": "celeriac.cli.app_orders:scale",
    "recycle": "celeriac.cli.act:recycle",
    "hold": "celeriac.cli.handle:hold",
    "release": "celeriac.cli.handle:release",
    "close": "celeriac.cli.handle:close",
    "pause": "celeriac.cli.handle:pause",
    "resume": "celeriac.cli.handle:resume",
    "user": "celeriac.cli.user:user",
    "writer": "celeriac.cli.observe:writer",
}
"""Where each command lives; the order is the order of `--help`."""

SUMMARIES = {
    "serve": "Run Celeriac: observers, keeper and console.",
    "observe": "Run one observer alone, without settings.",
    "migrate": "Bring the store's schema up to date.",
    "plan": "Say what the keeper would do, and why.",
    "replay": "Judge a recording of workers again.",
    "doctor": "Check what Celeriac can see and do.",
    "openapi": "Print the API's OpenAPI document.",
    "emulator": "Run a local Cloud Foundry for trials.",
    "local": "Run a Procfile's processes on this host.",
    "demo": "Show it: real workers die and come back.",
    "login": "Sign on at a console.",
    "whoami": "Tell who you are, and what you may do.",
    "logout": "Sign off, and forget the token.",
    "tokens": "List, make and revoke API tokens.",
    "workers": "List workers with their verdicts, or show one.",
    "queues": "List queues with what waits in them.",
    "tasks": "Find tasks, newest first, or count them.",
    "durations": "Show how long tasks ran and waited.",
    "observation": "Tell how well clusters are heard.",
    "incidents": "List incidents, or tell the story of one.",
    "apps": "List the watched apps, or one's instances.",
    "logs": "Follow an app's log, or print its newest lines.",
    "events": "List what befell an app.",
    "env": "Show an app's variables, without secrets.",
    "capacity": "Tell whether an app has instances enough.",
    "report": "Tell what `auto` would have restarted.",
    "audit": "Read who did what, and how it went.",
    "approve": "Approve what an incident is held for.",
    "restart": "Order the restart of an app or an instance.",
    "scale": "Order another number of an app's instances.",
    "recycle": "End a worker once its tasks have ended.",
    "hold": "Hold an incident: nothing is done for it.",
    "release": "Release an incident that somebody holds.",
    "close": "Close an incident.",
    "pause": "Pause all restarts for a while.",
    "resume": "End pauses before their time.",
    "user": "Keep the users file, for consoles without a provider.",
}


class Lazy(MutableMapping[str, click.Command]):
    """The commands by name; each is imported when it is asked for.

    One without a summary is hidden: who knows its name finds it, and nothing lists or proposes it.
    """

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = self._places[name].partition(":")
            self._loaded[name] = getattr(import_module(module), attribute)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places[name], self._loaded[name] = "", command

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._places if name in SUMMARIES)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Root(click.Group):
    """The group: lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (the interface's)
        """Return the names in the order of the table."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (the interface's)
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(
    cls=Root,
    commands=Lazy(dict(COMMANDS)),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.version_option(celeriac.__version__, prog_name="celeriac", message="%(prog)s %(version)s")
def main() -> None:
    """Keep Celery workers alive: find the dead and the hung, restart them, prove that they came back.

    `serve` runs everything. The commands from `login` on ask a running console: name it with --url or CELERIAC_URL.
    """
