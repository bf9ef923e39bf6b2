"""What people and programs are called: no name from outside is long, odd, or one of Celeriac's own."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from celeriac.core.access import KEEPER, Actor, Means
from celeriac.core.incident import KEEPER as BY_ITSELF
from celeriac.core.naming import LONGEST_NAME, RESERVED

texts = st.text(max_size=300) | st.sampled_from(sorted(RESERVED))


@given(texts, texts, st.sampled_from([one for one in Means if one is not Means.ITSELF]))
@example("keeper", "", Means.PROVIDER)
@example("", "keeper", Means.PASSWORD)
@example("\u200bKeeper\x00 ", "", Means.MACHINE)
@example("ｋeeper", "ｋeeper", Means.API_TOKEN)
@example(f"keeper{' ' * 2000}x", "u", Means.PROVIDER)
def test_nobody_is_called_what_celeriac_calls_itself(name, subject, means):
    actor = Actor(subject, means=means, name=name)

    for said, longest in ((actor.called, LONGEST_NAME), (actor.signed, 2 * LONGEST_NAME + 3)):
        assert said.isprintable()
        assert said.casefold() not in RESERVED
        assert 0 < len(said) <= longest


def test_the_keeper_is_called_so_and_its_own_word_is_reserved():
    assert (KEEPER.called, KEEPER.signed) == ("the keeper", "the keeper")
    assert {KEEPER.called, BY_ITSELF} <= RESERVED


@pytest.mark.parametrize(
    ("name", "subject", "called", "signed"),
    [
        ("Ada", "u-1", "Ada", "Ada (u-1)"),
        ("", "u-1", "u-1", "u-1"),
        ("u-1", "u-1", "u-1", "u-1"),
        ("The  Keeper", "u-1", "The Keeper (u-1)", "The Keeper (u-1)"),
        ("keeper", "keeper", "keeper (keeper)", "keeper (keeper)"),
        ("ada\n\x1b[2Jx", "u-1", "ada [2Jx", "ada [2Jx (u-1)"),
        ("Zoë Müller", "", "Zoë Müller", "Zoë Müller"),
    ],
)
def test_names_as_they_are_shown(name, subject, called, signed):
    actor = Actor(subject, name=name, means=Means.PROVIDER)

    assert (actor.called, actor.signed) == (called, signed)
