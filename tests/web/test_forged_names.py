"""Somebody whom their provider calls as Celeriac calls itself stays a person, in orders, pauses and the audit trail."""

import pytest

from celeriac.app.access.sessions import Visitor
from celeriac.core.access import Identity, Means
from celeriac.core.signon import SignedOn
from web.entering import OWN, Entrance


@pytest.mark.parametrize("name", ["keeper", "The Keeper", "Keeper\u200b"])
def test_an_order_of_somebody_called_as_the_keeper_is_a_persons(world, tmp_path, name):
    entrance = Entrance(world, tmp_path)
    opened = entrance.desk.open(
        SignedOn(Identity("u-17", ("celeriac-responders",)), name), Means.PROVIDER, Visitor("127.0.0.1")
    )
    client = entrance.make()
    client.cookies.set("celeriac", opened.secret)
    said = f"{name.strip(chr(0x200B))} (u-17)"

    assert client.post("/api/v1/workers/orders-worker/1/restart", headers=OWN).json()["actor"] == said
    (order,) = world.requests.asked.values()
    assert order.by_person
    assert world.audit.trail[-1].actor == said
    assert client.post("/api/v1/pause", json={"reason": "x", "for_s": 60}, headers=OWN).status_code == 201
    assert [one.actor for one in world.pauses.all.values()] == [said]
