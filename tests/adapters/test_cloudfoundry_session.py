"""Requests to a foundation that is silent, busy, wrong or not there: time limits, repetitions, and errors that say why."""

import gzip
import json
import socket
import threading
import time

import httpx2
import pytest

from adapters.faulty_foundation import PAGE, ROOT, SILENCE, TOKEN, Answer
from celeriac.adapters.cloudfoundry import CloudFoundry, Session, recent
from celeriac.adapters.cloudfoundry.session import READS
from celeriac.core.errors import MissingError, PortError, RefusedError, UnreachableError
from celeriac.core.model import Instance, InstanceState
from celeriac.emulator import AppConfig, ProcessConfig

APPS = "/v3/apps"
DELETE = "/v3/apps/a/processes/worker/instances/0"
EMPTY = {"resources": [], "pagination": {"next": None}}
BUSY = [Answer(status, PAGE) for status in (500, 502, 503, 504)]
V3_ERROR = {
    "errors": [{"code": 10008, "title": "CF-UnprocessableEntity", "detail": "No droplet."}, {"detail": "No way."}]
}
NO_ROUTE = Answer(404, "404 Not Found: Requested route ('x') does not exist.", {"X-Cf-RouterError": "unknown_route"})
INSTANCE = Instance("cf", "shop", "a", "worker", 0, InstanceState.RUNNING, "g")


def timed(call):
    begun = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        call()
    return time.monotonic() - begun, str(caught.value)


@pytest.mark.parametrize("path", [ROOT, TOKEN, APPS])
def test_a_silent_foundation_is_given_up_after_the_time_limit(foundation, connect, path):
    """One time limit, not one for each repetition: a foundation that says nothing is not busy."""
    foundation.script(path, SILENCE)
    session = connect(foundation.url, timeout=0.3, sleep=time.sleep)

    took, said = timed(lambda: session.get(APPS))

    assert 0.25 < took < 0.9
    assert "timed out" in said
    assert len(foundation.asked(path)) == 1


@pytest.mark.parametrize("path", [ROOT, TOKEN, APPS, "/api/v1/read/a"])
def test_an_answer_that_never_ends_is_given_up_after_the_time_limit(foundation, connect, path):
    """Each byte comes soon and the last one never: the limit is that of the whole request."""
    foundation.script(APPS, EMPTY)
    foundation.script(path, Answer(200, " " * 10_000, pause=0.05))
    session = connect(foundation.url, timeout=0.3, sleep=time.sleep)

    took, said = timed(lambda: recent(session, "a") if "read" in path else session.get(APPS))

    assert 0.25 < took < 0.9
    assert said.endswith("127.0.0.1 timed out: its answer goes on after 0.3 s")
    assert len(foundation.asked(path)) == 1


def test_an_answer_that_is_far_too_long_is_not_read_to_its_end(foundation, connect, monkeypatch):
    """Also one that is small on the way: what counts is what it becomes."""
    monkeypatch.setattr("celeriac.adapters.cloudfoundry.wire.MOST_BYTES", 3_000_000)
    bomb = gzip.compress(b" " * 5_000_000)
    foundation.script(APPS, Answer(200, bomb, {"Content-Encoding": "gzip"}), Answer(200, EMPTY))
    session = connect(foundation.url)

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 answers with more than 3 MB"):
        session.order("POST", APPS)
    assert session.get(APPS) == EMPTY


def test_a_packed_answer_is_read(foundation, connect):
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    foundation.script(APPS, Answer(200, gzip.compress(json.dumps(EMPTY).encode()), packed))

    assert connect(foundation.url).get(APPS) == EMPTY


def test_a_silent_foundation_gets_no_second_order(foundation, connect):
    """Whether an order took effect is not known, so it is never repeated."""
    foundation.script(DELETE, SILENCE)

    timed(lambda: connect(foundation.url, timeout=0.2).order("DELETE", DELETE))
    assert len(foundation.asked(DELETE)) == 1


def test_a_refused_connection_names_the_address(connect, free_port):
    """Nobody listens: the error says where, and that asking again may help."""
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(UnreachableError, match=rf"^{url}/: .*refused") as caught:
        connect(url).get(APPS)
    assert caught.value.retryable


def test_a_connection_that_is_cut_is_unreachable(connect):
    """A listener that accepts and closes without a word gives a port error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut():
            listener.accept()[0].close()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(UnreachableError):
            connect(f"http://127.0.0.1:{listener.getsockname()[1]}").log_in()
        cutter.join()


@pytest.mark.parametrize("busy", BUSY, ids=lambda one: str(one.status))
def test_a_read_is_repeated_while_the_foundation_is_busy(foundation, connect, busy):
    """A router's page and a busy API's answer are asked past."""
    foundation.script(APPS, busy, busy, EMPTY)

    assert connect(foundation.url).get(APPS) == EMPTY
    assert len(foundation.asked(APPS)) == READS


@pytest.mark.parametrize("busy", BUSY, ids=lambda one: str(one.status))
def test_a_read_is_not_repeated_for_ever(foundation, connect, busy):
    """After a few answers of a busy foundation the last one is the error."""
    foundation.script(APPS, busy)
    pauses = []

    with pytest.raises(UnreachableError, match=rf"^Cloud Foundry answered .+ \({busy.status}\)$"):
        connect(foundation.url, sleep=pauses.append).get(APPS)
    assert len(foundation.asked(APPS)) == READS
    assert len(pauses) == READS - 1
    assert all(0 < pause <= 1 for pause in pauses)


@pytest.mark.parametrize("path", [ROOT, TOKEN])
def test_a_read_outlasts_a_busy_login(foundation, connect, path):
    """Discovery and login are part of a read, and repeated with it."""
    whole = foundation._scripts[path][0]
    foundation.script(path, Answer(503, PAGE), whole)
    foundation.script(APPS, EMPTY)

    assert connect(foundation.url).get(APPS) == EMPTY


@pytest.mark.parametrize("busy", BUSY, ids=lambda one: str(one.status))
@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_an_order_is_never_repeated(foundation, connect, busy, method):
    """An order whose answer is lost may have taken effect."""
    foundation.script(DELETE, busy)

    with pytest.raises(UnreachableError):
        connect(foundation.url).order(method, DELETE)
    assert len(foundation.asked(DELETE)) == 1


def test_nothing_is_sent_while_the_foundation_asks_to_wait(foundation, connect, clock):
    """After a 429 neither reads nor orders nor logins leave until Retry-After is over."""
    foundation.script(
        APPS, Answer(429, {"errors": [{"detail": "Rate Limit Exceeded"}]}, {"Retry-After": "1300"}), EMPTY
    )
    foundation.script(DELETE, Answer(204))
    session = connect(foundation.url, monotonic=clock)

    with pytest.raises(UnreachableError, match=r"^Rate Limit Exceeded \(429\)$"):
        session.get(APPS)
    sent = len(foundation.requests)
    clock.now += 299  # no wait is taken for longer than 300 s
    for call in (lambda: session.get(APPS), lambda: session.order("DELETE", DELETE), lambda: recent(session, "a")):
        with pytest.raises(UnreachableError, match=r"asked to wait; 1 s are left"):
            call()
    assert len(foundation.requests) == sent == 3
    clock.now += 1.1
    assert session.get(APPS) == EMPTY


def test_an_ended_token_is_not_renewed_while_the_foundation_asks_to_wait(foundation, connect, clock):
    """The wait holds for logins too, although UAA is another part of the foundation."""
    foundation.script(APPS, EMPTY, Answer(429, {}, {"Retry-After": "60"}))
    session = connect(foundation.url, monotonic=clock)
    session.get(APPS)
    clock.now += 1110
    with pytest.raises(UnreachableError):
        session.get(APPS)
    clock.now += 50
    with pytest.raises(UnreachableError, match="asked to wait"):
        session.get(APPS)

    assert len(foundation.asked(TOKEN)) == 1


@pytest.mark.parametrize(
    ("header", "wait"), [({}, 30), ({"Retry-After": "Wed, 21 Oct"}, 30), ({"Retry-After": "-5"}, 1)]
)
def test_a_wait_of_unclear_length_has_a_bound(foundation, connect, clock, header, wait):
    """Without a readable number of seconds we wait 30 s, and never less than one."""
    foundation.script(APPS, Answer(429, "slow down", header), EMPTY)
    session = connect(foundation.url, monotonic=clock)
    with pytest.raises(UnreachableError):
        session.get(APPS)

    clock.now += wait - 0.1
    with pytest.raises(UnreachableError, match="asked to wait"):
        session.get(APPS)
    clock.now += 0.2
    assert session.get(APPS) == EMPTY


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(422, V3_ERROR), RefusedError, r"^No droplet\.; No way\. \(422\)$"),
        (Answer(403, V3_ERROR, {"X-Vcap-Request-Id": "r-1::2"}), RefusedError, r"\(403, request r-1::2\)$"),
        (Answer(404, {"errors": [{"detail": "App not found"}]}), MissingError, r"^App not found \(404\)$"),
        (Answer(404, PAGE), UnreachableError, r"^Cloud Foundry answered Not Found \(404\)$"),
        (Answer(404, {"error": "x"}), UnreachableError, r"^Cloud Foundry answered Not Found \(404\)$"),
        (NO_ROUTE, UnreachableError, r"^the foundation's router finds nobody .+ 127\.0\.0\.1 \(404, unknown_route\)$"),
        (
            Answer(499, "x", {"X-Cf-RouterError": "endpoint_failure"}),
            UnreachableError,
            r"router finds nobody .+ \(499, endpoint_failure\)$",
        ),
        (Answer(400, {"errors": []}), RefusedError, r"^Cloud Foundry answered Bad Request \(400\)$"),
        (Answer(400, {"errors": {"a": "b"}}), RefusedError, r"^Cloud Foundry answered Bad Request \(400\)$"),
        (Answer(400, ["odd"]), RefusedError, r"^Cloud Foundry answered Bad Request \(400\)$"),
        (
            Answer(503, {"errors": [{"detail": "No LRPs"}]}, {"X-Vcap-Request-Id": "r"}),
            UnreachableError,
            "^No LRPs .503, req",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_error_says_what_the_foundation_said(foundation, connect, method, answer, kind, said):
    """The details of a v3 error and the request's id reach people; a router's page does not."""
    foundation.script(DELETE, answer)
    session = connect(foundation.url)

    with pytest.raises(kind, match=said):
        session.get(DELETE) if method == "GET" else session.order(method, DELETE)


@pytest.mark.parametrize("path", [ROOT, TOKEN, APPS])
def test_a_part_without_a_route_is_an_outage(foundation, connect, path):
    """The router's 404 is not the word of the API or of UAA: what is down is not missing, and is asked again."""
    foundation.script(APPS, EMPTY)
    foundation.script(path, NO_ROUTE, NO_ROUTE, foundation._scripts[path][0])
    session = connect(foundation.url)

    with pytest.raises(UnreachableError, match="404"):
        session.order("DELETE", APPS)
    assert session.get(APPS) == EMPTY


def test_a_log_cache_without_a_route_is_an_outage(foundation, connect):
    """Of log-cache itself 404 means an app that it does not know or may not tell us of; of the router that it is down."""
    foundation.script("/api/v1/read/a", NO_ROUTE, Answer(404, ""))
    session = connect(foundation.url)

    for kind in (UnreachableError, MissingError):
        with pytest.raises(kind):
            recent(session, "a")


@pytest.mark.parametrize("path", [ROOT, APPS])
def test_a_redirect_is_refused_and_not_followed(foundation, connect, path):
    """A token never follows a redirect."""
    foundation.script(path, Answer(302, "", {"Location": f"{foundation.url}/elsewhere"}))

    with pytest.raises(RefusedError, match=r"^Cloud Foundry answered Found \(302\)$"):
        connect(foundation.url).get(APPS)
    assert foundation.asked("/elsewhere") == []


@pytest.mark.parametrize("path", [ROOT, TOKEN, APPS])
@pytest.mark.parametrize(
    "answer", [Answer(200, PAGE), Answer(200), Answer(200, "{cut sh")], ids=["page", "empty", "cut"]
)
def test_a_success_that_is_no_json_is_a_port_error(foundation, connect, path, answer):
    """A captive portal answers 200 with a page of its own: one sentence says so, repeated like other troubles of the way."""
    foundation.script(APPS, EMPTY)
    foundation.script(path, answer)

    with pytest.raises(
        UnreachableError, match=r"127\.0\.0\.1 answered with .+ where JSON is due; is a proxy or a login page"
    ):
        connect(foundation.url).get(APPS)
    assert len(foundation.asked(path)) == READS


def test_an_order_that_a_page_answers_is_unclear(foundation, connect):
    """200 with a page is not the API's word that an instance stops."""
    foundation.script(DELETE, Answer(200, PAGE))

    with pytest.raises(UnreachableError, match="where JSON is due"):
        connect(foundation.url).order("DELETE", DELETE)
    assert len(foundation.asked(DELETE)) == 1


def test_an_answer_that_cannot_be_unpacked_is_unreachable(foundation, connect):
    """A body that is not what its Content-Encoding says is an error of the way."""
    foundation.script(APPS, Answer(200, {"a": gzip.compress(b"").hex()}, {"Content-Encoding": "gzip"}))

    with pytest.raises(UnreachableError):
        connect(foundation.url).get(APPS)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"resources": None},
        {"resources": 3},
        {"resources": [], "pagination": 7},
        EMPTY | {"pagination": {"next": "x"}},
    ],
    ids=str,
)
def test_a_list_without_its_keys_is_a_port_error(foundation, connect, body):
    """An answer of another shape is an error with the path, not a traceback."""
    foundation.script(APPS, body)

    with pytest.raises(UnreachableError, match="Cloud Foundry's answer about /v3/apps cannot be read"):
        list(connect(foundation.url).pages(APPS))


@pytest.mark.parametrize("body", [[], {}, {"links": None}, {"links": [1]}, {"links": {"login": "x"}}], ids=str)
def test_a_root_without_links_is_a_port_error(foundation, connect, body):
    """An address that is no foundation's API says so."""
    foundation.script(ROOT, body)

    with pytest.raises(PortError, match=r"is no Cloud Foundry API; check platform.cf.api|its links cannot be read"):
        connect(foundation.url).log_in()


@pytest.mark.parametrize("login", [None, {}, {"href": None}])
def test_a_foundation_without_a_part_says_which(foundation, connect, login):
    """Korifi has no UAA: its root names no login."""
    foundation.script(ROOT, {"links": {"login": login}})

    with pytest.raises(MissingError, match="names no login"):
        connect(foundation.url).log_in()


@pytest.mark.parametrize("href", ["not an address", "http://[", "http://", "ftp://127.0.0.1/"])
def test_a_link_that_is_no_address_is_a_port_error(foundation, connect, href):
    """A broken link in the root is an error of the foundation."""
    foundation.script(ROOT, {"links": {"login": {"href": href}, "log_cache": {"href": href}}})

    with pytest.raises(UnreachableError):
        connect(foundation.url).log_in()


def page(foundation, number, of):
    after = {"href": f"{foundation.url}{APPS}?names=a%252Cb&page={number + 1}&per_page=1"} if number < of else None
    return {"resources": [{"name": f"app-{number}"}], "pagination": {"next": after}}


def test_pages_are_followed_verbatim(foundation, connect):
    """Filters go with the first request only; `next` carries them from then on."""
    foundation.script(APPS, *(page(foundation, number, 3) for number in (1, 2, 3)))

    found = [one["name"] for one in connect(foundation.url).pages(APPS, names="a%2Cb", per_page=1)]

    assert found == ["app-1", "app-2", "app-3"]
    assert [one.query for one in foundation.asked(APPS)] == [
        {"names": "a%2Cb", "per_page": "1"},
        {"names": "a%2Cb", "page": "2", "per_page": "1"},
        {"names": "a%2Cb", "page": "3", "per_page": "1"},
    ]


def test_all_pages_of_the_emulator_are_read(launch, connect):
    """With one app a page every app is found once."""
    names = [f"app-{number}" for number in range(5)]
    emulator = launch(*(AppConfig(name, (ProcessConfig("exec sleep 9"),), started=False) for name in names))

    assert [one["name"] for one in connect(emulator.url).pages(APPS, per_page=1, order_by="name")] == names


def test_a_list_that_goes_in_circles_ends(foundation, connect, monkeypatch):
    """A page whose `next` is itself is not followed for ever."""
    monkeypatch.setattr("celeriac.adapters.cloudfoundry.session.PAGES", 5)
    foundation.script(APPS, {"resources": [{"name": "a"}], "pagination": {"next": {"href": f"{foundation.url}{APPS}"}}})
    seen = []

    with pytest.raises(UnreachableError, match="a list of the foundation goes on after 5 pages"):
        seen.extend(connect(foundation.url).pages(APPS))
    assert len(foundation.asked(APPS)) <= 6


@pytest.mark.parametrize(
    "host", ["http://elsewhere.example", "http://127.0.0.1@elsewhere.example", "//elsewhere.example"]
)
def test_a_next_page_on_another_host_is_refused(foundation, connect, host):
    """The token would go there with the request."""
    foundation.script(APPS, {"resources": [{"name": "a"}], "pagination": {"next": {"href": f"{host}{APPS}?page=2"}}})
    seen = []

    with pytest.raises(RefusedError, match=r"next page is on another host: elsewhere\.example"):
        seen.extend(connect(foundation.url).pages(APPS))
    assert [one.line for one in foundation.requests] == ["GET /", f"POST {TOKEN}", f"GET {APPS}"]


def test_a_token_does_not_reach_a_second_server(foundation, connect, launch):
    """Seen from the other server: no request comes."""
    other = launch()
    foundation.script(APPS, {"resources": [], "pagination": {"next": {"href": f"{other.url}{APPS}?page=2"}}})
    asked, caller = [], other.foundation.uaa.caller
    other.foundation.uaa.caller = lambda token: asked.append(token) or caller(token)

    with pytest.raises(RefusedError):
        list(connect(foundation.url).pages(APPS))
    assert asked == []


@pytest.mark.parametrize("api", ["http://LOCALHOST:{port}", "http://localhost:{port}/", "http://localhost:{port}/cf"])
def test_a_next_page_is_known_by_host_and_port(foundation, connect, api):
    """However the setting spells the same address, further pages are read from it."""
    port = int(foundation.url.rpartition(":")[2])
    prefix = "/cf" if api.endswith("/cf") else ""
    foundation.script(f"{prefix}/", {"links": {"login": {"href": foundation.url}}})
    after = {"href": f"http://localhost:{port}{prefix}{APPS}?page=2"}
    foundation.script(f"{prefix}{APPS}", {"resources": [1], "pagination": {"next": after}}, EMPTY | {"resources": [2]})

    assert list(connect(api.format(port=port)).pages(APPS)) == [1, 2]


def test_discovery_is_asked_once(foundation, connect):
    """The root's links and the token serve every request of a session."""
    foundation.script(APPS, EMPTY)
    session = connect(foundation.url)

    for _ in range(3):
        session.get(APPS)

    assert foundation.lines() == ["GET /", f"POST {TOKEN}", *[f"GET {APPS}"] * 3]


def test_a_trailing_slash_in_the_address_does_no_harm(foundation, connect):
    """Paths have one slash."""
    foundation.script(APPS, EMPTY)

    assert connect(foundation.url + "/").get(APPS) == EMPTY


def test_a_missing_file_of_authorities_is_found_at_the_beginning(tmp_path):
    """A wrong `ca_file` is an error of the settings, when the session is made."""
    with pytest.raises(OSError, match="No such file"):
        Session("https://api.example", None, ca_file=tmp_path / "none.pem")


ORG = {"resources": [{"guid": "o"}]}
SPACE = {"resources": [{"guid": "s"}]}
SHOP = {"resources": [{"guid": "a", "name": "shop", "state": "STARTED"}]}
OF_SHOP = {"relationships": {"app": {"data": {"guid": "a"}}}}
WORKER = {
    "resources": [
        {"guid": "p", "type": "worker", "instances": 1, "health_check": {"data": {"timeout": None}}} | OF_SHOP
    ]
}
STATS = {"resources": [{"index": 0, "state": "RUNNING", "instance_guid": "g", "uptime": 5, "details": None}]}
OF_WORKER = "/v3/processes/p/stats"
PATHS = {
    "/v3/organizations": ORG,
    "/v3/spaces": SPACE,
    APPS: SHOP,
    "/v3/processes": WORKER,
    OF_WORKER: STATS,
}


@pytest.fixture
def cloud(foundation, connect):
    """A space of the faulty foundation, whose answers are right until a test says otherwise."""
    for path, body in PATHS.items():
        foundation.script(path, body)
    return CloudFoundry("cf", connect(foundation.url), org="demo", space="dev", selectors=["shop"])


def test_the_scripted_space_is_read(cloud):
    """What the next test spoils one by one is right to begin with."""
    (app,) = cloud.apps()

    assert app.instances == (Instance("cf", "shop", "a", "worker", 0, InstanceState.RUNNING, "g", 5),)
    assert app.processes[0].health_timeout_s == 60


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [{"resources": [{}]}, {"resources": [7]}, {"resource": []}], ids=str)
def test_a_space_whose_answers_lack_keys_is_a_port_error(foundation, cloud, path, body):
    """No answer of the API, whatever it lacks, ends in a traceback."""
    foundation.script(path, body)

    with pytest.raises(UnreachableError, match=r"Cloud Foundry's answer about .+ cannot be read"):
        cloud.apps()


def test_an_instance_whose_answer_lacks_keys_is_a_port_error(foundation, cloud):
    """The re-read right before an act is as careful."""
    foundation.script("/v3/apps/a/processes/worker/stats", {"resources": [{"state": "RUNNING"}]})

    with pytest.raises(UnreachableError, match="about an instance cannot be read"):
        cloud.instance(INSTANCE)


EVENT = {
    "guid": "e",
    "created_at": "2026-11-22T10:00:00Z",
    "actor": {"name": "worker"},
    "target": {"guid": "a"},
    "data": {"index": 0, "instance": "g", "exit_description": "Exited with status 7", "crash_count": 2},
}


@pytest.mark.parametrize("lacking", ["guid", "created_at", "actor", "target", "data"])
def test_a_crash_that_lacks_keys_is_a_port_error(foundation, cloud, lacking):
    """An audit event of another shape is an error, not a crash without a place."""
    cloud.apps()
    foundation.script("/v3/audit_events", {"resources": [{name: EVENT[name] for name in EVENT if name != lacking}]})

    with pytest.raises(UnreachableError, match="about its crashes cannot be read"):
        cloud.crashes(0)


def test_a_crash_that_two_pages_show_is_one_crash(foundation, cloud):
    """A new event between two requests shifts the list, so that the second page repeats the end of the first."""
    cloud.apps()
    first = {
        "resources": [EVENT | {"guid": "e2"}, EVENT],
        "pagination": {"next": {"href": f"{foundation.url}/v3/audit_events"}},
    }
    foundation.script("/v3/audit_events", first, {"resources": [EVENT, EVENT | {"guid": "e0"}]})

    assert [one.id for one in cloud.crashes(0)] == ["e2", "e", "e0"]


def test_the_time_of_a_crash_is_the_exact_one_if_it_is_told(foundation, cloud):
    """`crash_timestamp` counts nanoseconds; without it the event's own whole second must do."""
    cloud.apps()
    exact = EVENT | {"guid": "x", "data": EVENT["data"] | {"crash_timestamp": 1_795_000_000_250_000_000}}
    foundation.script("/v3/audit_events", {"resources": [exact, EVENT]})

    assert [one.at for one in cloud.crashes(0)] == pytest.approx([1_795_000_000.25, 1_795_341_600.0], abs=1e-5, rel=0)


@pytest.mark.parametrize("data", [{}, {"exit_description": "", "reason": "CRASHED"}])
def test_a_crash_without_a_description_says_something(foundation, cloud, data):
    """The text of a crash is never empty."""
    cloud.apps()
    foundation.script("/v3/audit_events", {"resources": [EVENT | {"data": {"index": 0, "instance": "g"} | data}]})

    (crash,) = cloud.crashes(0)
    assert (crash.text, crash.count) == (data.get("reason", "crashed"), 1)


@pytest.mark.parametrize("state", ["UNKNOWN", "HIBERNATING", ""])
def test_a_state_that_we_do_not_know_is_unknown(foundation, cloud, state):
    """A later API may name more states: none of them looks like a dead instance."""
    foundation.script(OF_WORKER, {"resources": [{"index": 0, "state": state}]})

    assert [one.state for one in cloud.apps()[0].instances] == [InstanceState.UNKNOWN]


def test_trouble_of_diego_is_not_a_dead_instance(foundation, cloud):
    """While stats cannot be had the whole look fails."""
    foundation.script(OF_WORKER, Answer(503, {"errors": [{"detail": "Stats server unavailable"}]}))

    with pytest.raises(UnreachableError, match="Stats server unavailable"):
        cloud.apps()


@pytest.mark.parametrize(
    "body",
    [[], {}, {"envelopes": {}}, {"envelopes": {"batch": [{}]}}, {"envelopes": {"batch": [{"timestamp": "soon"}]}}],
    ids=str,
)
def test_logs_that_cannot_be_read_are_a_port_error(foundation, connect, body):
    """Log lines of another shape are an error with a sentence."""
    foundation.script("/api/v1/read/a", body)

    with pytest.raises(PortError, match="Cloud Foundry's answer about an app's logs cannot be read"):
        recent(connect(foundation.url), "a")


def test_every_request_of_a_session_is_to_its_own_foundation(foundation, cloud):
    """Seen from the wire: the token goes with each request to the API and with none before the login."""
    cloud.apps()
    with_token = [one.line for one in foundation.requests if one.headers.get("Authorization", "").startswith("bearer ")]

    assert foundation.lines()[:2] == ["GET /", f"POST {TOKEN}"]
    assert with_token == foundation.lines()[2:]
    assert httpx2.URL(foundation.url).host == "127.0.0.1"
