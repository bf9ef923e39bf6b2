"""The commands that run in this process: the roles and their supervisor, and what works without a server."""

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from celeriac.core.errors import SettingsError
from celeriac.processes import Child, Supervisor, spawn
from celeriac.settings import Settings, check_store, read, unused_services

ROLES = ("observer", "keeper", "console")
GRACE_S = 8.0
ONLY = ("serve", "--only")
EDGE = ("tls_cert", "tls_key", "root_path", "sign_on", "users")

Options = dict[str, Any]


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that name the settings file and override its most used values."""
    for option in (
        click.option("--mode", type=click.Choice(["observe", "approve", "auto"]), help="Overrides heal.mode."),
        click.option("--store", type=click.Path(), help="Overrides store, the data directory."),
        click.option("--port", type=int, help="Overrides console.port."),
        click.option("--host", help="Overrides console.host."),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            envvar="CELERIAC_CONFIG",
            help="Settings file; without it ./celeriac.toml.",
        ),
    ):
        command = option(command)
    return command


def edge_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that say how the console is reached, and who may."""
    for option in (
        click.option("--users", type=click.Path(path_type=Path), help="People sign on by this file of users."),
        click.option("--sign-on", type=click.Choice(["none", "users", "oidc"]), help="Overrides access.sign_on."),
        click.option("--root-path", help="Overrides console.root_path, the path that a proxy puts before ours."),
        click.option("--tls-key", type=click.Path(path_type=Path), help="Overrides console.tls_key."),
        click.option("--tls-cert", type=click.Path(path_type=Path), help="Overrides console.tls_cert: serves TLS."),
    ):
        command = option(command)
    return command


ephemeral_option = click.option(
    "--ephemeral-store", is_flag=True, default=None, help="On Cloud Foundry: lose the store at each restart of the app."
)


def load(options: Options) -> Settings:
    """Return the settings of the file and flags."""
    path = options["config"]
    if path is None:
        path = Path("celeriac.toml")
        if not path.exists():
            raise SettingsError("There is no celeriac.toml here; name a settings file with --config.")
    flags: dict[str, object] = {
        "store": options.get("store"),
        "console__host": options.get("host"),
        "console__port": options.get("port"),
        "heal__mode": options.get("mode"),
        "ephemeral_store": options.get("ephemeral_store"),
        "console__tls_cert": options.get("tls_cert"),
        "console__tls_key": options.get("tls_key"),
        "console__root_path": options.get("root_path"),
        "access__users": options.get("users"),
        "access__sign_on": options.get("sign_on") or ("users" if options.get("users") else None),
    }
    return read(path, flags)


@click.command()
@settings_options
@edge_options
@ephemeral_option
@click.option("--only", type=click.Choice(ROLES), help="Run one role alone.")
@click.option("--cluster", help="The observer's cluster (with --only observer).")
def serve(only: str | None, cluster: str | None, **options: Any) -> None:
    """Run Celeriac: an observer for each cluster, the keeper and the console."""
    from celeriac.bootstrap.process import configure_logging, until_signalled

    settings = load(options)
    check_store(settings)
    configure_logging(only or "serve")
    stopping = until_signalled()
    # Each process loads its own role's libraries and no others.
    if only == "observer":
        from celeriac.bootstrap.observing import run_observer

        run_observer(settings, cluster, stopping)
    elif only == "keeper":
        from celeriac.bootstrap.keeping import run_keeper

        run_keeper(settings, stopping)
    elif only == "console":
        from celeriac.bootstrap.serving import run_console

        run_console(settings, stopping)
    else:
        serve_all(settings, options, stopping)


def serve_all(settings: Settings, options: Options, stopping: threading.Event) -> None:
    """Check what can be checked now, bring the schema up to date, and keep every role running until told to stop."""
    from celeriac.bootstrap.access import check_access
    from celeriac.bootstrap.platforms import check_logins
    from celeriac.bootstrap.process import share_clock

    share_clock()

    check_access(settings)
    check_certificate(settings)
    check_port_free(settings)
    absent = check_logins(settings)
    code = _starter(options, "migrate")().wait()
    if code:
        sys.exit(code)
    for one in absent:
        click.echo(f"{one}; it is tried again and again.", err=True)
    for notice in unused_services(settings):
        click.echo(notice, err=True)
    click.echo(f"Celeriac listens on {settings.console.address}")
    supervise(settings, options, stopping)


def supervise(settings: Settings, options: Options, stopping: threading.Event) -> None:
    """Keep every role running until told to stop."""
    starts: dict[str, Callable[[], Child]] = {}
    for one in settings.cluster:
        starts[f"observer {one.name}"] = _starter(options, *ONLY, "observer", "--cluster", one.name)
    starts["keeper"] = _starter(options, *ONLY, "keeper")
    starts["console"] = _starter(options, *ONLY, "console")

    def on_exit(name: str, code: int, pause: float) -> None:
        click.echo(f"{name} ended with {code}; starting it again in {pause:.1f} s", err=True)

    Supervisor(starts, on_exit=on_exit).run(stopping, grace=GRACE_S)


def _starter(options: Options, *command: str) -> Callable[[], Child]:
    argv = [sys.executable, "-m", "celeriac", *command]
    for name in ("config", "host", "port", "store", "mode", *EDGE):
        if options.get(name) is not None:
            argv += [f"--{name.replace('_', '-')}", str(options[name])]
    if options.get("ephemeral_store"):
        argv.append("--ephemeral-store")
    return lambda: spawn(argv, name=command[-1])


def check_certificate(settings: Settings) -> None:
    """Raise SettingsError if the console has a certificate that cannot be served."""
    if settings.console.tls_cert and settings.console.tls_key:
        from celeriac.web.certificate import Certificate

        Certificate(settings.console.tls_cert, settings.console.tls_key)


def check_port_free(settings: Settings) -> None:
    """Raise SettingsError if another program listens where the console is to listen."""
    host, port = settings.console.host, settings.console.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = error.strerror or str(error)
            raise SettingsError(
                f"The setting console.port: cannot listen on {host}:{port}: {why}; choose another with --port."
            ) from None


@click.command()
@settings_options
@edge_options
@ephemeral_option
def migrate(**options: Any) -> None:
    """Bring the store's schema up to date."""
    from celeriac.bootstrap.storing import open_store

    settings = load(options)
    check_store(settings)
    with open_store(settings).opened() as store:
        store.migrate()
    click.echo(f"The store in {settings.store} is up to date.")


@click.command()
def openapi() -> None:
    """Print the API's OpenAPI document."""
    import json

    from celeriac.bootstrap.serving import describe_api

    click.echo(json.dumps(describe_api(), indent=2, sort_keys=True))


@click.command()
@settings_options
@click.option("--snapshot", type=click.Path(path_type=Path), help="Judge this snapshot, offline.")
@click.option("--save", type=click.Path(path_type=Path), help="Look at the cluster once and store the snapshot here.")
@click.option("--cluster", help="The cluster to look at, if there are several.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(snapshot: Path | None, save: Path | None, cluster: str | None, *, as_json: bool, **options: Any) -> None:
    """Say what the keeper would do and why, from a snapshot or from one look; nothing is touched."""
    from celeriac.cli.plan import explain, looked_at, stored

    moment = stored(snapshot) if snapshot else looked_at(load(options), cluster)
    if save:
        from celeriac.core.offline import dump

        save.write_bytes(dump(moment))
    explain(moment, as_json=as_json)


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="The emulator's file; see the docs.")
@click.option(
    "--manifest",
    "manifests",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Start the apps of this manifest, too.",
)
@click.option("--var", "pairs", multiple=True, metavar="NAME=VALUE", help="A value for ((NAME)) in manifests.")
@click.option("--vars-file", "files", type=click.Path(path_type=Path), multiple=True, help="YAML file of such values.")
@click.option("--port", type=int, help="Overrides the file's port; 0 takes a free one.")
def emulator(
    config: Path | None, manifests: tuple[Path, ...], pairs: tuple[str, ...], files: tuple[Path, ...], port: int | None
) -> None:
    """Run a local Cloud Foundry whose instances are real processes, for demonstrations and tests."""
    from celeriac.emulator import EmulatorConfigError, Manifest, read_variables, serve

    if config is None and not manifests:
        raise SettingsError("Name what to run: the emulator's own file with --config, or a manifest with --manifest.")
    try:
        variables = read_variables(pairs, files)
        serve(config, [Manifest(path, variables) for path in manifests], port=port)
    except EmulatorConfigError as error:
        raise SettingsError(str(error)) from None


@click.command()
@click.option("--port", type=int, help="The console's port; without it 5555, and a free one for --check.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep everything in this directory, and keep it.")
@click.option("--no-breaks", is_flag=True, help="Break nothing.")
@click.option("--check", is_flag=True, help="Kill one worker, freeze another, wait for the proof, and exit.")
@click.option(
    "--broker", type=click.Choice(["redis", "amqp"]), default="redis", show_default=True, help="On Redis or RabbitMQ."
)
def demo(port: int | None, data: Path | None, *, no_breaks: bool, check: bool, broker: str) -> None:
    """Run a whole cluster on this machine, break it now and then, and watch Celeriac heal it."""
    from celeriac.demo.show import run

    sys.exit(run(port=port, data=data, breaks=not no_breaks, check=check, broker=broker))
