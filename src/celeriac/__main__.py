"""Runs the command line, and turns every error into one sentence and an exit code."""

import os
import signal
import sys

import click

from celeriac.cli import main as commands
from celeriac.core.errors import CeleriacError

WRONG = 2
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 2 for a usage or an error told in a sentence, 130 after Ctrl-C."""
    try:
        # A command's own exit code comes back as the value of `ctx.exit`.
        said = commands.main(arguments, prog_name="celeriac", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return WRONG
    except click.Abort:
        return INTERRUPTED
    except CeleriacError as error:
        click.echo(f"Error: {error}", err=True)
        return WRONG
    except BrokenPipeError:
        # The reader has gone (`| head`): what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return said if isinstance(said, int) else 0


if __name__ == "__main__":
    sys.exit(main())
