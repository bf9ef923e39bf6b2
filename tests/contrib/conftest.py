import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

import harness
from celeriac.processes import running, spawn
from contrib.flowers import Flower
from standin.provider import SECRET, Provider

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-flower" / "bin" / "python"

TABLE = """
[access]
sign_on = "oidc"

[access.oidc]
issuer = "{issuer}"
client_id = "celeriac"
name_claims = ["email"]

[access.session]
longest = {longest}

[[access.grant]]
group = "celeriac-admins"
role = "admin"
payloads = true

[[access.grant]]
group = "celeriac-responders"
role = "responder"

[[access.grant]]
group = "celeriac-viewers"
role = "viewer"
payloads = true
"""


@pytest.fixture
def start_flower(redis_server: harness.Redis, provider: Provider, tmp_path: Path) -> Iterator[Callable[..., Flower]]:
    """Start Flowers with the table of roles above; `changed` is their environment."""
    if not PYTHON.exists():
        harness.absent(".venv-flower (`make test` installs it)")
    with contextlib.ExitStack() as stack:

        def start(
            *flags: str, longest: float = 3600.0, auth: str = ".*@celeriac", prefix: str = "", **changed: str
        ) -> Flower:
            port = harness.free_port()
            url = f"http://127.0.0.1:{port}{prefix}"
            provider.config(redirectUris=[f"{url}/login"])
            settings, log = tmp_path / f"celeriac-{port}.toml", tmp_path / f"flower-{port}.log"
            settings.write_text(TABLE.format(issuer=provider.issuer, longest=longest))
            environment = os.environ | {
                "PYTHONPATH": str(ROOT / "src"),
                "CELERIAC_CONFIG": str(settings),
                "CELERIAC_ACCESS__OIDC__CLIENT_SECRET": SECRET,
            }
            command = [str(PYTHON), "-m", "celery", "-b", redis_server.url, "flower", "--address=127.0.0.1"]
            command += [f"--port={port}", f"--auth={auth}", f"--oauth2_redirect_uri={url}/login", *flags]
            command += [f"--url_prefix={prefix}"] if prefix else []
            command += ["--auth_provider=celeriac.contrib.flower_ping.login.LoginHandler"]
            with log.open("ab") as out:
                child = spawn(command, name=f"flower:{port}", env=environment | changed, stdout=out, stderr=out)
            stack.enter_context(running(child, grace=5))
            harness.wait_until(lambda: child.poll() is not None or _up(url), 30, "Flower answers", dump=log.read_text)
            assert child.poll() is None, log.read_text()
            return Flower(url, log)

        yield start


@pytest.fixture
def flower(start_flower: Callable[..., Flower]) -> Flower:
    return start_flower()


def _up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthcheck", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
