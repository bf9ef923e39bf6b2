"""`[console]`: which addresses fit together with which sign-on."""

import pytest
from click.testing import CliRunner

from celeriac.cli import main, run
from celeriac.core.errors import SettingsError
from celeriac.settings import read

FILE = '[[cluster]]\nname = "a"\nbroker = "redis://127.0.0.1:1"\n'


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CELERIAC_CONSOLE__HOST": "0.0.0.0", "CELERIAC_ACCESS__SIGN_ON": "none"}, "there is no sign-on"),  # noqa: S104 (refused)
        ({"CELERIAC_HOST": "::", "CELERIAC_ACCESS__SIGN_ON": "users", "CELERIAC_ACCESS__USERS": "u"}, "public_url"),
        ({"CELERIAC_CONSOLE__TLS_CERT": "c.pem"}, "tls_cert and tls_key belong together"),
        ({"CELERIAC_CONSOLE__ROOT_PATH": "celeriac/"}, "console.root_path"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, variables, said):
    path = tmp_path / "celeriac.toml"
    path.write_text(FILE)

    with pytest.raises(SettingsError, match=said):
        read(path, {}, variables)


@pytest.mark.parametrize(
    "setting",
    [
        'public_url = "https://c.example.com"',
        'allowed_hosts = ["localhost", "c.example.com"]',
        'trusted_proxies = ["127.0.0.1"]',
    ],
)
def test_a_proxy_before_a_console_without_sign_on_is_refused(tmp_path, setting):
    path = tmp_path / "celeriac.toml"
    path.write_text(f"{FILE}[console]\n{setting}\n")

    with pytest.raises(SettingsError, match=rf"console\.{setting.split()[0]} tells of a proxy .* no sign-on"):
        read(path, {}, {})


@pytest.mark.parametrize("more", ["", '[access]\nsign_on = "users"\nusers = "u"\n'])
def test_a_console_of_this_machine_alone_needs_no_sign_on_and_one_behind_a_proxy_has_one(tmp_path, more):
    path = tmp_path / "celeriac.toml"
    own = 'public_url = "http://localhost:8080"\nallowed_hosts = ["LOCALHOST:8080", "[::1]:80", "::1", "127.0.0.1"]\n'
    led = 'public_url = "https://c.example.com"\ntrusted_proxies = ["127.0.0.1"]\n'
    path.write_text(f"{FILE}[console]\n{led if more else own}{more}")

    assert read(path, {}, {}).console.host == "127.0.0.1"


def test_an_audience_that_id_tokens_have_is_refused(tmp_path):
    path = tmp_path / "celeriac.toml"
    path.write_text(
        f'{FILE}[console]\npublic_url = "https://c.example"\n[access]\nsign_on = "oidc"\n[access.oidc]\n'
        'issuer = "https://i.example"\nclient_id = "celeriac"\nclient_secret = "x"\napi_audience = "celeriac"\n'
        '[[access.grant]]\ngroup = "a"\nrole = "admin"\n'
    )
    with pytest.raises(SettingsError, match="api_audience is the client_id"):
        read(path, {}, {})
    path.write_text(path.read_text().replace('audience = "celeriac"', 'audience = "celeriac-api"'))
    assert read(path, {}, {}).access.oidc


def test_other_sites_pages_need_a_sign_on(tmp_path):
    path = tmp_path / "celeriac.toml"
    path.write_text(f'{FILE}[console]\ncors_origins = ["https://dash.example"]\n')

    with pytest.raises(SettingsError, match="cors_origins lists pages of other sites and there is no sign-on"):
        read(path, {}, {})


def test_the_flags_of_serve_reach_the_settings_and_every_role(tmp_path, monkeypatch):
    path = tmp_path / "celeriac.toml"
    path.write_text(FILE)
    seen = []
    monkeypatch.setattr(run, "serve_all", lambda settings, options, _: seen.append((settings, options)))
    monkeypatch.setattr(run, "spawn", lambda argv, **_: argv)
    flags = ["--tls-cert", "c.pem", "--tls-key", "k.pem", "--root-path", "/celeriac", "--users", "users.toml"]

    told = CliRunner().invoke(main, ["serve", "--config", str(path), "--store", str(tmp_path / "s"), *flags])

    assert told.exit_code == 0, told.output
    settings, options = seen[0]
    assert settings.console.address == "https://127.0.0.1:5555/celeriac"
    assert settings.access.sign_on == "users"
    assert {*flags} <= {*run._starter(options, "serve", "--only", "console")()}
    assert {*flags} <= {*run._starter(options, "migrate")()}
