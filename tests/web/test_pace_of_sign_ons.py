"""Signing on at a provider, by somebody who begins without end, and at a provider that refuses its part."""

import sqlite3

import pytest

from celeriac.adapters.sql import once
from celeriac.app.access import provider_sign_on
from celeriac.app.access.pace import MOST_KEYS, Pace
from celeriac.app.access.provider_sign_on import LONGEST_ONWARD, OF_ONE_ORIGIN
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.signon import Begun
from celeriac.ports import Outcome
from web.entering import Entrance


class Provider:
    """Begins any sign-on, and ends none."""

    def __init__(self):
        self.begun = 0
        self.trouble = RefusedError("it does not take us for the client (invalid_client)")

    def begin(self, back_to):
        self.begun += 1
        return Begun("https://provider.example/x", f"state-{self.begun}", "n" * 43, "v" * 43)

    def finish(self, begun, back_to, answer):
        raise self.trouble


@pytest.fixture
def entrance(world, tmp_path):
    return Entrance(world, tmp_path, provider=Provider())


def from_(entrance, address):
    return entrance.make(client=(address, 4711))


def test_made_up_answers_do_not_fill_the_trail(entrance, world):
    asked = from_(entrance, "192.0.2.1")
    for number in range(30):
        assert asked.get(f"/auth/callback?state=x{number}&code=y").status_code == 400
    assert len(world.audit.trail) == 1

    for number in range(100):
        from_(entrance, f"198.51.100.{number}").get("/auth/callback?state=x&code=y")
    assert len(world.audit.trail) == 60


@pytest.mark.parametrize("path", ["/auth/begin", "/auth/callback?state=x&code=y"])
def test_one_address_signs_on_so_often(entrance, world, monkeypatch, path):
    monkeypatch.setattr(provider_sign_on, "OF_ONE_ORIGIN", 3)
    entrance.signing_on = entrance.signing_on._replace(
        provider=provider_sign_on.ProviderSignOn(
            Provider(), entrance.store.once(), entrance.desk, world.service.register, entrance.clock
        )
    )
    answers = [from_(entrance, f"2001:db8::{number}").get(path) for number in range(5)]

    assert [one.status_code for one in answers[3:]] == [429, 429]
    assert 429 not in {one.status_code for one in answers[:3]}
    assert "Wait a quarter of an hour, then sign on again." in answers[4].text
    assert answers[4].headers["retry-after"] == "900"
    assert from_(entrance, "2001:db8:0:1::1").get(path).status_code != 429
    world.time += 900
    assert from_(entrance, "2001:db8::1").get(path).status_code != 429
    assert OF_ONE_ORIGIN == 300


def test_a_full_store_is_told_in_a_sentence(entrance, monkeypatch):
    monkeypatch.setattr(once, "AT_MOST", 1)
    assert from_(entrance, "192.0.2.1").get("/auth/begin").status_code == 303
    answer = from_(entrance, "192.0.2.2").get("/auth/begin")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Too many sign-ons have begun and not ended. Try again in a minute." in answer.text


def test_a_long_way_onward_is_not_kept(entrance, tmp_path):
    from_(entrance, "192.0.2.1").get("/auth/begin", params={"next": "/" + "a" * LONGEST_ONWARD})
    (file,) = tmp_path.glob("control*.db")
    with sqlite3.connect(file) as opened:
        (longest,) = opened.execute("select max(length(sealed)) from once").fetchone()
    opened.close()

    assert longest < 500


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (RefusedError("it does not take us for the client (invalid_client)"), 403, "An administrator must see to it"),
        (UnreachableError("no answer within 5 s"), 503, "Sign on again in a minute"),
    ],
)
def test_what_the_provider_does_not_do_is_told_and_kept(world, tmp_path, trouble, status, said):
    provider = Provider()
    provider.trouble = trouble
    asked = from_(Entrance(world, tmp_path, provider=provider), "192.0.2.1")
    asked.get("/auth/begin")
    answer = asked.get("/auth/callback?state=state-1&code=y")

    assert (answer.status_code, said in answer.text, str(trouble) in answer.text) == (status, True, True)
    (row,) = world.audit.trail
    assert (row.action, row.outcome, row.address) == ("sign on", Outcome.FAILED, "192.0.2.1")
    assert str(trouble) in row.detail


def test_what_a_pace_remembers_has_a_bound():
    pace = Pace(1, 60.0)
    for number in range(MOST_KEYS + 10):
        assert pace.took(str(number), 0.0)

    assert len(pace._counted) == MOST_KEYS
    assert not pace.took(str(MOST_KEYS), 59.0)
    assert pace.took(str(MOST_KEYS), 60.0)
    pace.gave_back(str(MOST_KEYS))
    assert pace.took(str(MOST_KEYS), 61.0)
