"""`celeriac user`: the users file from the command line."""

import json
import re
import stat
import tomllib

import pytest
from click.testing import CliRunner

from celeriac.adapters.passwords import Argon2Passwords
from celeriac.adapters.users_file import UsersFile
from celeriac.cli import main as root
from celeriac.core.access import Grant, Role

PASSWORD = "correct horse battery"
TWICE = f"{PASSWORD}\n{PASSWORD}\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "users.toml"


@pytest.fixture
def user(file):
    """Call `celeriac user VERB ... --file F`."""

    def calling(*arguments, typed=""):
        return CliRunner().invoke(root, ["user", *arguments, "--file", str(file)], input=typed)

    return calling


def add(user, name="ada", role="admin", *more, typed=TWICE):
    return user("add", name, "--role", role, *more, typed=typed)


def test_a_user_who_was_added_signs_on(user, file):
    said = add(user)

    assert (said.exit_code, said.output) == (0, f"ada is admin in all clusters, in {file}.\n")
    found = UsersFile(file).find("ada")
    assert found.grant == Grant(Role.ADMIN)
    assert Argon2Passwords().fits(PASSWORD, found.hash)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["users.toml"]


def test_clusters_apps_and_payloads(user, file):
    add(user)
    assert add(user, "bo", "operator", "--cluster", "shop", "--cluster", "mail", "--payloads").exit_code == 0
    assert add(user, "cy", "viewer", "--cluster", "shop", "--app", 'odd "app"\\\x7f').exit_code == 0

    people = UsersFile(file)
    assert people.find("bo").grant == Grant(Role.OPERATOR, ("shop", "mail"), payloads=True)
    assert people.find("cy").grant == Grant(Role.VIEWER, ("shop",), ('odd "app"\\\x7f',))


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["ada", "--role", "viewer"], TWICE, "ada is in .* already; --replace"),
        (["Ada", "--role", "viewer"], TWICE, "ada is in .* already; --replace"),
        (["ada", "--role", "viewer", "--replace"], TWICE, "nobody in it has the role admin"),
        (["ada", "--role", "admin", "--cluster", "a", "--replace"], TWICE, "nobody in it has the role admin"),
        (["bo", "--role", "viewer"], "eleven char\n" * 2, "at least 12"),
        (["bo", "--role", "viewer"], "x" * 1025 + "\n" + "x" * 1025 + "\n", "at most 1,024"),
        (["bo", "--role", "viewer"], "twelve chars\ntwelve Chars\n", "the two differ"),
        (["bo", "--role", "viewer"], "twelve chars\n", "the two differ"),
        (["b o", "--role", "viewer"], TWICE, "is no name"),
        (["bo\n", "--role", "viewer"], TWICE, "is no name"),
        (["x" * 65, "--role", "viewer"], TWICE, "is no name"),
        (["bo", "--role", "viewer", "--app", "a", "--payloads"], TWICE, "clusters only"),
    ],
)
def test_what_is_refused_changes_nothing(user, file, arguments, typed, said):
    add(user)
    before = file.read_bytes()
    failed = user("add", *arguments, typed=typed)

    assert failed.exit_code != 0
    assert re.search(said, str(failed.exception))
    assert file.read_bytes() == before
    assert PASSWORD not in str(failed.exception)


def test_the_first_must_be_an_admin(user, file):
    assert add(user, "bo", "viewer").exit_code != 0
    assert not file.exists()
    assert list(file.parent.iterdir()) == []


def test_replacing_changes_role_and_password(user, file):
    add(user)
    add(user, "bo", "viewer")
    assert add(user, "bo", "operator", "--replace", typed="another password\n" * 2).exit_code == 0

    found = UsersFile(file).find("bo")
    assert found.grant.role is Role.OPERATOR
    assert not Argon2Passwords().fits(PASSWORD, found.hash)


def test_the_list_shows_no_hash(user):
    add(user)
    add(user, "bo", "viewer", "--cluster", "shop")

    shown, data = user("list").output, user("list", "--json").output
    assert shown.split("\n")[1:3] == ["ada   admin in all clusters", "bo    viewer in cluster shop"]
    assert json.loads(data)[1] == {"name": "bo", "role": "viewer", "clusters": ["shop"], "apps": [], "payloads": False}
    assert "argon2" not in shown + data


def test_removing(user, file):
    add(user)
    add(user, "bo", "viewer")

    assert user("remove", "bo").exit_code == 0
    assert UsersFile(file).find("bo") is None
    assert "bo is not in" in str(user("remove", "bo").exception)
    assert "nobody in it has the role admin" in str(user("remove", "ada").exception)
    assert UsersFile(file).find("ada") is not None


def test_a_file_keeps_the_group_that_may_read_it(user, file):
    add(user)
    file.chmod(0o640)
    add(user, "bo", "viewer")

    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_to_a_file_stays_one(user, file, tmp_path):
    real = tmp_path / "elsewhere.toml"
    file.symlink_to(real)
    add(user)

    assert file.is_symlink()
    assert tomllib.loads(real.read_text())["user"][0]["name"] == "ada"


def test_a_hash_for_break_glass():
    said = CliRunner().invoke(root, ["user", "hash"], input=TWICE)

    assert said.output.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Argon2Passwords().fits(PASSWORD, said.output.strip())
