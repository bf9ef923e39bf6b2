"""The result backend, through Celery's own interface: what real workers have stored in a real Redis, and a database."""

import threading
import time

import pytest
import redis
import sqlalchemy as sa
from celery import Celery

import harness
from adapters.redis_guarded import MASTER, sentinel_running
from celeriac.adapters.celery_results import CeleryResults
from celeriac.adapters.redis_client import close
from celeriac.core.errors import RefusedError, UnreachableError

LONG_S = 60.0


def app(url, **conf):
    """Return an application that stores results there, as a worker of it would."""
    one = Celery("shop", backend=url, set_as_current=False)
    one.conf.update({"result_expires": None, **conf})  # with a time Celery calls what redis-py will remove
    return one


def store(url, **conf):
    """Store a result in each state."""
    backend = app(url, **conf).backend
    backend.mark_as_done("good", {"total": 7})
    backend.mark_as_failure("bad", ValueError("the card was declined"))
    backend.mark_as_revoked("revoked", "revoked")
    backend.mark_as_started("runs")
    backend.mark_as_retry("again", ValueError("not yet"))


EVERY = ["good", "bad", "revoked", "runs", "again", "unheard-of"]
ENDED = {"good", "bad", "revoked"}


def test_what_has_a_result_or_a_failure_has_ended(redis_server):
    store(redis_server.url)

    assert CeleryResults(redis_server.url).ended(EVERY) == ENDED


def test_a_sentinel_tells_where_redis_is(redis_server, tmp_path):
    store(redis_server.url)
    with sentinel_running(tmp_path, redis_server) as guard:
        results = CeleryResults(f"{guard.url}/0?master_name={MASTER}")
        assert results.ended(EVERY) == ENDED
        close(results._app.backend.client)  # Celery leaves those to the Sentinel open for as long as the process runs


def test_a_database_is_read_as_well_and_nothing_is_changed_in_it(tmp_path):
    url = f"db+sqlite:///{tmp_path}/results.db"
    store(url)
    engine = sa.create_engine(url.removeprefix("db+"))
    before = sa.inspect(engine).get_table_names()

    assert CeleryResults(url).ended(EVERY) == ENDED
    assert sa.inspect(engine).get_table_names() == before
    engine.dispose()


def test_a_database_without_results_gets_no_tables(tmp_path):
    url = f"db+sqlite:///{tmp_path}/empty.db"
    with pytest.raises(UnreachableError, match=r"^the result backend cannot be read: OperationalError$"):
        CeleryResults(url).ended(EVERY)
    engine = sa.create_engine(url.removeprefix("db+"))

    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_what_a_real_worker_has_run_has_ended(workers):
    """One task has ended, one runs: its state STARTED is stored, and it has not."""
    url = f"{workers.redis.url[:-1]}1"
    workers.start("done-0", "-c", "2", queues="reports")
    shop = Celery(broker=workers.redis.url, set_as_current=False)
    shop.send_task("reports.render", (0.0,), queue="reports", task_id="short")
    shop.send_task("reports.render", (LONG_S,), queue="reports", task_id="long")
    results = CeleryResults(url)

    harness.wait_until(lambda: results.ended(["short"]), 20, "the short one has ended")
    harness.wait_until(lambda: app(url).backend.get_state("long") == "STARTED", 20, "the long one has begun")
    assert results.ended(["short", "long"]) == {"short"}


def test_without_a_task_nobody_is_asked(free_port):
    assert CeleryResults(f"redis://127.0.0.1:{free_port()}/0").ended([]) == frozenset()


def test_a_backend_that_is_away_is_unreachable_and_its_password_is_not_told(free_port):
    with pytest.raises(UnreachableError, match=r"^the result backend cannot be read: ") as caught:
        CeleryResults(f"redis://:hunter2@127.0.0.1:{free_port()}/0").ended(["t1"])

    assert "hunter2" not in str(caught.value)


def test_a_backend_that_does_not_answer_is_given_up_in_time(redis_server):
    results = CeleryResults(redis_server.url, timeout=0.5)
    results.ended(["t1"])
    harness.freeze(redis_server.child.pid)
    begun = time.monotonic()
    with pytest.raises(UnreachableError):
        results.ended(["t1"])

    assert time.monotonic() - begun < 5


def test_a_question_has_an_end_though_each_answer_comes(redis_server):
    store(redis_server.url)

    assert CeleryResults(redis_server.url, within=0.0).ended(["unheard-of"] * 1000 + ["good"]) == frozenset()


def test_a_library_that_is_not_there_is_said():
    with pytest.raises(RefusedError, match="check the setting result_backend, and that its library is installed"):
        CeleryResults("couchdb://somewhere/results").ended(["t1"])
    for url in ("nonsense://somewhere", "rediss://:hunter2@somewhere/0"):  # the latter lacks its ssl_cert_reqs
        with pytest.raises(RefusedError, match="check the setting result_backend") as caught:
            CeleryResults(url).ended(["t1"])
        assert "hunter2" not in str(caught.value)


def test_pickle_is_not_read(redis_server):
    store(redis_server.url, result_serializer="pickle", accept_content=["pickle", "json"])
    with pytest.raises(RefusedError, match="only those in JSON can"):
        CeleryResults(redis_server.url).ended(["good"])


def test_what_is_no_result_of_celerys_has_not_ended(redis_server):
    raw = redis.Redis.from_url(redis_server.url)
    raw.set("celery-task-meta-odd", b"\xff{")
    raw.set("celery-task-meta-evil", b'{"status": "FAILURE", "result": {"exc_module": "os", "exc_type": "system"}}')
    raw.set("celery-task-meta-bare", b"{}")

    store(redis_server.url)

    assert CeleryResults(redis_server.url).ended(["odd", "evil", "bare", "good"]) == {"good"}


def test_threads_may_ask_at_once(redis_server):
    store(redis_server.url)
    results, said = CeleryResults(redis_server.url), []
    threads = [threading.Thread(target=lambda: said.append(results.ended(EVERY))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)

    assert said == [ENDED] * 4
