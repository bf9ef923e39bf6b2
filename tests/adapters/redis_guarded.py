"""A real Redis behind a real Sentinel, and one that speaks TLS only."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

import harness
from celeriac.processes import running, spawn

MASTER = "orders-master"


@dataclass(frozen=True)
class Guarded:
    """One Redis and the port of the Sentinel that knows where it is."""

    redis: harness.Redis
    port: int

    @property
    def url(self) -> str:
        return f"sentinel://127.0.0.1:{self.port}"


@contextlib.contextmanager
def sentinel_running(folder: Path, master: harness.Redis) -> Iterator[Guarded]:
    """Run a Sentinel that watches this Redis."""
    program, port = harness.need_redis(), harness.free_port()
    config = folder / "sentinel.conf"
    config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor {MASTER} 127.0.0.1 {master.port} 1\n")
    log = folder / "sentinel.log"
    with log.open("ab") as out:
        child = spawn([program, str(config), "--sentinel"], name=f"sentinel:{port}", stdout=out, stderr=out)
    with running(child, grace=5), redis.Redis(port=port, socket_timeout=1) as look:

        def knows() -> bool:
            with contextlib.suppress(redis.RedisError):
                return MASTER in look.sentinel_masters()
            return False

        harness.wait_until(knows, 10, "the Sentinel knows its master", dump=log.read_text)
        yield Guarded(master, port)


@contextlib.contextmanager
def tls_redis_running(folder: Path) -> Iterator[str]:
    """Run a Redis that speaks TLS only; give its URL, which names the authority of its certificate."""
    openssl = harness.need("openssl")
    certificate, key = folder / "redis.pem", folder / "redis.key"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            *name,
            "-out",
            certificate,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    port = harness.free_port()
    options = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with harness.redis_running(folder / "tls", options=(*options, "--tls-auth-clients", "no")):
        yield f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
