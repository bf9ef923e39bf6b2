"""The console in a real browser, while real workers die."""

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


def test_a_row_changes_without_reload_when_its_worker_dies(tmp_path: Path, chromium: str) -> None:
    """A worker is killed: its row and the incident with its evidence appear by themselves, without a console error."""
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal=SOON) as cluster:
        cluster.serve()
        worker = cluster.all_well(2)["orders-worker/1"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            errors: list[str] = []
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            loads: list[str] = []
            page.on("load", lambda loaded: loads.append(loaded.url))
            page.goto(f"http://127.0.0.1:{cluster.port}/")
            assert worker.instance.guid[:8] in _text(page, "body")

            os.kill(worker.pid, signal.SIGKILL)

            page.wait_for_function(
                f"!document.body.innerText.includes('pid {worker.pid}') || "
                f"document.body.innerText.includes('Exited with status 137')",
                timeout=30_000,
            )
            cluster.resolved("orders-worker/1")
            after = cluster.all_well(2)["orders-worker/1"]
            page.wait_for_function(f"document.body.innerText.includes('{after.pid}')", timeout=10_000)
            assert "Exited with status 137" in page.content()
            assert len(loads) == 1, "the page was loaded once"
            assert errors == []
            browser.close()


def _text(page: Page, selector: str) -> str:
    return page.inner_text(selector)
