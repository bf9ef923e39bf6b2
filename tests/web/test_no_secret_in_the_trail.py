"""Whatever people write and workers are called, no secret of it is in the trail, in its lines, on its page or in an export."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.app.access.acting import Register
from celeriac.app.access.audit_queries import AuditQueries
from celeriac.app.auditing import ToldAudit
from celeriac.app.commands import Commands
from celeriac.app.keeper_trail import KeeperTrail
from celeriac.app.queries import Queries
from celeriac.app.sources import Sources
from celeriac.core.access import EVERYTHING, Actor, Means, Right
from celeriac.core.audit import AuditFilter
from celeriac.core.errors import DeniedError
from celeriac.core.incident import Deed, RemedyState, Word, WordState
from celeriac.core.memory import Changes
from celeriac.core.model import Place
from web import samples

FORMS = (
    "password={}",
    "PASSWORD: {}",
    "PGPASSWORD={} psql -h db",
    '{{"token": "{}"}}',
    "client_secret={}&grant_type=x",
    "api_key = '{}'",
    "Authorization: Bearer {}",
    "redis://celery:{}@10.0.0.7:6379/0",
    "amqps://shop:{}@rabbit/shop",
    "eyJhbGciOiJSUzI1NiJ9.{}.c2ln",
    "$argon2id$v=19$m=65536,t=3,p=4${}$aGFzaA",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
)
SECRET = st.text("abcdefghijkmnpqrstuvwxyz23456789", min_size=16, max_size=32).map("Zq".__add__)
AROUND = st.text(st.characters(exclude_characters="\"'`", exclude_categories=["Cs"]), max_size=30)


class Lines:
    """What was told."""

    def __init__(self):
        self.told = []

    def tell(self, line):
        self.told.append(line)


class Office:
    """A console whose trail is told, somebody who gives orders in it, and the keeper."""

    def __init__(self, called="ana"):
        self.world, self.lines = samples.night_world(), Lines()
        self.audit = ToldAudit(self.world.audit, self.lines)
        self.acting = Register(self.audit, lambda: self.world.time).acting(
            Actor("sub-1", EVERYTHING, Means.PROVIDER, called, "10.1.2.3", "session s-1")
        )
        queries = Queries(self.world.service.library, self.acting)
        world = self.world
        self.commands = Commands(queries, world.journal, world.requests, lambda: world.time, self.acting)

    def all(self) -> str:
        """Return all that is kept, told, read and exported."""
        kept = repr(self.world.audit.trail)
        told = b"\n".join(self.lines.told).decode()
        for line in self.lines.told:
            assert json.loads(line)["log"] == "celeriac.audit"
            assert b"\n" not in line
        return (
            kept + told + repr(list(AuditQueries(self.audit, self.acting, Sources([])).export(AuditFilter(1), "csv")))
        )


@st.composite
def leaks(draw):
    """Return a text that holds a secret, and the secret."""
    secret = draw(SECRET)
    return f"{draw(AROUND)} {draw(st.sampled_from(FORMS)).format(secret)} {draw(AROUND)}", secret


@given(leaks())
@settings(max_examples=100, deadline=None)
def test_reasons_hold_no_secret(leak):
    text, secret = leak
    office = Office()
    office.commands.hold("inc-hung", text)
    office.commands.close("inc-hung", text)
    office.commands.pausing.pause(text, 60.0, "orders")
    office.commands.pausing.resume("orders")

    assert len(office.lines.told) == 4
    assert secret not in office.all()


@given(leaks())
@settings(max_examples=50, deadline=None)
def test_names_of_workers_and_people_hold_no_secret(leak):
    """A node is called whatever its command line says; a provider calls people as it likes."""
    text, secret = leak
    office = Office(called=text)
    place = Place("orders", node=text)
    office.world.journal.stories["inc-hung"] = replace(office.world.hung, place=place, node=text)
    office.commands.approve("inc-hung")
    with pytest.raises(DeniedError):
        Register(office.audit, lambda: 0.0).acting(Actor("x", name=text, address=text)).need(
            Right.ADMINISTER, "order", "orders", text
        )

    assert len(office.lines.told) == 2
    assert secret not in office.all()


@given(leaks())
@settings(max_examples=50, deadline=None)
def test_what_the_keeper_tells_holds_no_secret(leak):
    """A platform's or broker's own words are in the story, and with it in the trail."""
    text, secret = leak
    office = Office()
    trail = KeeperTrail(office.audit)
    refused = samples.ordered(office.world, state=RemedyState.REFUSED, note=text, actor=text)
    word = Word("w", "orders", "inc-hung", Deed.HOLD, text, 0.0, text, WordState.LAPSED, note=text)
    trail.committed(Changes((office.world.hung,), (refused,), words=(word,)), 0.0)

    assert len(office.lines.told) == 2
    assert secret not in office.all()
