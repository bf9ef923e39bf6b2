"""The documentation says what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
HEADINGS = ["Status", "Context", "Decision", "Consequences", "What would change our mind"]


def test_the_generated_reference_matches_the_code():
    check = [sys.executable, str(ROOT / "scripts" / "reference"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_one_form(decision):
    assert re.findall(r"^## (.*)$", decision.read_text(), re.MULTILINE) == HEADINGS


def test_decisions_are_numbered_without_a_gap_and_listed():
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))

    index = (DOCS / "decisions" / "index.md").read_text()

    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page not in DECISIONS]

    assert [page for page in pages if page not in navigation] == []


def test_every_explanation_is_linked_from_the_first_pages():
    for first, below in ((ROOT / "README.md", "docs/"), (DOCS / "index.md", "")):
        linked = first.read_text()
        missing = [
            page.name
            for page in (DOCS / "explanation").glob("*.md")
            if f"({below}explanation/{page.name})" not in linked
        ]

        assert missing == [], first


def test_every_command_that_pages_name_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    named = {target for page in pages for target in re.findall(r"`make ([a-z-]+)", page.read_text())}

    assert named <= targets
