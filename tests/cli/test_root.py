"""The command line as a program: help, exit codes, pipes, Ctrl-C, colours."""

import os
import pty
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import celeriac
from celeriac import __main__ as program
from celeriac.cli import COMMANDS, SUMMARIES, main, tables
from celeriac.core.errors import SettingsError

PROGRAM = [sys.executable, "-m", "celeriac"]


def output(*arguments):
    return CliRunner().invoke(main, arguments).stdout


def test_help_has_one_sentence_a_command():
    text = output("--help")

    context = click.Context(main)
    assert set(SUMMARIES) == {name for name in COMMANDS if not main.get_command(context, name).hidden}
    for name, sentence in SUMMARIES.items():
        assert f"{name} " in text
        assert sentence in text
        assert sentence.endswith(".")
        assert sentence.count(".") == 1


def test_help_imports_no_command():
    code = (
        "import sys; from celeriac.cli import main; main(['--help'], standalone_mode=False);"
        "print([name for name in sys.modules if name.split('.')[0] in {'httpx2', 'fastapi', 'sqlalchemy', 'kombu'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name):
    context = click.Context(main)
    command = main.get_command(context, name)

    assert isinstance(command, click.Command)
    assert command.get_short_help_str()


@pytest.mark.parametrize(("typed", "said"), [("worker", " Did you mean 'workers'?"), ("writr", ""), ("wri", "")])
def test_what_is_proposed_for_a_wrong_name_is_never_a_hidden_command(typed, said):
    done = CliRunner().invoke(main, [typed])

    assert done.stderr.endswith(f"Error: No such command '{typed}'.{said}\n")


def test_version():
    assert output("--version") == f"celeriac {celeriac.__version__}\n"


def failing(error):
    @click.command()
    def fail():
        raise error

    return click.Group(commands={"fail": fail})


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SettingsError("The setting store: it is missing."), 2, "Error: The setting store: it is missing.\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.ClickException("No."), 2, "Error: No.\n"),
    ],
)
def test_an_error_is_one_sentence_and_a_code(monkeypatch, capsys, error, code, words):
    monkeypatch.setattr(program, "commands", failing(error))

    assert program.main(["fail"]) == code
    assert capsys.readouterr().err == words


def test_a_commands_own_exit_code_is_the_programs(monkeypatch):
    monkeypatch.setattr(program, "commands", failing(click.exceptions.Exit(1)))

    assert program.main(["fail"]) == 1


INTERRUPTED = """
import os, signal, sys
import click
from celeriac import __main__ as program

@click.command()
def work():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

signal.signal(signal.SIGINT, signal.default_int_handler)
program.commands = click.Group(commands={"work": work})
sys.exit(program.main(["work"]))
"""


def test_ctrl_c_ends_with_130_and_no_traceback():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stderr.strip()) == (130, "")


def test_a_reader_that_has_gone_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*PROGRAM, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)

    assert done.stderr == ""
    assert done.returncode != 0


@pytest.mark.parametrize(("variables", "painted"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_on_a_terminal_only_and_unless_unwanted(variables, painted):
    watching, terminal = pty.openpty()
    environment = {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, **variables}
    code = "from celeriac.cli.tables import paint; print(paint('hung'))"
    try:
        subprocess.run([sys.executable, "-c", code], stdout=terminal, env=environment, check=True)
        said = os.read(watching, 100)
    finally:
        os.close(watching)
        os.close(terminal)

    assert (b"\x1b[31m" in said) == painted


def test_a_pipe_gets_no_colours():
    assert tables.paint("hung") == "hung"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", "a  b c"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u2028b", "a b"),
        ("Grüße 東京 – fine", "Grüße 東京 – fine"),
        (None, ""),
        (0, "0"),
    ],
)
def test_control_characters_are_shown_not_obeyed(text, shown):
    assert tables.plain(text) == shown


def test_wide_signs_keep_columns_aligned():
    text = tables.table(("NAME", "N"), [("東京", 1), ("a", 2)], give=("NAME",), right=("N",))

    assert [tables.width(line) for line in text.splitlines()] == [7, 7, 7]


def test_a_pipe_is_never_cut(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)

    assert "x" * 500 in tables.table(("A", "B"), [("x" * 500, "y" * 500)], give=("A",))
