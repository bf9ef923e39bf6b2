"""What the login handler for Flower reads, who it lets in, and how long its cookies count."""

import msgspec
import pytest
from pydantic import BaseModel

from celeriac.contrib.flower_ping.cookie_keys import standing_keys, until_next
from celeriac.contrib.flower_ping.entry import check
from celeriac.contrib.flower_ping.settings import GrantRow, OidcTable, SessionTable, read
from celeriac.core.access import Identity, Role
from celeriac.core.errors import DeniedError, SettingsError
from celeriac.core.signon import SignedOn
from celeriac.settings.access import GrantSettings, OidcSettings, SessionSettings

OIDC = """
[access.oidc]
issuer = "https://sso.example.com"
client_id = "flower"
client_secret = "made-up"
"""


@pytest.fixture
def settings(tmp_path):
    """Return the environment of a Flower with a settings file."""

    def write(text, **environ):
        path = tmp_path / "celeriac.toml"
        path.write_text(text)
        return {"CELERIAC_CONFIG": str(path), **environ}

    return write


def grant(group, role, **more):
    lines = "".join(f"{name} = {str(value).lower() if value is True else value}\n" for name, value in more.items())
    return f'[[access.grant]]\ngroup = "{group}"\nrole = "{role}"\n{lines}'


def enters(environ, *groups, read_only=False):
    told = SignedOn(Identity("ada", groups), "ada", "2 groups in memberOf of the ID token")
    try:
        check(read(environ), told, read_only=read_only)
    except DeniedError:
        return False
    return True


@pytest.mark.parametrize(
    ("here", "there"), [(OidcTable, OidcSettings), (GrantRow, GrantSettings), (SessionTable, SessionSettings)]
)
def test_it_reads_what_the_console_reads(here: type[msgspec.Struct], there: type[BaseModel]):
    ours = {field.name: field.default for field in msgspec.structs.fields(here)}
    theirs = {name: field.default for name, field in there.model_fields.items() if name in ours}

    assert ours.keys() == theirs.keys()
    assert here is SessionTable or ours.keys() == there.model_fields.keys()
    for name, default in ours.items():
        if not there.model_fields[name].is_required():
            assert default == theirs[name], name


def test_the_secret_comes_by_the_environment_and_shows_nowhere(settings):
    environ = settings(OIDC, CELERIAC_ACCESS__OIDC__CLIENT_SECRET="of-the-environment")

    entry = read(environ)

    assert entry.registration.client_secret == "of-the-environment"
    assert "of-the-environment" not in repr(entry)


@pytest.mark.parametrize(
    ("text", "environ", "sentence"),
    [
        ("[access]", {}, "has no table"),
        ("[access", {}, "cannot be read"),
        (OIDC.replace("made-up", ""), {"CELERIAC_FLOWER_ROLE": "boss"}, "must be one of viewer, operator"),
        (OIDC.replace('client_secret = "made-up"', ""), {}, "client_secret is missing"),
        (OIDC + "secrets = 1", {}, "access.oidc: Object contains unknown field `secrets`"),
        (OIDC + grant("a", "boss"), {}, r"access.grant\[0\].role"),
        (OIDC.replace("https", "http"), {}, "must begin with https"),
        (OIDC + "[access.session]\nlongest = 1", {}, "between 10 seconds and 30 days"),
        (OIDC + grant("a", "admin", clusters=["x"]), {}, "name the one of Flower by CELERIAC_FLOWER_CLUSTER"),
        (OIDC + '[[cluster]]\nname = "x"\n', {"CELERIAC_FLOWER_CLUSTER": "y"}, "names no"),
    ],
)
def test_what_does_not_fit_is_said(settings, text, environ, sentence):
    with pytest.raises(SettingsError, match=sentence):
        read(settings(text, **environ))


def test_without_a_file_nobody_signs_on():
    with pytest.raises(SettingsError, match="CELERIAC_CONFIG names no file"):
        read({})


def test_what_is_wrong_is_said_without_the_secret(settings):
    with pytest.raises(SettingsError) as said:
        read(settings(OIDC + 'timeout = "made-up"'))

    assert "made-up" not in str(said.value)


def test_flower_takes_what_it_lets_people_do(settings):
    rows = [grant(role, role, payloads=True) for role in Role]
    environ = settings(OIDC + "".join(rows) + grant("plain", "admin"))

    assert [enters(environ, role) for role in Role] == [False, False, True, True]
    assert not enters(environ, "plain")
    assert not enters(environ)
    assert enters(environ, "viewer", read_only=True)
    assert not enters(environ | {"CELERIAC_FLOWER_ROLE": "responder"}, "viewer", read_only=True)
    assert not enters(environ | {"CELERIAC_FLOWER_ROLE": "admin"}, "responder")


def test_the_row_of_its_cluster_decides(settings):
    rows = grant("ops", "viewer", clusters=["paid"], payloads=True) + grant("ops", "admin", payloads=True)
    environ = settings(OIDC + rows + '[[cluster]]\nname = "paid"\n[[cluster]]\nname = "free"\n')

    assert enters(environ | {"CELERIAC_FLOWER_CLUSTER": "free"}, "ops")
    assert not enters(environ | {"CELERIAC_FLOWER_CLUSTER": "paid"}, "ops")


def test_of_one_cluster_no_name_is_needed(settings):
    rows = grant("ops", "viewer", clusters=["paid"], payloads=True) + grant("ops", "admin", payloads=True)
    environ = settings(OIDC + rows + '[[cluster]]\nname = "paid"\n')

    assert not enters(environ, "ops")


def test_who_may_less_in_one_app_does_not_come_in(settings):
    rows = grant("ops", "viewer", apps=["billing"]) + grant("ops", "admin", payloads=True)

    assert not enters(settings(OIDC + rows), "ops")


def test_a_grant_for_an_app_alone_lets_nobody_in(settings):
    environ = settings(OIDC + grant("ops", "admin", apps=["billing"], payloads=True))

    assert not enters(environ, "ops")


def test_a_key_counts_as_long_as_a_sign_on_may_last():
    keys, version = standing_keys("secret", 1_000_000.0, 12.0)

    assert version in standing_keys("secret", 1_000_010.9, 12.0)[0]
    assert version not in standing_keys("secret", 1_000_012.0, 12.0)[0]
    assert standing_keys("secret", 1_000_005.0, 12.0)[0][version] == keys[version]
    assert standing_keys("other", 1_000_000.0, 12.0)[0][version] != keys[version]
    assert len(set(keys.values())) == 12
    assert until_next(1_000_000.25, 12.0) == 0.75
