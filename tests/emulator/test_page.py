"""The reference page names every key and every call."""

import re
from pathlib import Path

import pytest

from celeriac.emulator import EmulatorConfigError, load
from celeriac.emulator.app import PARTS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "emulator.md").read_text()
EXAMPLE = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL).group(1)


def test_the_example_is_a_configuration(tmp_path):
    path = tmp_path / "emulator.toml"
    path.write_text(EXAMPLE)
    config = load(path)

    assert [app.name for app in config.apps] == ["shop", "mail"]
    assert [process.type for process in config.apps[1].processes] == ["worker", "beat"]


@pytest.mark.parametrize(
    "least",
    [
        "",
        "[tokens]",
        '[[users]]\nname = "x"\npassword = "x"',
        '[[clients]]\nid = "x"\nsecret = "x"',
        '[[apps]]\nname = "x"\ncommand = "x"',
        '[[organizations]]\nname = "x"',
        '[[spaces]]\nname = "x"',
        '[[faults]]\nkind = "quota"',
    ],
)
def test_the_example_has_every_key(tmp_path, least):
    path = tmp_path / "emulator.toml"
    path.write_text(f"{least}\nunheard = 1")
    with pytest.raises(EmulatorConfigError, match="use one of") as caught:
        load(path)
    keys = str(caught.value).rpartition("use one of ")[2].split(", ")

    assert [key for key in keys if not re.search(rf"^\s*\[*(apps\.)?{key}(\]| =)", EXAMPLE, re.MULTILINE)] == []


def test_the_page_lists_every_call():
    calls = {f"`{method} {route.path}`" for part in PARTS for route in part.router.routes for method in route.methods}

    assert {call for call in calls if call not in PAGE} == set()
    assert calls == set(re.findall(r"`(?:GET|POST|PUT|PATCH|DELETE) [^`]+`", PAGE))
