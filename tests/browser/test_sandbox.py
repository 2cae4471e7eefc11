"""The sandbox in a real browser: Debian's Chromium, driven over its own protocol; nothing is downloaded.

`pytest -m browser`.  One server and one browser for all; each test opens pages in a context of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
OURS = re.compile(r"^(?:(?:http|ws|blob:http)://127\.0\.0\.1:\d+/|data:)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_health(url: str, server: subprocess.Popen[str], seconds: float = 60.0) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        assert server.poll() is None, server.communicate()
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
                assert answer.status == 200
                return
        except urllib.error.URLError:
            sleep(0.1)
    raise AssertionError("the server did not become ready")


def worlds(url: str) -> int:
    """How many games the server holds."""
    with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
        return int(json.load(answer)["worlds"])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    command = [sys.executable, "-m", "experiments.cli", "sandbox", "--no-open", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    url = f"http://127.0.0.1:{port}"
    wait_for_health(url, process)
    yield url, process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(15)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine: apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Tab:
    """A page in a context (cookies, cache) of its own, with all it asked for and complained of."""

    def __init__(self, browser: Any, url: str, width: int = 1280, height: int = 800, query: str = "") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height})
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("requestfailed", lambda request: self.faults.append(f"{request.url} {request.failure}"))
        self.page.on(
            "response",
            lambda answer: self.faults.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(url + query)

    def wait(self, script: str) -> None:
        self.page.wait_for_function(script, timeout=30_000)

    def drawn(self, weeks: int) -> None:
        """Chart and date both stand at a week."""
        self.wait(
            f"document.querySelector('.ot-plot')?.dataset.weeks == '{weeks}'"
            " && ['ready', 'finished'].includes(document.body.dataset.state)"
        )

    def date(self) -> str:
        return str(self.page.get_attribute("[data-date]", "data-date"))

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def tabs(server: Any, chromium: Any) -> Iterator[Any]:
    opened: list[Tab] = []

    def make(**options: Any) -> Tab:
        tab = Tab(chromium, server[0], **options)
        opened.append(tab)
        return tab

    yield make
    for tab in opened:
        tab.context.close()


def test_the_page_opens_on_data_and_asks_nobody_else(tabs: Any) -> None:
    tab = tabs()
    tab.drawn(26)
    page = tab.page
    assert page.title() == "Offtake sandbox"
    assert page.get_attribute("html", "lang") == "en"
    assert "project estimates" in page.inner_text(".ot-notice")
    page.wait_for_selector(".ot-why", timeout=30_000)
    assert tab.date() == "2025-07-07"
    assert int(page.get_attribute(".ot-plot", "data-lines")) == 4
    assert "USD per kg ex VAT" in page.get_attribute(".ot-plot", "aria-label")
    inked = page.evaluate(
        "(() => { const c = document.querySelector('.ot-plot canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )
    assert inked > 2000
    assert page.locator(".ot-share").count() == 5
    assert page.locator(".ot-regions tbody tr").count() >= 5
    assert page.locator(".ot-news li").count() >= 10
    for step in ("+1 week", "+13 weeks"):
        tab.click(step)
    tab.drawn(26 + 14)
    assert len(tab.asked) >= 10
    assert [url for url in tab.asked if not OURS.match(url)] == []
    assert tab.faults == []


def test_play_moves_the_date_and_pause_stops_it(tabs: Any) -> None:
    tab = tabs()
    tab.drawn(26)
    tab.page.select_option("#ot-speed", "13")
    tab.click("Play")
    tab.wait("document.querySelector('[data-date]').dataset.date > '2025-08-10'")
    tab.click("Pause")
    tab.wait("document.body.dataset.state == 'ready'")
    date = tab.date()
    sleep(0.6)
    assert tab.date() == date
    weeks = re.search(r"week (\d+) of", tab.page.inner_text(".ot-when"))
    tab.drawn(int(weeks[1]))
    assert tab.faults == []


def test_keyboard_alone(tabs: Any) -> None:
    tab = tabs(query="/?scenario=quota_between")
    tab.drawn(26)
    keys = tab.page.keyboard
    keys.press("ArrowRight")
    tab.drawn(27)
    keys.press("Shift+ArrowRight")
    tab.drawn(40)
    keys.press("Space")
    tab.wait("document.body.dataset.state == 'playing'")
    keys.press("Space")
    tab.wait("document.body.dataset.state == 'ready'")
    tab.page.focus(".ot-plot")
    keys.press("Home")
    tab.wait("/^6 Jan 2025: .*Domestic/.test(document.querySelector('.ot-chart [aria-live]').textContent)")
    nameless = tab.page.evaluate(
        "[...document.querySelectorAll('.ot button, .ot select, .ot input')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length"
    )
    assert nameless == 0


def test_two_browsers_never_share_a_world_and_closing_frees_it(tabs: Any, server: Any) -> None:
    one, two = tabs(query="/?scenario=quota_between&seed=1"), tabs(query="/?scenario=quota_between&seed=2")
    one.drawn(26), two.drawn(26)
    one.click("+13 weeks")
    one.drawn(39)
    assert two.date() == "2025-07-07"
    assert two.page.input_value("#ot-seed") == "2"
    again = one.context.new_page()  # another tab of the same browser
    again.goto(server[0] + "/?scenario=still")
    again.wait_for_function("document.querySelector('.ot-plot')?.dataset.weeks == '26'")
    assert one.date() == "2025-10-06"
    assert one.faults == two.faults == []
    before = worlds(server[0])
    again.close()
    two.page.close()
    end = monotonic() + 10
    while worlds(server[0]) > before - 2:
        assert monotonic() < end, "the worlds of closed tabs live on"
        sleep(0.1)


def test_start_over_is_an_empty_state_and_a_wrong_seed_is_told(tabs: Any) -> None:
    tab = tabs(query="/?scenario=one_mine_one_buyer")
    tab.drawn(26)
    tab.click("Start over")
    tab.wait(
        "document.querySelector('[data-date]').dataset.date == '2025-01-06' && document.body.dataset.state == 'ready'"
    )
    assert "No week has been played yet" in tab.page.inner_text(".ot-chart")
    tab.page.fill("#ot-seed", "many")
    tab.click("Build")
    tab.page.wait_for_selector("[role=alert]")
    assert "'many' is not a seed" in tab.page.inner_text("[role=alert]")
    tab.page.fill("#ot-seed", "5")
    tab.page.select_option("#ot-scenario", "still")
    tab.click("Build")
    tab.drawn(26)
    assert tab.page.locator("[role=alert]").count() == 0
    assert tab.faults == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 800)])
def test_nothing_is_wider_than_the_screen(tabs: Any, width: int, height: int) -> None:
    tab = tabs(width=width, height=height)
    tab.drawn(26)
    tab.page.wait_for_selector(".ot-why", timeout=30_000)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("Play", "+1 week", "+13 weeks"):
        assert tab.page.get_by_role("button", name=name, exact=True).is_visible()
    over = (
        "[...document.querySelectorAll('.ot-controls button, .ot-controls select')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    assert tab.page.evaluate(over) == []
    if folder := os.environ.get("OFFTAKE_PICTURES"):
        name = "sandbox.png" if width > 600 else "sandbox-phone.png"
        tab.page.wait_for_timeout(500)
        tab.page.screenshot(path=Path(folder) / name)


def test_solara_run_serves_the_same_page(chromium: Any) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "solara",
        "run",
        "viz.app",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--no-open",
        "--no-check-version",
        "--production",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = monotonic() + 40
        while monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                sleep(0.1)
        tab = Tab(chromium, f"http://127.0.0.1:{port}", query="/?scenario=still")
        tab.drawn(26)
        assert [url for url in tab.asked if not OURS.match(url)] == []
        assert tab.faults == []
        tab.context.close()
    finally:
        process.terminate()
        process.wait(15)


def test_ctrl_c_stops_the_server_and_it_says_where_it_was(server: Any) -> None:
    """Last: it ends the server of this file."""
    url, process = server
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert url in out and "Ctrl-C" in out and "Stopped" in out
    assert "Traceback" not in err, err
