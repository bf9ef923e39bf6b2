"""What scripts/real-cf makes of the `cf` that it finds; a stand-in says what `cf` would say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "real-cf"
STAND_IN = """#!{python} -I
import os, pathlib, sys, urllib.request
command = sys.argv[1]
with open({log!r}, "a") as log:
    print(*sys.argv[1:], os.environ["CF_HOME"], file=log)
if command == "api":
    print(urllib.request.urlopen(sys.argv[2] + "/v3").status, sys.argv[2])
if command == {refused!r}:
    print("Something is amiss.", file=sys.stderr)
    sys.exit(1)
if command != {silent!r}:
    print("version OK demo dev shop mail worker 2/2 /3 GREETING the tills are open")
    print("audit.app.process.terminate_instance audit.app.process.scale")
"""


@pytest.fixture
def real_cf(tmp_path):
    """Run the script with a stand-in of which one command fails, or says nothing."""
    log = tmp_path / "log"

    def run(*, refused="", silent=""):
        stand_in = tmp_path / "cf"
        stand_in.write_text(STAND_IN.format(python=sys.executable, log=str(log), refused=refused, silent=silent))
        stand_in.chmod(0o755)
        done = script(f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return done.returncode, done.stdout.splitlines(), log.read_text().splitlines()

    return run


def script(path):
    env = os.environ | {"PATH": str(path)}
    return subprocess.run([sys.executable, SCRIPT], env=env, capture_output=True, text=True, timeout=50, check=False)


def test_without_cf_one_sentence_says_where_it_is_to_be_had(tmp_path):
    done = script(tmp_path)

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "https://github.com/cloudfoundry/cli/releases" in done.stderr


def test_it_passes_if_all_commands_do(real_cf):
    code, lines, log = real_cf()

    assert code == 0
    assert [line.split()[:3:2] for line in lines[1:]] == [["ok", each.split()[0]] for each in log]
    assert [each.split()[0] for each in log] == [
        *("version", "api", "auth", "target", "apps", "app", "restart-app-instance", "logs", "scale", "events", "env")
    ]
    [home] = {each.split()[-1] for each in log}
    assert home != os.environ.get("HOME")
    assert not Path(home).exists()


def test_one_command_that_fails_fails_the_whole_and_the_others_still_run(real_cf):
    code, lines, log = real_cf(refused="scale")

    assert (code, len(log)) == (1, 11)
    assert [line for line in lines if "FAILED" in line] == [
        "  FAILED  cf scale shop --process worker -i 3: ended with 1"
    ]
    assert "            Something is amiss." in lines


def test_a_command_that_ends_well_but_does_not_say_what_it_did_fails_too(real_cf):
    code, lines, _ = real_cf(silent="events")

    assert code == 1
    assert [line for line in lines if "FAILED" in line] == [
        "  FAILED  cf events shop: does not say 'audit.app.process.terminate_instance', 'audit.app.process.scale'"
    ]
