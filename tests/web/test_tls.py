"""TLS from end to end: a certificate of a private CA, our client, and the real server."""

import datetime as dt
import shutil
import socket
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner

from celeriac.cli import main
from celeriac.client import Celeriac, ClientError
from celeriac.core.errors import SettingsError
from celeriac.web.certificate import Certificate
from web.certificates import DAY, Authority
from web.serving import serving


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


def shown(console, authority, version: ssl.TLSVersion | None = None) -> bytes | None:
    """Return the certificate that a handshake is given."""
    trusting = ssl.create_default_context(cafile=authority.file)
    if version:
        trusting.minimum_version = trusting.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", console.port), timeout=5) as raw,
        trusting.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        return connection.getpeercert(binary_form=True)


def test_the_client_reads_through_tls(world, authority):
    cert, key = authority.give()
    with serving(world, tls_cert=cert, tls_key=key) as console:
        with Celeriac(console.url, ca_file=authority.file) as client:
            assert len(client.clusters()) == 2
        run = CliRunner().invoke(main, ["workers", "--url", console.url, "--ca-file", str(authority.file)])
        assert run.exit_code == 0, run.output
        by_variable = {"CELERIAC_CA_FILE": str(authority.file), "CELERIAC_URL": console.url}
        assert CliRunner().invoke(main, ["workers"], env=by_variable).exit_code == 0


def test_a_certificate_that_does_not_fit_is_told_in_a_sentence(world, authority, tmp_path):
    cert, key = authority.give()
    with serving(world, tls_cert=cert, tls_key=key) as console:  # noqa: SIM117 (the console outlives the client)
        with Celeriac(console.url) as client, pytest.raises(ClientError, match=r"is not taken: .* --ca-file"):
            client.clusters()
    other, its_key = authority.give("other", address="127.0.0.2")
    with serving(world, tls_cert=other, tls_key=its_key) as console:  # noqa: SIM117 (the console outlives the client)
        with Celeriac(console.url, ca_file=authority.file) as client, pytest.raises(ClientError, match="is not taken"):
            client.clusters()
    with pytest.raises(ClientError, match="cannot be read: No such file"):
        Celeriac(ca_file=tmp_path / "none.pem")
    with pytest.raises(ClientError, match="holds no certificate"):
        Celeriac(ca_file=key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_of_tls_are_spoken(world, authority, version):
    cert, key = authority.give()
    with serving(world, tls_cert=cert, tls_key=key) as console:
        assert shown(console, authority, version)


def test_old_versions_of_tls_are_not_spoken(authority):
    assert Certificate(*authority.give()).context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_plain_http_on_the_port_does_no_harm(world, authority, caplog):
    cert, key = authority.give()
    with serving(world, tls_cert=cert, tls_key=key) as console:
        with socket.create_connection(("127.0.0.1", console.port), timeout=5) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" not in raw.recv(1000)
        assert shown(console, authority)
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


def test_a_renewed_certificate_needs_no_restart(world, authority, monkeypatch, caplog):
    caplog.set_level("INFO")
    cert, key = authority.give()
    monkeypatch.setattr(Certificate.__init__, "__defaults__", (*Certificate.__init__.__defaults__[:-1], 0.0))
    with serving(world, tls_cert=cert, tls_key=key) as console:
        first = shown(console, authority)
        new, its_key = authority.give("new")

        shutil.copy(new, cert)
        assert shown(console, authority) == first  # its key has not come yet
        assert "goes on with its old certificate" in caplog.text
        shutil.copy(its_key, key)
        second = shown(console, authority)
        key.unlink()

        assert second == ssl.PEM_cert_to_DER_cert(new.read_text())
        assert second != first
        assert shown(console, authority) == second


def unfit(authority: Authority, case: str, tmp_path: Path) -> tuple[Path, Path]:
    cert, key = authority.give()
    other, its_key = authority.give("other")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    return {
        "no certificate": (tmp_path / "none.pem", key),
        "no key": (cert, tmp_path / "none.key"),
        "junk": (junk, key),
        "junk key": (cert, junk),
        "other's key": (other, key),
        "swapped": (its_key, other),
        "expired": lambda: authority.give("old", begins=-2 * DAY, lasts=DAY),
        "to come": lambda: authority.give("young", begins=DAY, lasts=DAY),
        "locked": lambda: authority.give("locked", passphrase=b"secret"),
    }[case]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("no certificate", r"console\.tls_cert: .*none\.pem cannot be read: No such file"),
        ("no key", r"console\.tls_key: .*none\.key cannot be read"),
        ("junk", r"console\.tls_cert: .*holds no certificate"),
        ("junk key", r"console\.tls_key: .*holds no private key"),
        ("other's key", r"console\.tls_key: the key in .* is not that of the certificate"),
        ("swapped", r"console\.tls_cert: .*holds no certificate"),
        ("expired", r"console\.tls_cert: .* expired on \d{4}-"),
        ("to come", r"console\.tls_cert: .* not valid before"),
        ("locked", r"console\.tls_key: .* has a passphrase"),
    ],
)
def test_what_cannot_be_served_is_told_at_start(authority, tmp_path, case, said):
    pair = unfit(authority, case, tmp_path)
    with pytest.raises(SettingsError, match=said):
        Certificate(*(pair() if callable(pair) else pair))


def test_serve_names_the_setting(authority, tmp_path):
    cert, key = authority.give(begins=-2 * DAY, lasts=dt.timedelta(hours=1))
    settings = tmp_path / "celeriac.toml"
    settings.write_text('[[cluster]]\nname = "a"\nbroker = "redis://127.0.0.1:1"\n')
    flags = ["--store", str(tmp_path / "s"), "--tls-cert", str(cert), "--tls-key", str(key), "--port", "0"]
    run = CliRunner().invoke(main, ["serve", "--config", str(settings), *flags])

    assert run.exit_code
    assert "expired" in f"{run.output}{run.exception}"
