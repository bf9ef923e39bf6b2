"""The users file: read again when it changes, refused at the start if it is wrong, and passwords that are slow on purpose."""

import os
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from structlog.testing import capture_logs

from celeriac.access_ports import PasswordUser
from celeriac.adapters.passwords import Argon2Passwords
from celeriac.adapters.users_file import UsersFile, changing
from celeriac.core.access import Grant, Role
from celeriac.core.errors import SettingsError, ThrottledError

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43
ADA = f'[[user]]\nname = "ada"\nrole = "admin"\nhash = "{HASH}"\n'
BO = f'[[user]]\nname = "bo"\nrole = "viewer"\nhash = "{HASH}"\nclusters = ["shop"]\npayloads = true\n'

EVA = f'[[user]]\nname = "eva"\nrole = "viewer"\nhash = "{HASH}"\n'


@pytest.fixture
def path(tmp_path):
    return written(tmp_path / "users.toml", ADA)


def written(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_its_users_are_found_by_their_exact_names(path):
    written(path, ADA + BO)
    people = UsersFile(path)

    assert people.find("bo") == PasswordUser("bo", HASH, Grant(Role.VIEWER, ("shop",), payloads=True))
    assert people.find("Bo") is people.find("") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nobody in it has the role admin"),
        (BO, "nobody in it has the role admin"),
        (ADA + 'clusters = ["shop"]', "nobody in it has the role admin"),
        (ADA + 'apps = ["x"]', "nobody in it has the role admin"),
        (ADA + ADA, "two users 'ada'"),
        (ADA + ADA.replace('"ada"', '"Ada"'), "two users 'Ada'"),
        (ADA.replace('"ada"', '"a da"'), "is no name"),
        (ADA.replace('"ada"', '"ada\\n"'), "is no name"),
        (ADA.replace("admin", "boss"), r"Invalid enum value 'boss' - at `\$.user\[0\].role`"),
        (ADA + "colour = 1", "unknown field `colour`"),
        ("user = 3", "Expected `array`"),
        ("[[users]]", "unknown field `users`"),
        ("no toml", "is no TOML"),
        (ADA.replace(HASH, "hunter2-in-clear"), "the hash of ada is not one of argon2"),
    ],
)
def test_what_is_wrong_is_refused_at_the_start_without_a_hash_in_the_sentence(path, text, said):
    written(path, text)
    with pytest.raises(SettingsError, match=said) as caught:
        UsersFile(path)
    assert HASH not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"not there|cannot be looked at"):
        UsersFile(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("mode", "well"), [(0o600, True), (0o640, True), (0o660, True), (0o604, False), (0o602, False)]
)
def test_a_file_that_everybody_may_read_is_refused(path, mode, well):
    path.chmod(mode)
    if well:
        assert UsersFile(path).find("ada")
    else:
        with pytest.raises(SettingsError, match="chmod o="):
            UsersFile(path)


def test_a_change_is_seen(path):
    people = UsersFile(path)
    written(path, ADA + BO)
    assert people.find("bo")

    written(path, ADA)
    assert people.find("bo") is None


def test_a_file_put_in_its_place_is_seen_even_if_size_and_time_are_the_same(path, tmp_path):
    people = UsersFile(path)
    before = path.stat()
    new = written(tmp_path / "new", ADA.replace('"ada"', '"eva"'))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(path)

    assert people.find("eva")
    assert people.find("ada") is None


@pytest.mark.parametrize(
    "breaks",
    [
        lambda p: written(p, "no toml"),
        lambda p: written(p, ADA + BO, 0o644),
        lambda p: p.chmod(0o644),
        lambda p: p.unlink(),
    ],
    ids=["no toml", "open and longer", "open", "gone"],
)
def test_who_was_there_last_stays_while_it_is_wrong_and_that_is_said_once(path, breaks):
    people = UsersFile(path)
    with capture_logs() as logs:
        breaks(path)
        assert all(people.find("ada") for _ in range(3))
    assert [one["event"] for one in logs] == [
        "the users file is not taken, and who was in it before and still is stays"
    ]

    path.unlink(missing_ok=True)
    written(path, ADA.replace('"ada"', '"eva"'))
    assert people.find("ada") is None
    assert people.find("eva")


@pytest.mark.parametrize(
    ("text", "mode", "left"),
    [
        (ADA, 0o644, {"ada"}),
        (ADA + BO + EVA, 0o644, {"ada", "bo"}),
        (ADA + BO.replace("viewer", "admin"), 0o644, {"ada"}),
        (ADA.replace("A" * 43, "B" * 43) + BO, 0o644, {"bo"}),
        (BO, 0o600, {"bo"}),
        ("no toml", 0o600, {"ada", "bo"}),
        ("", 0o600, {"ada", "bo"}),
    ],
    ids=["removed", "added", "promoted", "another password", "no admin", "no toml", "empty"],
)
def test_a_file_that_is_not_taken_takes_away_all_the_same_and_gives_nothing(path, text, mode, left):
    people = UsersFile(written(path, ADA + BO))

    written(path, text, mode)
    assert {name for name in ("ada", "bo", "eva") if people.find(name)} == left
    assert people.find("bo") is None or people.find("bo").grant.role is Role.VIEWER
    written(path, ADA + BO + EVA)
    assert all(people.find(name) for name in ("ada", "bo", "eva"))


def test_a_cluster_that_there_is_not_is_told_at_the_start_and_with_each_change(path):
    written(path, ADA + BO)
    with capture_logs() as logs:
        people = UsersFile(path, ["orders", "mail"])
        UsersFile(path, ["orders", "shop"])
    assert [one["event"] for one in logs] == ["the users file names clusters that there are not: shop"]

    with capture_logs() as logs:
        written(path, ADA + BO + EVA.replace("viewer", "operator"))
        assert people.find("eva")
    assert [one["log_level"] for one in logs] == ["info", "warning"]


def test_many_who_change_it_at_once_lose_nobody(path):
    def add(number):
        with changing(path) as users:
            users.append(PasswordUser(f"u{number}", HASH, Grant(Role.VIEWER)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(24)))
    people = UsersFile(path)
    assert all(people.find(f"u{number}") for number in range(24))
    assert [one.name for one in path.parent.iterdir()] == ["users.toml"]


def test_a_change_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    """As where the disk is full."""

    def full(_):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"), changing(path) as users:
        users.append(PasswordUser("bo", HASH, Grant(Role.VIEWER)))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["users.toml"]


# Passwords


def test_a_password_fits_its_own_hash_only():
    passwords = Argon2Passwords()
    hashed = passwords.hash("correct horse é")

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.fits("correct horse é", hashed)
    assert not passwords.fits("correct horse e", hashed)
    assert not passwords.fits("correct horse é", None)
    assert not passwords.fits("", hashed)
    assert not passwords.fits("half \ud800", hashed)
    assert not passwords.fits("correct horse é", "no hash")


def test_a_name_that_nobody_has_takes_as_long(monkeypatch):
    """It is looked at in the same way, with the same parameters."""
    passwords, looked = Argon2Passwords(), []
    hashed = passwords.hash("p" * 12)
    monkeypatch.setattr(passwords, "_verified", lambda given, hashed: looked.append((given, hashed[:31])) or True)
    assert passwords.fits("x", hashed)
    assert not passwords.fits("x", None)

    assert looked[0] == looked[1]


def test_what_is_too_long_is_not_looked_at(monkeypatch):
    passwords = Argon2Passwords()
    hashed = passwords.hash("x" * 1024)
    assert passwords.fits("x" * 1024, hashed)
    with pytest.raises(ValueError, match="at most 1,024"):
        passwords.hash("é" * 513)

    monkeypatch.setattr(passwords, "_verified", None)
    assert not passwords.fits("x" * 1025, hashed)
    assert not passwords.fits("é" * 513, None)


def test_only_so_many_are_looked_at_at_once(monkeypatch):
    """Two; one waits its turn, and a fourth is told at once to come back."""
    passwords = Argon2Passwords(2, 1, wait_s=30)
    going, most, now = threading.Event(), [], []
    entered = threading.Semaphore(0)

    def slow(*_):
        now.append(1)
        most.append(len(now))
        entered.release()
        going.wait(20)
        now.pop()
        return True

    monkeypatch.setattr(passwords, "_verified", slow)
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(passwords.fits, "x", HASH) for _ in range(2)]
        assert entered.acquire(timeout=10)
        assert entered.acquire(timeout=10)
        jobs += [threads.submit(passwords.fits, "x", HASH) for _ in range(2)]
        (done,) = wait(jobs[2:], 10, FIRST_COMPLETED).done
        assert isinstance(done.exception(), ThrottledError)
        going.set()
        assert [job.result() for job in jobs if job is not done] == [True] * 3
    assert max(most) == 2


def test_who_waits_too_long_is_told_to_come_back(monkeypatch):
    passwords = Argon2Passwords(1, 5, wait_s=0.05)
    inside, going = threading.Event(), threading.Event()
    monkeypatch.setattr(passwords, "_verified", lambda *_: inside.set() or going.wait(20))
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(passwords.fits, "x", HASH)
        assert inside.wait(10)
        with pytest.raises(ThrottledError, match="some seconds") as caught:
            passwords.fits("x", HASH)
        going.set()
        assert job.result()
    assert caught.value.after_s == 0.05
    assert passwords.fits("x", HASH)
