"""Rules of the house that no other tool checks."""

import re
from pathlib import Path

import pytest

import celeriac

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "celeriac"
VENDOR = SOURCE / "web" / "static" / "vendor"
MODULES = sorted(SOURCE.rglob("*.py"))
TEMPLATES = sorted(SOURCE.rglob("*.html"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
LOCKS = [
    *sorted((ROOT / "requirements").glob("*.txt")),
    ROOT / "package-lock.json",
    ROOT / "tests" / "standin" / "package-lock.json",
]

MOST_LINES = 300
LONGER = {
    # module: why it may be longer
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
LEFT_UNDONE = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]))

# The console forbids inline script and style to the browser, and htmx must not evaluate text.
INLINE = {
    "a style attribute": r"<[^>]*\sstyle\s*=",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an inline style sheet": r"<style",
    "an inline handler": r"<[^>]*\s(on[a-z]+|hx-on[^=\s]*)\s*=",
    "evaluated text": r"""["']\s*(js|javascript):""",
    "a trigger filter": r"""hx-trigger\s*=\s*["'][^"']*\[""",
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_too_long_to_read_in_one_sitting():
    long = {named(path) for path in MODULES if len(path.read_text().splitlines()) > MOST_LINES}

    assert long == set(LONGER)


def test_nothing_is_left_undone():
    places = [*MODULES, *TEMPLATES, *TESTS, *SCRIPTS, ROOT / "build_hook.py", ROOT / "Makefile"]

    assert [named(path) for path in places if LEFT_UNDONE.search(path.read_text())] == []


def test_names_say_what_a_module_holds():
    assert [named(path) for path in [*MODULES, *TESTS] if path.stem.strip("_") in SAYS_NOTHING] == []


def test_every_module_says_what_it_holds():
    silent = [path for path in MODULES if path.read_text().strip() and not path.read_text().lstrip().startswith('"""')]

    assert [named(path) for path in silent] == []


@pytest.mark.parametrize("lock", LOCKS, ids=named)
def test_a_lock_pins_contents_and_names_no_host(lock):
    text = re.sub(r'"funding": (\{[^}]*\}|\[[^]]*\])', "", lock.read_text())  # npm notes who may be given money

    assert re.findall(r'https?://\S+|"resolved"|--(?:extra-)?index-url|--find-links', text) == []


def test_the_changelog_begins_with_this_version():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == celeriac.__version__


@pytest.mark.parametrize("wrong", INLINE)
def test_templates_hold_nothing_that_the_browser_refuses(wrong):
    assert [named(path) for path in TEMPLATES if re.search(INLINE[wrong], path.read_text(), re.IGNORECASE)] == []


def test_tests_wait_for_a_condition_and_never_for_a_time():
    waiting = {path.name for path in TESTS if re.search(r"\bsleep\(", path.read_text())}

    assert waiting == {"harness.py"}


def test_what_is_decoded_from_threads_has_its_decoder_made_at_import():
    """Of `decode(..., type=...)` msgspec learns the type at the first call, and a second thread there ends the process."""
    named_at_once = re.compile(r"(?<!with _SHAPES:\n)^.*\bdecode\(.*type=", re.MULTILINE)
    lone = re.compile(r"msgspec\.convert\(")
    asked_alone = {"src/celeriac/cli/doctor.py", "src/celeriac/adapters/control.py"}

    assert [named(path) for path in MODULES if named_at_once.search(path.read_text())] == []
    assert {named(path) for path in MODULES if lone.search(path.read_text())} == asked_alone


def test_third_party_files_are_not_committed():
    assert "/src/celeriac/web/static/vendor/" in (ROOT / ".gitignore").read_text().splitlines()
    assert [named(path) for path in SOURCE.rglob("*.min.*") if VENDOR not in path.parents] == []
