"""What a provider says somebody is called."""

from celeriac.oidc import claims


def test_a_name_is_one_short_line_of_the_first_claim_that_has_something_to_show():
    told = {"preferred_username": "\u200b\n", "email": f"ada\x1b[2J{'y' * 100_000}", "name": "Ada"}

    name = claims.name(told, ("preferred_username", "email", "name"))
    assert name.startswith("ada [2J")
    assert len(name) == 100
    assert claims.name({"name": ["Ada"]}, ("name",)) == ""
