"""Who may do what: the ordered table of roles, scopes, groups and their names. What nobody grants is denied."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.access import (
    EVERYTHING,
    RIGHTS,
    Actor,
    Grant,
    Identity,
    Right,
    Role,
    Rule,
    common_name,
    granted,
    matches,
    names,
    without_admin,
)

VIEWER, OPERATOR, RESPONDER, ADMIN = Role.VIEWER, Role.OPERATOR, Role.RESPONDER, Role.ADMIN

A_VIEW = Grant(VIEWER)

places = st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple)
grants = st.builds(Grant, st.sampled_from(Role), places, places, st.booleans())
somewhere = st.sampled_from([None, "a", "b", "c"])
rights = st.sampled_from(Right)


def may(grants, right, cluster=None, app=None):
    return Actor("ada", tuple(grants)).may(right, cluster, app)


# Default deny, roles


@given(rights, somewhere, somewhere)
def test_who_has_no_grant_may_nothing(right, cluster, app):
    assert not may([], right, cluster, app)
    assert Actor("ada").role is None


@given(rights, somewhere, somewhere)
def test_where_there_is_no_sign_on_everything_is_allowed(right, cluster, app):
    assert may(EVERYTHING, right, cluster, app)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (VIEWER, {Right.SEE}),
        (OPERATOR, {Right.SEE, Right.TASKS}),
        (RESPONDER, {Right.SEE, Right.TASKS, Right.REMEDIES}),
        (ADMIN, {Right.SEE, Right.TASKS, Right.REMEDIES, Right.ADMINISTER}),
    ],
)
def test_the_rights_of_each_role(role, expected):
    assert {right for right in Right if may([Grant(role)], right)} == expected


def test_each_role_has_all_that_the_one_before_has():
    ordered = [RIGHTS[role] for role in (VIEWER, OPERATOR, RESPONDER, ADMIN)]

    assert all(less < more for less, more in pairwise(ordered))
    assert Actor("ada", (Grant(OPERATOR, ("a",)), Grant(ADMIN, ("b",)), Grant(VIEWER))).role is ADMIN


# The first covering row decides


@given(st.lists(grants, max_size=4), rights, somewhere, somewhere)
def test_the_first_row_that_covers_a_place_decides_there(table, right, cluster, app):
    if right is Right.SEE and app is None and cluster is not None:
        expected = any(not one.clusters or cluster in one.clusters for one in table)
    else:
        deciding = [one for one in table if one.covers(cluster, app)][:1]
        expected = any(one.carries(right) for one in deciding)

    assert may(table, right, cluster, app) == expected


def test_a_weaker_row_before_a_stronger_one_decides():
    table = [Grant(VIEWER, ("prod",)), Grant(ADMIN)]

    assert not may(table, Right.REMEDIES, "prod")
    assert may(table, Right.REMEDIES, "test")
    assert may(table, Right.ADMINISTER)


# Scopes


@given(grants, rights, st.sampled_from("abc"), somewhere)
def test_a_grant_gives_nothing_in_a_cluster_that_it_does_not_name(grant, right, cluster, app):
    if grant.clusters and cluster not in grant.clusters:
        assert not may([grant], right, cluster, app)
        assert not Actor("ada", (grant,)).sees(cluster)


@given(grants, rights)
def test_a_scoped_grant_gives_nothing_over_all_clusters(grant, right):
    if grant.clusters or grant.apps:
        assert not may([grant], right)


@pytest.mark.parametrize("role", Role)
def test_a_grant_for_an_app_lets_see_its_cluster_and_do_nothing_more_to_it(role):
    grant = Grant(role, ("shop",), ("orders",), payloads=True)

    assert {right for right in Right if may([grant], right, "shop")} == {Right.SEE}
    assert {right for right in Right if may([grant], right, "shop", "orders")} == RIGHTS[role]
    assert not any(may([grant], right, "shop", "billing") for right in Right)
    assert not any(may([grant], right, "mail") or may([grant], right) for right in Right)


@given(st.lists(grants, max_size=4), somewhere, somewhere)
def test_payloads_come_only_with_a_grant_of_them_that_names_no_app(table, cluster, app):
    if may(table, Right.PAYLOADS, cluster, app):
        assert any(one.payloads and not one.apps for one in table)


def test_payloads_come_with_no_role():
    assert not may([Grant(ADMIN)], Right.PAYLOADS)
    assert may([Grant(VIEWER, payloads=True)], Right.PAYLOADS, "shop")


def test_a_grant_in_words():
    assert Grant(ADMIN).text == "admin in all clusters"
    assert Grant(VIEWER, ("a", "b"), payloads=True).text == "viewer in cluster a, b, with payloads"
    assert Grant(VIEWER, ("a",), ("x",), payloads=True).text == "viewer in cluster a, app x"


# Groups and their names


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("CN=Celery Admins,OU=Groups,DC=example", "Celery Admins"),
        (" cn = admins ,ou=x", "admins"),
        ("CN=admins", "admins"),
        (r"CN=Ops\, Night,OU=x", "Ops, Night"),
        (r"CN=Ops\2C Night,OU=x", "Ops, Night"),
        (r"CN=Ops\2c Night", "Ops, Night"),
        (r"CN=Lu\C4\8Di\C4\87,OU=x", "Lučić"),
        (r"CN=\E9quipe", "�quipe"),
        (r"CN=a\+b+OU=c", "a+b"),
        ("CN=a;OU=b", "a"),
        (r"CN=C\5C\\D", "C\\\\D"),
        (r"CN=foo\ ,OU=x", "foo "),
        (r"CN=foo\20", "foo "),
        (r"CN=\ foo  ,OU=x", " foo"),
        ("CN=équipe é,OU=x", "équipe é"),
        ("CN=a\\", "a"),
        ("CN=", ""),
        ("OU=admins,CN=x", None),
        ("admins", None),
        ("xcn=admins", None),
        ("", None),
    ],
)
def test_the_common_name_of_a_distinguished_name(told, name):
    assert common_name(told) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_back_from_its_escaped_form(name):
    escaped = "".join(f"\\{byte:02x}" for byte in name.encode())

    assert common_name(f"CN={escaped},OU=x") == name


@given(st.text())
def test_no_text_of_a_provider_is_too_odd(told):
    assert names(f"CN={told}")
    assert names(told)


def rule(group=None, client=None, scope=None, grant=A_VIEW):
    return Rule(grant, group, client, scope)


@pytest.mark.parametrize(
    ("row", "identity", "fits"),
    [
        (rule("Admins"), Identity("ada", ("x", "ADMINS")), True),
        (rule("admins"), Identity("ada", ("CN=Admins,OU=x",)), True),
        (rule("cn=admins,ou=X"), Identity("ada", ("CN=Admins,OU=x",)), True),
        (rule("CN=admins,OU=y"), Identity("ada", ("CN=admins,OU=x",)), False),
        (rule("admins"), Identity("ada", ("CN=admins2,OU=x", "OU=admins", "admin")), False),
        (rule("admins"), Identity("ada", (r"CN=admins\2COU=x",)), False),
        (rule("admins"), Identity("ada"), False),
        (rule("admins"), Identity("admins", ("",)), False),
        (rule(""), Identity("ada", ("",)), True),
        (rule(client="ci"), Identity("x", client="ci"), True),
        (rule(client="ci"), Identity("x", client="CI"), False),
        (rule(client="ci"), Identity("ci"), False),
        (rule(scope="celeriac"), Identity("x", scopes=("a", "celeriac")), True),
        (rule(scope="celeriac"), Identity("x", scopes=("celeriac.more",)), False),
        (rule("g", "ci"), Identity("x", ("g",), "ci"), True),
        (rule("g", "ci"), Identity("x", ("g",), "other"), False),
        (rule(client="ci", scope="s"), Identity("x", client="ci"), False),
        (rule(), Identity("x", ("g",), "ci", ("s",)), False),
    ],
)
def test_a_row_is_for_whom_all_of_it_fits(row, identity, fits):
    assert matches(row, identity) is fits


def test_grants_keep_the_order_of_the_table():
    table = [rule("b", grant=Grant(VIEWER)), rule("c", grant=Grant(ADMIN)), rule("a", grant=Grant(OPERATOR))]

    assert granted(table, Identity("ada", ("a", "b"))) == (Grant(VIEWER), Grant(OPERATOR))
    assert granted(table, Identity("ada")) == ()


# A table that leaves no admin


@pytest.mark.parametrize(
    ("table", "well"),
    [
        ([], False),
        ([rule("g", grant=Grant(RESPONDER))], False),
        ([rule("g", grant=Grant(ADMIN, ("shop",)))], False),
        ([rule("g", grant=Grant(ADMIN, apps=("x",)))], False),
        ([rule("v"), rule("g", grant=Grant(ADMIN))], True),
        ([rule("g", grant=Grant(VIEWER, ("shop",))), rule("g", grant=Grant(ADMIN))], True),
        ([rule("G"), rule("g", grant=Grant(ADMIN))], False),
        ([rule("g"), rule("CN=g,OU=x", grant=Grant(ADMIN))], False),
        ([rule("g"), rule("g", "ci", grant=Grant(ADMIN))], False),
        ([rule("g", "ci"), rule("g", grant=Grant(ADMIN))], True),
        ([rule("g", grant=Grant(ADMIN)), rule("g")], True),
    ],
)
def test_a_table_that_leaves_no_admin_is_told(table, well):
    assert (without_admin(table) is None) is well
