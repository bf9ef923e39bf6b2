"""What people read of an app, what is ordered for it, our rights, and each refusal in one sentence with its way out."""

import base64
import json
import ssl
import time
from email.utils import formatdate
from itertools import islice

import pytest

import harness
from adapters.emulated import SLEEPER, configured
from adapters.faulty_foundation import PAGE, ROOT, TOKEN, TOKENS, Answer
from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, Options, logcache
from celeriac.core.apps import Room, Variable
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.model import App
from celeriac.emulator import AppConfig, Emulator, ProcessConfig

SHOP = App("cf", "a", "shop", "STARTED")
LABEL = "app-autoscaler.cloudfoundry.org/disable-autoscaling"
SCALE = "/v3/apps/a/processes/worker/actions/scale"


def refusal(status, code, detail):
    return Answer(status, {"errors": [{"code": code, "title": "CF-X", "detail": detail}]})


def token(*scopes, **claims):
    part = base64.urlsafe_b64encode(json.dumps({"scope": scopes, **claims}).encode()).decode().rstrip("=")
    return TOKENS | {"access_token": f"e30.{part}.sig"}


@pytest.fixture
def scripted(foundation):
    foundation.script("/v3/organizations", {"resources": [{"guid": "o"}]})
    foundation.script("/v3/spaces", {"resources": [{"guid": "s"}]})
    foundation.script("/v3/apps/a", {"metadata": {"labels": {}}})
    return foundation


@pytest.fixture
def cloud(scripted, connect):
    options = Options(autoscaler=scripted.url)
    return CloudFoundry("cf", connect(scripted.url), org="demo", space="dev", selectors=["shop"], options=options)


def test_lines_are_told_of_their_process_and_index_and_followed(connect):
    """Of a real process: its newest lines, then those that come, each once and in order."""
    speaker = "n=0; while true; do n=$((n+1)); echo line $n; sleep 0.1; done"
    with Emulator(configured(AppConfig("shop", (ProcessConfig(speaker),)))) as emulator:
        session = connect(emulator.url, Credentials("platform.cf", username="ada", password="secret"))
        cloud = CloudFoundry("cf", session, org="demo", space="dev", selectors=["shop"])
        (app,) = cloud.apps()
        harness.wait_until(lambda: any("line 5" in one.text for one in cloud.records.lines(app, 50)), 10, "five lines")
        mine = [one for one in cloud.records.lines(app, 50) if one.source == "APP/PROC/WORKER"]
        assert {(one.process, one.index, one.stream) for one in mine} == {("worker", 0, "OUT")}

        followed, began = [], time.monotonic()
        for batch in cloud.records.follow(app, mine[0].at - 0.001):
            followed += [one.text for one in batch if one.source == "APP/PROC/WORKER"]
            if len(followed) >= 30:
                break
        assert followed[:30] == [f"line {n}" for n in range(1, 31)]
        assert time.monotonic() - began < 20
        first = next(iter(cloud.records.follow(app, time.time())))
        assert first == ()


def test_a_follower_outlasts_a_short_outage_of_log_cache(scripted, cloud):
    """Once it has answered its silence is waited out for half a minute; then it is an error, not an end."""
    clock = [1000.0]
    envelope = {"timestamp": "997000000000", "tags": {"source_type": "API"}, "log": {"payload": "aGk="}}
    busy, nothing, some = Answer(503, PAGE), {"envelopes": {"batch": []}}, {"envelopes": {"batch": [envelope]}}
    scripted.script("/api/v1/read/a", nothing, busy, busy, some, busy)

    def pass_(seconds):
        clock[0] += seconds

    following = logcache.follow(cloud._session, "a", 990.0, now=lambda: clock[0], sleep=pass_)
    assert [[one.text for one in batch] for batch in islice(following, 4)] == [[], [], [], ["hi"]]
    with pytest.raises(UnreachableError):
        for _ in following:
            pass
    assert 1030 < clock[0] < 1040
    starts = [int(one.query["start_time"]) for one in scripted.asked("/api/v1/read/a")]
    assert starts[:5] == [990_000_000_000] * 4 + [997_000_000_000]


def test_a_log_cache_that_never_answered_is_an_error_at_once(scripted, cloud):
    """Who begins to follow is not left waiting for lines that cannot come."""
    scripted.script("/api/v1/read/a", Answer(503, PAGE))

    with pytest.raises(UnreachableError):
        next(cloud.records.follow(SHOP, time.time() - 60))


def test_an_app_that_is_gone_is_not_one_without_events(scripted, cloud):
    """The API lists none of either; so the app is asked for, and the error says what may have become of it."""
    scripted.script("/v3/audit_events", {"resources": []})
    assert cloud.records.events(SHOP, 10) == ()
    scripted.script("/v3/apps/a", refusal(404, 10010, "App not found"))

    with pytest.raises(MissingError, match=r"App not found .*may have been deleted.*lost its role in space 'dev'"):
        cloud.records.events(SHOP, 10)


def lines_of(times, least=0):
    """Answer as log-cache, of which an answer of more than `least` lines is larger than it may be (4 MB)."""

    def answered(asked):
        query = asked.query
        limit, start, end = (int(query.get(name, 10**19)) for name in ("limit", "start_time", "end_time"))
        there = [(at, n) for n, at in enumerate(times) if start <= at < end]
        if query.get("descending"):
            there.reverse()
        if least and min(limit, len(there)) > least:
            return Answer(429, {"error": "grpc: received message larger than max", "code": 8})
        tags = {"source_type": "APP/PROC/WORKER"}
        batch = [
            {
                "timestamp": str(at),
                "instance_id": "0",
                "tags": tags,
                "log": {"payload": base64.b64encode(b"%d" % n).decode()},
            }
            for at, n in there[:limit]
        ]
        return Answer(200, {"envelopes": {"batch": batch}})

    return answered


def followed(session, since, now):
    """Return the texts of all lines from then until now."""
    texts, at_rest = [], []
    for batch in logcache.follow(session, "a", since, now=lambda: now, sleep=at_rest.append):
        texts += [one.text for one in batch]
        if at_rest:
            return texts
    raise AssertionError


def test_lines_that_are_too_long_for_one_answer_are_read_in_parts(scripted, cloud):
    """A 429 of log-cache is about the size of its answer: half as many are asked for, and nothing else has to wait."""
    scripted.script("/api/v1/read/a", lines_of([10**9 + n for n in range(300)], least=70))
    scripted.script(SCALE, {"guid": "p"})

    assert [one.text for one in cloud.records.lines(SHOP, 200)] == [str(n) for n in range(250, 300)]
    assert followed(cloud._session, 0, 10) == [str(n) for n in range(300)]
    cloud.orders.scale(SHOP, "worker", 2)


def test_lines_of_the_same_time_are_each_followed_once(scripted, cloud, monkeypatch):
    """A full window may end among lines of one time: the next one begins with that time, and repeats none.

    Only what is more than a whole answer holds of one time is left out.
    """
    monkeypatch.setattr(logcache, "MOST", 4)
    times = [10**9, *[2 * 10**9] * 5, 3 * 10**9, *[4 * 10**9] * 3]
    scripted.script("/api/v1/read/a", lines_of(times))

    assert followed(cloud._session, 0, 10) == ["0", "1", "2", "3", "4", "6", "7", "8", "9"]
    monkeypatch.setattr(logcache, "MOST", 6)
    assert followed(cloud._session, 0, 10) == [str(n) for n in range(10)]


def test_a_log_cache_that_is_asked_too_much_is_asked_no_more(scripted, cloud):
    """If even a few lines are too many that is an error, and of log-cache alone."""
    scripted.script("/api/v1/read/a", Answer(429, "", {"Retry-After": "300"}))
    scripted.script(SCALE, {"guid": "p"})

    with pytest.raises(UnreachableError, match="429"):
        cloud.records.lines(SHOP, 1000)
    assert [one.query["limit"] for one in scripted.asked("/api/v1/read/a")] == [
        str(n) for n in (1000, 500, 250, 125, 62, 31, 15, 10)
    ]
    cloud.orders.scale(SHOP, "worker", 2)


def test_events_are_told_in_words_each_crash_once(scripted, cloud):
    """Who did what, newest first; the twin of a crash is left out."""
    crash = {"index": 1, "exit_description": "Exited with status 137 (out of memory)", "crash_count": 3}
    events = [
        ("app.crash", "shop", {"index": 1}),
        ("audit.app.process.crash", "worker", crash),
        ("audit.app.process.scale", "ada", {"process_type": "worker", "request": {"instances": 3}}),
        ("audit.app.something.new", "ada", {}),
    ]
    listed = [
        {"guid": f"e{n}", "type": kind, "created_at": "2026-11-01T00:00:00Z", "actor": {"name": who}, "data": data}
        for n, (kind, who, data) in enumerate(events)
    ]
    scripted.script("/v3/audit_events", {"resources": listed})

    assert [(one.id, one.actor, one.text) for one in cloud.records.events(SHOP, 10)] == [
        ("e1", "worker", "instance 1 crashed: Exited with status 137 (out of memory) (3 times in a row)"),
        ("e2", "ada", "scaled process worker to 3"),
        ("e3", "ada", "app something new"),
    ]


def test_the_environment_hides_what_may_be_secret(scripted, cloud):
    """By its name or by itself; of services the names alone are told."""
    services = {"redis": [{"name": "shop-redis", "credentials": {"password": "hunter2"}}]}
    scripted.script(
        "/v3/apps/a/env",
        {
            "environment_variables": {"MODE": "fast", "DB_PASSWORD": "hunter2", "BROKER_URL": "redis://:hunter2@b/0"},
            "running_env_json": {"HTTP_PROXY": "http://proxy"},
            "system_env_json": {"VCAP_SERVICES": services},
        },
    )

    found = cloud.records.environment(SHOP)
    assert found == (
        Variable("BROKER_URL", None),
        Variable("DB_PASSWORD", None),
        Variable("HTTP_PROXY", "http://proxy"),
        Variable("MODE", "fast"),
        Variable("VCAP_SERVICES", "redis: shop-redis"),
    )
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_KEY", "sk_live_1"),
        ("FERNET_KEY", "Zm9v"),
        ("BASIC_AUTH", "ada:hunter2"),
        ("SENTRY_DSN", "x"),
        ("STORAGE", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v"),
        ("HEADER", "Basic Zm9v"),
        ("STAMP", "x"),
    ],
)
def test_a_variable_that_may_be_a_secret_is_not_shown(scripted, connect, name, value):
    """By words that stand for secrets among variables, and by those that the settings add."""
    scripted.script("/v3/apps/a/env", {"environment_variables": {name: value, "AUTHOR": "ada", "MODE": "basic"}})
    options = Options(secret_words=("stamp",))
    cloud = CloudFoundry("cf", connect(scripted.url), org="demo", space="dev", selectors=["shop"], options=options)

    told = {one.name: one.value for one in cloud.records.environment(SHOP)}
    assert told == {name: None, "AUTHOR": "ada", "MODE": "basic"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            refusal(403, 330002, "Feature Disabled: env_var_visibility"),
            r"^Feature Disabled: env_var_visibility \(403\)$",
        ),
        (refusal(400, 10005, "The query parameter is invalid"), r"^The query parameter is invalid \(400\)$"),
    ],
)
def test_variables_that_are_refused_for_another_reason_say_which(scripted, cloud, answer, said):
    """A role is named only where a role is what is missing."""
    scripted.script("/v3/apps/a/env", answer)

    with pytest.raises(RefusedError, match=said):
        cloud.records.environment(SHOP)


def test_an_auditor_learns_how_to_read_variables(scripted, cloud):
    scripted.script("/v3/apps/a/env", refusal(403, 10003, "You are not authorized to perform the requested action"))

    with pytest.raises(RefusedError) as caught:
        cloud.records.environment(SHOP)
    assert str(caught.value) == (
        "our account lacks the right to do this in space 'dev'; a manager gives it by: "
        "cf set-space-role ada demo dev SpaceSupporter (You are not authorized to perform the requested action (403))"
    )


def test_room_is_what_both_quotas_leave(scripted, cloud):
    """Started apps alone use a quota; where the organization's use is not to be seen, that is said."""
    data = {"relationships": {"quota": {"data": {"guid": "q"}}}}
    quota = {
        "name": "small",
        "apps": {"total_instances": 10, "total_memory_in_mb": 4096, "per_process_memory_in_mb": 1024},
    }
    space = {
        "name": "tiny",
        "apps": {"total_instances": None, "total_memory_in_mb": 600, "per_process_memory_in_mb": None},
    }
    scripted.script("/v3/organizations", {"resources": [{"guid": "o"} | data]})
    scripted.script("/v3/spaces/s", data)
    scripted.script("/v3/organization_quotas/q", quota)
    scripted.script("/v3/space_quotas/q", space)
    scripted.script(
        "/v3/organizations/o/usage_summary", {"usage_summary": {"started_instances": 4, "memory_in_mb": 1024}}
    )
    apps = [{"guid": "a", "state": "STARTED"}, {"guid": "b", "state": "STOPPED"}]
    scripted.script("/v3/apps", {"resources": apps})
    listed = [
        {"instances": n, "memory_in_mb": 256, "relationships": {"app": {"data": {"guid": guid}}}}
        for guid, n in (("a", 2), ("b", 7))
    ]
    scripted.script("/v3/processes", {"resources": listed})

    assert cloud.records.room(SHOP) == (
        Room("quota small of organization demo", 6, 3072, 1024),
        Room("quota tiny of space dev", None, 88, None),
    )
    scripted.script("/v3/organizations/o/usage_summary", refusal(403, 10003, "no"))
    assert cloud.records.room(SHOP)[0] == Room(
        "quota small of organization demo (use of spaces that we do not see is not in)", 8, 3584, 1024
    )


@pytest.mark.parametrize("reason", ["memory space_quota_exceeded", "app_instance_limit app_instance_limit_exceeded"])
def test_a_quota_refuses_with_the_foundations_own_reason(scripted, cloud, reason):
    scripted.script(SCALE, refusal(422, 10008, reason))

    with pytest.raises(RefusedError, match=reason):
        cloud.orders.scale(SHOP, "worker", 50)


def test_scaling_takes_effect(connect):
    """On the emulator: three instances are wanted, and come."""
    with Emulator(configured(AppConfig("shop", (ProcessConfig(SLEEPER),)))) as emulator:
        session = connect(emulator.url, Credentials("platform.cf", username="ada", password="secret"))
        cloud = CloudFoundry("cf", session, org="demo", space="dev", selectors=["shop"])
        cloud.orders.scale(cloud.apps()[0], "worker", 3)

        harness.wait_until(lambda: len(cloud.apps()[0].instances) == 3, 10, "three indexes")


def test_what_else_scales_an_app_is_told(scripted, cloud):
    """A policy in words; the label that switches App Autoscaler off; no policy; and no answer, which is not "nothing"."""
    policy = {"instance_min_count": 1, "instance_max_count": 4, "scaling_rules": [{"metric_type": "memoryused"}]}
    assert cloud.orders.scaled_by(SHOP) is None
    scripted.script("/v1/apps/a/policy", policy)
    assert cloud.orders.scaled_by(SHOP) == "App Autoscaler: 1 to 4 instances of web by memoryused"
    scripted.script("/v1/apps/a/policy", Answer(503, PAGE))
    with pytest.raises(UnreachableError, match="whether App Autoscaler scales shop cannot be told"):
        cloud.orders.scaled_by(SHOP)
    scripted.script("/v1/apps/a/policy", Answer(404, "", {"X-Cf-RouterError": "unknown_route"}))
    with pytest.raises(UnreachableError, match="cannot be told: the foundation's router finds nobody"):
        cloud.orders.scaled_by(SHOP)
    scripted.script("/v3/apps/a", {"metadata": {"labels": {LABEL: "yes"}}})
    assert cloud.orders.scaled_by(SHOP) is None


def test_without_an_address_nobody_is_asked_what_scales_an_app(scripted, connect):
    """A host whose name is guessed may be anybody's app, and would get our token."""
    cloud = CloudFoundry("cf", connect(scripted.url), org="demo", space="dev", selectors=["shop"])

    assert cloud.orders.scaled_by(SHOP) is None
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("roles", "scopes", "suspended", "role", "acts", "said"),
    [
        (["space_supporter"], ["cloud_controller.write"], False, "space_supporter", True, []),
        (["space_auditor", "space_developer"], ["cloud_controller.write"], False, "space_developer", True, []),
        (
            ["space_auditor"],
            ["cloud_controller.write"],
            False,
            "space_auditor",
            False,
            ["cf set-space-role robot demo dev Sp"],
        ),
        ([], ["cloud_controller.write"], False, "none in this space", False, ["space_supporter"]),
        (
            ["space_supporter"],
            ["cloud_controller.read"],
            False,
            "space_supporter",
            False,
            ["scope cloud_controller.write"],
        ),
        (["space_supporter"], ["cloud_controller.write"], True, "space_supporter", False, ["'demo' is suspended"]),
        ([], ["cloud_controller.admin"], False, "cloud_controller.admin", True, []),
    ],
)
def test_rights_name_what_is_missing(scripted, cloud, roles, scopes, suspended, role, acts, said):
    scripted.script(TOKEN, token(*scopes, user_id="u", user_name="robot"))
    scripted.script("/v3/organizations", {"resources": [{"guid": "o", "suspended": suspended}]})
    scripted.script("/v3/roles", {"resources": [{"type": one} for one in roles]})

    found = cloud.rights.rights()
    assert (found.account, found.role, found.acts) == ("robot", role, acts)
    assert len(found.lacking) == len(said)
    assert all(words in text for words, text in zip(said, found.lacking, strict=True))


@pytest.mark.parametrize("ahead", [-120, 0, 90])
def test_the_clock_of_the_foundation_is_compared_with_ours(foundation, connect, ahead):
    root = {"links": {name: {"href": foundation.url} for name in ("self", "login")}}
    foundation.script(ROOT, lambda _: Answer(200, root, {"Date": formatdate(time.time() + ahead, usegmt=True)}))

    assert abs(connect(foundation.url).clock_ahead() - ahead) < 2


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            refusal(403, 10003, "Not authorized"),
            RefusedError,
            r"lacks the right .* cf set-space-role ada demo dev SpaceSupporter",
        ),
        (refusal(403, 10017, "The organization is suspended"), RefusedError, r"^organization 'demo' is suspended"),
        (refusal(404, 10010, "App not found"), MissingError, r"App not found .*lost its role in space 'dev'"),
        (refusal(503, 170015, "Runner is unavailable"), UnreachableError, r"^Runner is unavailable"),
    ],
)
def test_an_order_that_is_refused_says_what_to_do(scripted, cloud, answer, kind, said):
    scripted.script("/v3/apps/a/actions/restart", answer)

    with pytest.raises(kind, match=said):
        cloud.orders.restart_app(SHOP)


@pytest.mark.parametrize("answer", [Answer(200, {"hello": "world"}), Answer(200, [])])
def test_what_is_no_foundation_names_the_setting(foundation, connect, answer):
    foundation.script(ROOT, answer)

    with pytest.raises(MissingError, match=r"no Cloud Foundry API.*check platform\.cf\.api"):
        connect(foundation.url).log_in()


@pytest.mark.parametrize(
    "answer", [Answer(404, "no"), Answer(401), Answer(404, "", {"X-Cf-RouterError": "unknown_route"})], ids=repr
)
def test_what_may_be_no_foundation_says_so(foundation, connect, answer):
    """The router of a foundation whose API is down answers 404, and so does any other program: it may come yet."""
    foundation.script(ROOT, answer)

    with pytest.raises(
        UnreachableError,
        match=r"^no Cloud Foundry API answers at .*40\d.*it is down, or elsewhere; check platform\.cf\.api",
    ):
        connect(foundation.url).log_in()


def test_a_certificate_that_is_not_trusted_names_the_setting(foundation, connect, tmp_path):
    """And with the file of its authority the same foundation is reached."""
    harness.certify(tmp_path / "cert.pem", tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    foundation._server.socket = context.wrap_socket(foundation._server.socket, server_side=True)
    url = foundation.url.replace("http://127.0.0.1", "https://localhost")
    foundation.script(ROOT, {"links": {name: {"href": url} for name in ("self", "login")}})

    with pytest.raises(RefusedError) as caught:
        connect(url).log_in()
    assert str(caught.value).startswith(f"the certificate of {url}/ is not trusted (")
    assert str(caught.value).endswith("; give the PEM file of its authority in platform.cf.ca_file")
    connect(url, ca_file=tmp_path / "cert.pem").log_in()
