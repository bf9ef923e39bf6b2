"""`celeriac local`: the processes of a Procfile on this host."""

from pathlib import Path

import click

from celeriac.core.errors import SettingsError


class _Scale(click.ParamType[tuple[str, int]]):
    name = "TYPE=NUMBER"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        process, _, number = str(value).partition("=")
        if not process or not number.isdecimal():
            self.fail(f"{value!r} is not of the form worker=3", param, ctx)
        return process, int(number)


@click.command()
@click.option(
    "--file", type=click.Path(path_type=Path), default="Procfile", show_default=True, help="Lines `type: command`."
)
@click.option("--name", help="The app's name; without it that of the file's directory.")
@click.option(
    "--scale", type=_Scale(), multiple=True, help="Instances of a process type; without it 1. May be repeated."
)
@click.option("--env-file", type=click.Path(path_type=Path), help="Lines `NAME=value` for every process.")
@click.option("--socket", type=click.Path(path_type=Path), help="Where it is asked; its first line names the default.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0.1, max=3600),
    default=10.0,
    show_default=True,
    help="Seconds from SIGTERM to SIGKILL.",
)
def local(
    file: Path,
    name: str | None,
    scale: tuple[tuple[str, int], ...],
    env_file: Path | None,
    socket: Path | None,
    grace: float,
) -> None:
    """Run the processes of a Procfile on this host and keep them running; Celeriac restarts them through it."""
    from celeriac.bootstrap.process import until_signalled
    from celeriac.local import LocalError, Options, run

    options = Options(file, name or file.absolute().parent.name, dict(scale), env_file, socket, grace)
    try:
        run(options, until_signalled())
    except LocalError as error:
        raise SettingsError(str(error)) from None
