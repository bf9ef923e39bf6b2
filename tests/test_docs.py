"""The documentation says what the code does."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from celeriac import settings
from celeriac.core.access import Identity, Role, granted

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


def example(page, title):
    """Return the example of a page that has this title."""
    blocks = re.findall(rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```$', page.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def test_the_settings_for_pingfederate_are_settings(tmp_path):
    (tmp_path / "celeriac.toml").write_text(example(DOCS / "how-to" / "pingfederate.md", "celeriac.toml"))

    made = settings.read(tmp_path / "celeriac.toml", environ={"CELERIAC_ACCESS__OIDC__CLIENT_SECRET": "made-up"})

    table = made.access.rules()
    admins = Identity("ada", ("CN=celeriac-admins,OU=Groups,DC=corp,DC=example",))
    oncall = Identity("rob", ("CN=Shop-Oncall,OU=Groups,DC=corp,DC=example", "all-developers"))
    assert [one.role for one in granted(table, admins)] == [Role.ADMIN]
    assert [one.role for one in granted(table, oncall)] == [Role.RESPONDER, Role.VIEWER]
    assert granted(table, Identity("bot", client="nightly-report"))[0].clusters == ("shop",)


def test_the_route_on_cloud_foundry_has_settings_that_fit(tmp_path):
    page, deployed = DOCS / "how-to" / "deploy-on-cloudfoundry.md", ROOT / "deploy" / "cloudfoundry"
    (app,) = yaml.safe_load((deployed / "manifest.yml").read_text())["applications"]
    routed = yaml.safe_load(example(page, "manifest.yml"))
    path = tmp_path / "celeriac.toml"
    path.write_text(f"{(deployed / 'celeriac.toml').read_text()}\n{example(page, 'celeriac.toml')}")
    environ = {**app["env"], **routed["env"], "CELERIAC_PLATFORM__CF__API": "https://api.example.com", "PORT": "8080"}
    broker = {"name": "shop-broker", "credentials": {"uri": "redis://10.0.0.1:6379"}, "tags": ["redis"]}
    environ |= {"VCAP_APPLICATION": "{}", "VCAP_SERVICES": json.dumps({"p.redis": [broker]})}

    made = settings.read(path, environ=environ)

    assert routed["routes"] == [{"route": made.console.public_url.removeprefix("https://")}]
    assert (made.console.host, made.console.port) == ("0.0.0.0", 8080)  # noqa: S104 (compared with)
    assert made.access.oidc.client_secret.get_secret_value() == "((oidc_client_secret))"
    assert (app["no-route"], "CELERIAC_HOST" in app["env"]) == (True, False)


def test_the_libraries_for_flower_are_those_of_its_environment():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    page = (DOCS / "how-to" / "flower-with-pingfederate.md").read_text()
    own = [one for one in groups["flower"] if re.split("[<>=[]", one)[0] not in {"flower", "celery", "redis"}]

    assert len(own) == 4
    assert [one for one in own if f"'{one}'" not in page] == []


def test_what_security_names_is_there():
    page = (DOCS / "explanation" / "security.md").read_text()
    named = set(
        re.findall(r"`((?:tests|core|app|adapters|web|oidc|settings|bootstrap|contrib|cli)/[\w/.]+\.py)`", page)
    )

    assert len(named) > 20
    assert [one for one in named if not (ROOT / one).exists() and not (ROOT / "src" / "celeriac" / one).exists()] == []
