"""Lock-out: it cannot be got round, and nobody locks somebody else out."""

import threading

import pytest

from celeriac.app.access.password_sign_on import MOST_PLACES, PER_NAME, Account
from celeriac.app.access.sessions import Visitor
from celeriac.core.errors import AccessError, NotTakenError, ThrottledError
from web.entering import HASHED, PASSWORD, Entrance

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"
WRONG = "wrong"


class Plain:
    """Passwords without the time that one takes; keeps what was looked at."""

    def __init__(self):
        self.looked = []
        self.busy = False

    def fits(self, password, hashed):
        if self.busy:
            raise ThrottledError("busy", after_s=5.0)
        self.looked.append(password)
        return hashed == HASHED and password == PASSWORD


@pytest.fixture
def entrance(world, tmp_path):
    glass = Account("break-glass", HASHED, ("10.0.0.0/8", "2001:db8:1::/48"))
    made = Entrance(world, tmp_path, glass=glass, users=True)
    ways = made.signing_on.passwords
    ways._guarded = ways._guarded._replace(passwords=Plain())
    return made


def tried(entrance, name, address, password=WRONG):
    """Return what became of a try: in, wrong or locked."""
    try:
        entrance.signing_on.passwords.sign_on(name, password, Visitor(address))
    except NotTakenError:
        return "wrong"
    except ThrottledError:
        return "locked"
    return "in"


def looked(entrance):
    return len(entrance.signing_on.passwords._guarded.passwords.looked)


@pytest.mark.parametrize("name", ["break-glass", "Break-Glass"])
def test_nobody_outside_locks_break_glass(entrance, name):
    for number in range(300):
        tried(entrance, name, f"192.0.{number // 250}.{number % 250}")
    assert {tried(entrance, name, OUTSIDE) for _ in range(8)} <= {"wrong", "locked"}

    assert tried(entrance, "break-glass", INSIDE, PASSWORD) == "in"


def test_one_inside_does_not_lock_break_glass_for_another(entrance):
    for number in range(300):
        tried(entrance, "break-glass", f"10.9.{number // 250}.{number % 250}")
    for _ in range(6):
        tried(entrance, "break-glass", "10.9.9.9")

    assert tried(entrance, "break-glass", "10.9.9.9", PASSWORD) == "locked"
    assert tried(entrance, "break-glass", INSIDE, PASSWORD) == "in"


def test_break_glass_looks_like_any_name_from_outside(entrance):
    def told(name, address):
        return [tried(entrance, name, address) for _ in range(7)]

    assert told("break-glass", OUTSIDE) == told("nobody", "192.0.2.2") == ["wrong"] * 5 + ["locked"] * 2


def test_a_stranger_does_not_lock_somebody_elsewhere(entrance):
    assert [tried(entrance, "ada", OUTSIDE) for _ in range(7)] == ["wrong"] * 5 + ["locked"] * 2

    assert tried(entrance, "ada", OUTSIDE, PASSWORD) == "locked"
    assert tried(entrance, "ada", "127.0.0.1", PASSWORD) == "in"


def test_tries_from_everywhere_are_limited_and_not_for_the_places_of_its_person(entrance, world):
    assert tried(entrance, "ada", "127.0.0.1", PASSWORD) == "in"
    answers = [tried(entrance, "ada", f"192.0.2.{number}") for number in range(5 * PER_NAME + 20)]

    assert answers == ["wrong"] * 5 * PER_NAME + ["locked"] * 20
    assert tried(entrance, "ada", "127.0.0.1", PASSWORD) == "in"
    assert tried(entrance, "ada", "127.0.0.2", PASSWORD) == "locked"
    assert tried(entrance, "vera", "127.0.0.2", PASSWORD) == "in"
    world.time += 901
    assert tried(entrance, "ada", "127.0.0.2", PASSWORD) == "in"


def test_addresses_of_one_ipv6_network_are_one(entrance):
    assert [tried(entrance, "ada", f"2001:db8::{number:x}") for number in range(6)] == ["wrong"] * 5 + ["locked"]
    for number in range(20):
        tried(entrance, f"name {number}", f"2001:db8::{number:x}")

    assert tried(entrance, "vera", "2001:db8::ffff", PASSWORD) == "locked"
    assert tried(entrance, "vera", "2001:db8:0:1::1", PASSWORD) == "in"


def test_an_ipv4_address_written_as_ipv6_is_the_same(entrance):
    for _ in range(5):
        tried(entrance, "ada", "::ffff:192.0.2.1")

    assert tried(entrance, "ada", OUTSIDE, PASSWORD) == "locked"
    assert tried(entrance, "break-glass", f"::ffff:{INSIDE}", PASSWORD) == "in"


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.{}"])
def test_of_many_tries_at_once_no_more_are_looked_at_than_may(entrance, address):
    entrance.signing_on.passwords._guarded = entrance.signing_on.passwords._guarded._replace(tries=1)
    begun = threading.Barrier(40)

    def go(number):
        begun.wait(10)
        tried(entrance, "ada", address.format(number))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(40)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert looked(entrance) == (1 if address == OUTSIDE else PER_NAME)


def test_what_was_right_or_not_looked_at_is_not_counted(entrance):
    passwords = entrance.signing_on.passwords._guarded.passwords
    passwords.busy = True
    assert {tried(entrance, "ada", OUTSIDE) for _ in range(30)} == {"locked"}
    passwords.busy = False
    assert {tried(entrance, "ada", OUTSIDE, PASSWORD) for _ in range(30)} == {"in"}

    assert tried(entrance, "ada", OUTSIDE) == "wrong"


def test_places_are_not_remembered_without_end(entrance):
    ways = entrance.signing_on.passwords
    for number in range(MOST_PLACES + 5):
        ways._remember_place("ada", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(ways._places) == MOST_PLACES


def test_wrong_passwords_from_everywhere_do_not_fill_the_trail(entrance, world):
    before = len(world.audit.trail)
    for number in range(200):
        with pytest.raises(AccessError):
            entrance.signing_on.passwords.sign_on(f"name {number}", "wrong", Visitor(f"192.0.2.{number}"))

    assert len(world.audit.trail) - before == 60
