"""The API as its own description has it, with whatever fits that description, as each role: nothing fails, nobody gets more."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from celeriac.core.access import Grant, Right
from celeriac.web.app import create_app
from web import samples
from web.entering import HERE, PEOPLE, Entrance
from web.test_rights import NEEDS, OPEN, ROLES, SIGNED_ON

STREAMS = {"/api/v1/stream", "/api/v1/apps/{id}/logs/stream"}
KNOWN_IDS = ("orders-worker/2", "orders", "app-guid-1", "inc-hung", "rem-1", samples.task(3).uuid)
EXAMPLES = 5


def described():
    """Return each operation of the API's description by its label."""
    document = create_app(samples.empty_world().service).openapi()
    schema = schemathesis.openapi.from_dict(document)
    found = (one.ok() for one in schema.get_all_operations())
    return {one.label: one for one in found if one.path not in STREAMS}


CALLS = described()
RIGHTS = {route.replace(":path}", "}"): need for route, need in NEEDS.items()}


def may(name, label):
    need = RIGHTS[label]
    return need == OPEN or (name is not None and (need == SIGNED_ON or Grant(ROLES[name]).carries(Right(need))))


def ask(client, case, ids):
    """Ask what was made up, now and then of something that is there."""
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", str(ids if name == "id" and ids else value))
    body = case.body if isinstance(case.body, dict | list) else None
    return client.request(case.method, path, params=case.query or None, json=body)


@pytest.mark.parametrize("name", [None, *ROLES])
@pytest.mark.parametrize("label", sorted(CALLS))
def test_what_fits_the_description_fails_nowhere_and_gives_nobody_more(world, tmp_path, name, label):
    entrance = Entrance(world, tmp_path)
    operation = CALLS[label]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), ids=st.one_of(st.none(), st.sampled_from(KNOWN_IDS)))
    def run(case, ids):
        world.time += 1
        client = entrance.enter(name) if name else entrance.make(HERE)
        status = ask(client, case, ids).status_code
        assert status < 500
        if not may(name, label):
            assert status in ({401} if name is None else {403, 404, 422})

    run()


def test_the_description_holds_what_the_walk_over_rights_holds():
    """Each call of the API that is walked over there is described, and the other way round."""
    walked = {one for one in RIGHTS if "/api/v1/" in one or one in {"GET /healthz", "GET /readyz"}}

    assert {one.replace(":path", "") for one in walked} - {f"GET {path}" for path in STREAMS} == set(CALLS)
    assert set(PEOPLE) >= set(ROLES)
