"""A Flower that runs, and a browser before it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from standin.provider import Provider


class Flower:
    """One Flower that runs, and what it wrote."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def browser(self) -> httpx2.Client:
        """Return a browser at its front page; it follows no redirect."""
        return httpx2.Client(
            base_url=self.url, timeout=20, headers={"Accept": "text/html", "Sec-Fetch-Dest": "document"}
        )

    def enter(self, browser: httpx2.Client, provider: Provider, name: str, begin: str = "/login") -> httpx2.Response:
        """Sign on as somebody and come back; return what Flower says to that."""
        return self.back(browser, self.answer(browser, provider, name, begin))

    def answer(self, browser: httpx2.Client, provider: Provider, name: str, begin: str = "/login") -> dict[str, str]:
        """Sign on as somebody at the provider; return what the browser is to bring back."""
        sent = browser.get(begin)
        assert sent.status_code == 302, sent.text
        return provider.sign_on(sent.headers["location"], name, until=f"{self.url}/login")

    def back(self, browser: httpx2.Client, answer: dict[str, str]) -> httpx2.Response:
        return browser.get("/login", params=answer)


def said(answer: httpx2.Response) -> str:
    """Return the sentence of a page that refuses, which has nothing of Flower's."""
    found = re.search(r"<p>(.*?)</p>", answer.text)
    assert found, answer.text
    assert "navbar" not in answer.text
    return found[1]


def path_of(answer: httpx2.Response) -> str:
    """Return where an answer leads, on Flower itself."""
    parts = urlsplit(answer.headers["location"])
    assert not parts.netloc, answer.headers["location"]
    return parts.path + (f"?{parts.query}" if parts.query else "")
