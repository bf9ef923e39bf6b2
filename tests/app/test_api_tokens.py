"""API tokens: who makes them, how much they carry, and when they end."""

import pytest
from msgspec.structs import replace

from celeriac.app.access.api_tokens import DAY_S, MOST_EACH
from celeriac.core.access import Actor, Grant, Means, Right, Role
from celeriac.core.errors import ConflictError, DeniedError, MissingError, SignOnError
from web import samples
from web.signed_on import ADMINS, VIEWERS, Team

ADDRESS = "10.1.2.3"
VIEWING = Grant(Role.VIEWER)


@pytest.fixture
def team():
    return Team(samples.night_world())


def person(team, name, *groups, means=Means.PROVIDER):
    opened = team.arrive(name, *groups, means=means)
    return team.world.service.register.acting(team.desk.actor(opened.secret, ADDRESS, active=True))


def test_a_token_carries_its_grant_until_it_ends(team):
    made = team.tokens.make(person(team, "anna", ADMINS), "report", Grant(Role.OPERATOR, ("orders",)), 3)

    holder = team.tokens.actor(made.secret, ADDRESS)

    assert made.secret.startswith("clt_")
    assert len(made.secret) == len("clt_") + 43
    assert holder.grants == (Grant(Role.OPERATOR, ("orders",)),)
    assert (holder.means, holder.called) == (Means.API_TOKEN, "report (API token of Anna)")
    assert made.token.until == team.world.time + 3 * DAY_S
    assert team.kept_tokens.all()[0].used_from == ADDRESS


def test_its_secret_stands_nowhere(team):
    made = team.tokens.make(person(team, "anna", ADMINS), "report", VIEWING)

    assert made.secret not in repr((team.kept_tokens.kept, team.world.audit.trail))


@pytest.mark.parametrize(
    "asked",
    [
        Grant(Role.RESPONDER),
        Grant(Role.ADMIN, ("orders",)),
        Grant(Role.OPERATOR, ("mail",)),
        Grant(Role.VIEWER, payloads=True),
    ],
)
def test_no_token_carries_more_than_its_maker_has(team, asked):
    maker = person(team, "oscar", "on-call")

    with pytest.raises(DeniedError, match="more than you have"):
        team.tokens.make(maker, "mine", asked)

    assert team.kept_tokens.all() == []
    assert any("make an API token" in one for one in team.denials())


@pytest.mark.parametrize("grant", [Grant(Role.ADMIN), Grant(Role.ADMIN, ("orders",)), Grant(Role.ADMIN, (), ("web",))])
def test_no_token_carries_the_role_admin_as_it_outlives_its_makers(team, grant):
    with pytest.raises(DeniedError, match="none carries the role admin"):
        team.tokens.make(person(team, "anna", ADMINS), "robot", grant)
    assert team.kept_tokens.all() == []


def test_a_token_makes_no_tokens(team):
    made = team.tokens.make(person(team, "anna", ADMINS), "robot", Grant(Role.RESPONDER, payloads=True))
    robot = team.world.service.register.acting(team.tokens.actor(made.secret, ADDRESS))

    with pytest.raises(DeniedError, match="by way of API token"):
        team.tokens.make(robot, "child", VIEWING)


@pytest.mark.parametrize("means", [Means.BREAK_GLASS, Means.MACHINE, Means.NONE, Means.ITSELF])
def test_who_is_no_person_of_their_own_makes_none(team, means):
    acting = team.world.service.register.acting(Actor("root", (Grant(Role.ADMIN, payloads=True),), means))

    with pytest.raises(DeniedError, match="by people who have signed on themselves"):
        team.tokens.make(acting, "mine", VIEWING)


def test_an_unknown_token_is_refused_and_told_once_a_minute(team):
    for _ in range(3):
        with pytest.raises(SignOnError, match="not known"):
            team.tokens.actor("clt_" + "x" * 43, ADDRESS)

    assert len(team.denials()) == 1
    assert "clt_" not in team.denials()[0]


def test_a_revoked_token_is_refused(team):
    anna = person(team, "anna", ADMINS)
    made = team.tokens.make(anna, "report", VIEWING)
    team.tokens.revoke(anna, made.token.id)

    with pytest.raises(SignOnError, match="was revoked by Anna"):
        team.tokens.actor(made.secret, ADDRESS)
    assert team.denials()


def test_a_token_past_its_time_is_refused(team):
    made = team.tokens.make(person(team, "anna", ADMINS), "report", VIEWING, 1)
    team.world.time += DAY_S

    with pytest.raises(SignOnError, match="ended on"):
        team.tokens.actor(made.secret, ADDRESS)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_none_lasts_longer_than_a_year(team, days):
    with pytest.raises(ConflictError, match="from 1 to 365 days"):
        team.tokens.make(person(team, "anna", ADMINS), "report", VIEWING, days)


def test_one_person_has_only_so_many(team):
    anna = person(team, "anna", ADMINS)
    for number in range(MOST_EACH):
        team.tokens.make(anna, f"number {number}", VIEWING)

    with pytest.raises(ConflictError, match="revoke one first"):
        team.tokens.make(anna, "one more", VIEWING)


def test_people_see_and_revoke_their_own_and_administrators_all(team):
    vera, victor, anna = person(team, "vera", VIEWERS), person(team, "victor", VIEWERS), person(team, "anna", ADMINS)
    made = team.tokens.make(vera, "hers", VIEWING)

    assert team.tokens.listed(victor) == []
    with pytest.raises(DeniedError):
        team.tokens.revoke(victor, made.token.id)
    assert [one.maker for one in team.tokens.listed(anna)] == ["Vera"]
    assert team.tokens.revoke(anna, made.token.id).revoked_by == "Anna"
    with pytest.raises(MissingError):
        team.tokens.revoke(anna, "none")


def test_a_program_called_like_a_person_has_nothing_of_theirs(team):
    vera = person(team, "vera", VIEWERS)
    team.tokens.make(vera, "hers", VIEWING)
    namesake = Actor("vera", (VIEWING,), Means.MACHINE)
    acting = team.world.service.register.acting(namesake)

    assert team.tokens.listed(acting) == []
    assert team.signing_on.standing.listed(acting) == []
    with pytest.raises(DeniedError):
        team.tokens.revoke(acting, team.kept_tokens.all()[0].id)
    with pytest.raises(DeniedError):
        team.signing_on.standing.end(acting, team.sessions.standing(0)[0].id)


def test_a_token_keeps_its_grant_when_its_maker_loses_the_role(team):
    made = team.tokens.make(person(team, "anna", ADMINS), "report", Grant(Role.OPERATOR))
    team.sessions.kept = {
        key: replace(one, identity=replace(one.identity, groups=())) for key, one in team.sessions.kept.items()
    }

    assert team.tokens.actor(made.secret, ADDRESS).may(Right.TASKS, "orders", "shop")
