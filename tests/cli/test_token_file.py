"""The file of tokens: for its owner alone, whole or not at all, each token for its own console."""

import os
import stat

import pytest

from celeriac.cli.token_file import TokenFile, TokenFileError

URL = "https://celeriac.example.com/tools"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "celeriac" / "tokens.json"


@pytest.fixture
def file(path):
    return TokenFile(path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read_it_whatever_the_umask(file, path):
    before = os.umask(0)
    try:
        file.put(URL, "cls_one")
    finally:
        os.umask(before)

    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_that_is_too_open_is_closed(file, path):
    path.parent.mkdir(parents=True, mode=0o755)
    file.put(URL, "cls_one")

    assert mode(path.parent) == 0o700


def test_each_console_has_its_own(file):
    file.put(URL, "cls_one")
    file.put("http://127.0.0.1:5555/", "cls_two")

    assert file.get("HTTPS://Celeriac.Example.com/tools/") == "cls_one"
    assert file.get("http://127.0.0.1:5555") == "cls_two"
    assert file.get("http://celeriac.example.com/tools") is None
    assert file.get("https://celeriac.example.com/Tools") is None
    file.forget(URL)
    assert (file.get(URL), file.get("http://127.0.0.1:5555")) == (None, "cls_two")


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o601])
def test_one_that_others_may_read_is_not_used(file, path, open_to):
    file.put(URL, "cls_one")
    path.chmod(open_to)

    with pytest.raises(TokenFileError, match="is open to others") as refused:
        file.get(URL)
    assert "chmod 600" in str(refused.value)
    with pytest.raises(TokenFileError):
        file.put(URL, "cls_two")


def test_a_link_is_not_followed(file, path, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    elsewhere.chmod(0o600)
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)

    with pytest.raises(TokenFileError, match="cannot be read"):
        file.get(URL)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "\xff"])
def test_a_damaged_one_is_told_in_a_sentence(file, path, content):
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)

    with pytest.raises(TokenFileError, match="is damaged"):
        file.get(URL)


def test_one_that_cannot_be_written_leaves_the_old_one_whole(file, path, monkeypatch):
    file.put(URL, "cls_one")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TokenFileError, match="No space left"):
        file.put(URL, "cls_two")

    assert file.get(URL) == "cls_one"
    assert list(path.parent.iterdir()) == [path]


def test_the_usual_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    TokenFile.usual().put(URL, "one")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    TokenFile.usual().put(URL, "two")

    assert (tmp_path / "celeriac" / "tokens.json").exists()
    assert (tmp_path / "home" / ".config" / "celeriac" / "tokens.json").exists()
