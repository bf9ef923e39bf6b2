"""Made-up tokens: the provider is not asked for each, and programs whose tokens hold go on."""

import pytest

from celeriac.core.errors import NotTakenError, ThrottledError
from celeriac.oidc.introspection import HOLDS_S, MOST, UNKNOWN_EACH_MINUTE, Introspection


class Asked:
    """A provider that knows tokens that begin with `good`."""

    def __init__(self):
        self.at, self.asked = 1000.0, []
        self.introspection = Introspection(self, lambda: self.at)

    def __call__(self, token):
        self.asked.append(token)
        return {"active": token.startswith("good")}

    def told(self, token):
        try:
            return self.introspection.claims(token)["active"]
        except NotTakenError:
            return False
        except ThrottledError as error:
            return error.after_s


@pytest.fixture
def provider():
    return Asked()


def test_so_many_unknown_tokens_are_asked_for_within_a_minute(provider):
    assert [provider.told(f"made-up-{n}") for n in range(500)] == [False] * UNKNOWN_EACH_MINUTE + [60.0] * 440
    assert len(provider.asked) == UNKNOWN_EACH_MINUTE

    provider.at += 60
    assert provider.told("good-new") is True


def test_a_token_that_has_held_is_asked_for_all_the_same(provider):
    provider.told("good-1")
    provider.at += HOLDS_S
    for n in range(UNKNOWN_EACH_MINUTE + 1):
        provider.told(f"made-up-{n}")

    assert provider.told("good-1") is True
    assert provider.asked[-1] == "good-1"


def test_tokens_that_hold_are_not_counted(provider):
    assert {provider.told(f"good-{n}") for n in range(3 * UNKNOWN_EACH_MINUTE)} == {True}


def test_made_up_tokens_push_no_good_one_out(provider, monkeypatch):
    monkeypatch.setattr("celeriac.oidc.introspection.UNKNOWN_EACH_MINUTE", MOST * 3)
    provider.told("good-1")
    for n in range(MOST * 2):
        provider.told(f"made-up-{n}")

    provider.told("good-1")
    assert provider.asked.count("good-1") == 1
    assert len(provider.introspection._refused) == MOST


def test_good_answers_have_a_bound_of_their_own(provider):
    for n in range(MOST + 5):
        provider.told(f"good-{n}")

    assert len(provider.introspection._good) == MOST
