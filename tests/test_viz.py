"""The sandbox without a browser: sessions, columns, words, panels, files."""

from __future__ import annotations

import gc
import hashlib
import math
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from agents import Game
from viz.charts import History, Series
from viz.panels import move, news, regions, shares
from viz.session import OPENING_WEEKS, Frame, Session, View
from viz.words import Dictionary

ROOT = Path(__file__).resolve().parents[1]
QUICK = "one_mine_one_buyer"


class Page:
    """Stands in for a browser: keeps what a session sends."""

    def __init__(self, files: tuple[str, ...] = ()) -> None:
        self.frames: list[Frame] = []
        self.views: list[View] = []
        self.session = Session(self.frames.append, self.views.append, files)

    def until(self, true: Callable[[View], bool], seconds: float = 30.0) -> View:
        end = monotonic() + seconds
        while not true(self.session.view):
            assert monotonic() < end, self.session.view
            sleep(0.005)
        return self.session.view

    def at_rest(self, week: int) -> View:
        return self.until(lambda v: v.state in ("ready", "finished") and v.week == week)

    def chart(self) -> dict[Series, np.ndarray]:
        """What a browser would hold after all frames."""
        held: dict[Series, np.ndarray] = {}
        for frame in self.frames:
            if frame.first == 0:
                held = {s: np.zeros(0, np.float32) for s in frame.series}
            for row, key in zip(frame.prices, frame.series, strict=True):
                held[key] = np.concatenate([held[key][: frame.first], row])
        return held


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page()
    yield page
    page.session.close()
    assert page.session.join()


# --- one world per session ---------------------------------------------------------------------------------


def test_a_session_opens_on_data_and_steps(page: Page) -> None:
    page.session.open(QUICK, 1)
    assert page.at_rest(OPENING_WEEKS).date.isoformat() == "2025-07-07"
    page.session.step(1)
    page.at_rest(OPENING_WEEKS + 1)
    page.session.step(13)
    page.at_rest(OPENING_WEEKS + 14)


def test_play_moves_time_and_pause_stops_it(page: Page) -> None:
    page.session.open(QUICK, 1, weeks=0)
    page.at_rest(0)
    page.session.set_speed(52)
    page.session.play()
    page.until(lambda v: v.state == "playing" and v.week > 3)
    page.session.pause()
    week = page.until(lambda v: v.state == "ready").week
    sleep(0.3)
    assert page.session.game.week == week


def test_play_stops_at_the_end_of_the_scenario(page: Page) -> None:
    page.session.open(QUICK, 1)
    total = page.at_rest(OPENING_WEEKS).weeks_total
    page.session.step(total)
    assert page.until(lambda v: v.state == "finished").week == total
    page.session.play()
    page.session.step(1)
    sleep(0.1)
    assert page.session.view.week == total


def test_the_callers_thread_never_plays(page: Page) -> None:
    """A click returns at once; the world lives in the session's own thread, which sleeps when nothing is asked."""
    seen: set[str] = set()
    page.session.on_view = lambda view: seen.add(threading.current_thread().name)
    began = monotonic()
    page.session.open("baseline", 1, weeks=2)
    page.session.step(5)
    assert monotonic() - began < 0.2
    page.until(lambda v: v.state == "ready" and v.week >= 5)
    assert seen == {"offtake-session"}


def test_closing_ends_the_thread_and_frees_the_game() -> None:
    page = Page()
    page.session.open(QUICK, 1)
    page.at_rest(OPENING_WEEKS)
    game = weakref.ref(page.session.game)
    page.session.play()
    page.session.close()
    assert page.session.join()
    gc.collect()
    assert game() is None


def test_sessions_share_nothing() -> None:
    one, two = Page(), Page()
    try:
        one.session.open(QUICK, 1)
        two.session.open(QUICK, 1)
        one.at_rest(OPENING_WEEKS), two.at_rest(OPENING_WEEKS)
        one.session.step(13)
        one.at_rest(OPENING_WEEKS + 13)
        assert two.session.view.week == OPENING_WEEKS
        two.session.step(13)
        two.at_rest(OPENING_WEEKS + 13)
        assert one.session.game is not two.session.game
        assert one.session.game.world.state_hash() == two.session.game.world.state_hash()
    finally:
        one.session.close(), two.session.close()


def test_a_page_that_breaks_does_not_stop_the_world(page: Page) -> None:
    def gone(_: object) -> None:
        raise ConnectionError("the tab is closed")

    page.session.on_frame = gone
    page.session.open(QUICK, 1)
    page.at_rest(OPENING_WEEKS)


# --- wrong wishes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "seed", "said"),
    [("nowhere", 1, "nowhere"), (QUICK, "abc", "abc"), (QUICK, "-1", "-1"), (QUICK, "", "seed")],
)
def test_wrong_wishes_are_told_and_leave_the_world(page: Page, scenario: str, seed: Any, said: str) -> None:
    page.session.open(QUICK, 1)
    page.at_rest(OPENING_WEEKS)
    page.session.open(scenario, seed)
    view = page.until(lambda v: bool(v.error))
    assert said in view.error and view.state == "ready" and view.week == OPENING_WEEKS
    page.session.step(1)
    assert not page.until(lambda v: v.week == OPENING_WEEKS + 1).error


def test_without_a_world_a_wrong_wish_is_a_failed_state(page: Page) -> None:
    page.session.open("nowhere", 1)
    assert page.until(lambda v: v.state == "failed").error
    page.session.open(QUICK, 1)
    assert not page.at_rest(OPENING_WEEKS).error


def test_a_page_may_not_name_files(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "still"\nname = "mine"\n', encoding="utf-8")
    page.session.open(str(file), 1)
    assert page.until(lambda v: v.state == "failed").error
    named = Page((str(file),))
    named.session.open(str(file), 1)
    assert named.at_rest(OPENING_WEEKS).scenario == "mine"
    named.session.close()


def test_a_fault_of_the_model_is_a_state_of_the_page(page: Page) -> None:
    page.session.open(QUICK, 1)
    page.at_rest(OPENING_WEEKS)

    def broken() -> None:
        raise ZeroDivisionError("of a test")

    page.session.game.step = broken
    page.session.step(1)
    assert "ZeroDivisionError" in page.until(lambda v: v.state == "failed").error


# --- columns -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played() -> tuple[Game, History]:
    """The baseline to July, read in pieces of uneven size."""
    game = Game("baseline", seed=1)
    history = History.of(game)
    for weeks in (1, 3, 9, 13):
        for _ in range(weeks):
            game.step()
        history.take(game)
    return game, history


def test_chart_columns_are_the_tables_of_the_run(played: tuple[Game, History]) -> None:
    game, history = played
    frame = game.frame("prices")
    lines = history.shown()
    columns = history.columns(lines)
    assert columns.shape == (len(lines), 26) and columns.dtype == np.float32
    assert {s.kind for s in lines} == {"domestic", "fob", "delivered", "contract", "ask"}
    assert {s.place for s in lines if s.kind in ("domestic", "fob")} == {"CHN"}
    assert {s.place for s in lines if s.kind in ("delivered", "contract", "ask")} == {"EUU"}
    for key, row in zip(lines, columns, strict=True):
        part = frame[(frame["good"] == key.good) & (frame["kind"] == key.kind) & (frame["place"] == key.place)]
        told = np.full(26, np.nan, np.float32)
        told[(np.asarray(part["date"], "datetime64[D]") - np.datetime64("2025-01-06")).astype(int) // 7] = part[
            "price_usd_kg"
        ]
        np.testing.assert_array_equal(row, told, err_msg=str(key))


def test_shares_and_stopped_lines_are_those_of_the_tables(played: tuple[Game, History]) -> None:
    game, history = played
    table = game.frame("shares")
    late = table[np.asarray(table["date"], "datetime64[D]") >= np.datetime64("2025-04-07")]
    for share, (stage, group) in zip(history.shares(), history.made, strict=False):
        part = late[(late["stage"] == stage) & (late["group"] == group)]
        told = part[part["place"] == "CHN"]["tonnes"].sum() / part["tonnes"].sum()
        assert {s.name: s.now for s in history.shares()} and math.isfinite(share.now)
        if (stage, group) == ("mining", "all"):
            assert history.shares()[0].now == pytest.approx(told)
    use = game.frame("use")
    last = use[np.asarray(use["date"], "datetime64[D]") == np.datetime64("2025-06-30")]
    europe = last[last["place"] == "EUU"]
    told = (europe["wanted_t"] * europe["lines_stopped"]).sum() / europe["wanted_t"].sum()
    row = next(r for r in history.regions({"magnet_n"}) if r.place == "EUU")
    assert row.stopped == pytest.approx(told)
    dependence = game.frame("dependence")
    cover = dependence[(dependence["place"] == "EUU") & (dependence["good"] == "magnet_n")]["cover_weeks"].iloc[-1]
    assert row.magnets_cover == pytest.approx(cover)


def test_frames_add_up_to_the_history(page: Page) -> None:
    page.session.open("quota_between", 1, weeks=0)
    page.at_rest(0)
    page.session.step(9)
    page.at_rest(9)
    page.session.step(4)
    page.at_rest(13)
    history = page.session.history
    held = page.chart()
    assert list(held) == history.shown() and len(page.frames) > 2
    np.testing.assert_array_equal(np.array(list(held.values())), history.columns(history.shown()))
    page.session.resync()
    page.until(lambda _: page.frames[-1].first == 0 and page.frames[-1].weeks == 13)


def test_a_new_world_clears_the_chart(page: Page) -> None:
    page.session.open(QUICK, 1)
    page.at_rest(OPENING_WEEKS)
    page.session.open(QUICK, 1, weeks=0)
    page.at_rest(0)
    assert page.frames[-1].weeks == 0 and page.frames[-1].first == 0


def test_the_largest_move_is_explained(played: tuple[Game, History]) -> None:
    game, history = played
    first, *rest = history.largest_moves()
    assert all(abs(math.log(first.after / first.before)) >= abs(math.log(m.after / m.before)) for m in rest)
    assert history.weeks - 13 <= first.week < history.weeks
    told = game.explain(first.series.good, history.day(first.week), place=first.series.place, kind=first.series.kind)
    words = Dictionary(game)
    assert re.search(
        r"(rose|fell) \d+% in the week of \d+ \w+ 2025: cleared at [\d.,]+ after [\d.,]+ USD/kg$",
        words.move(told, first.series.kind, history.day(first.week)),
    )
    assert words.why(told).startswith("of ")


# --- words and panels --------------------------------------------------------------------------------------


def test_news_is_plain_words(played: tuple[Game, History]) -> None:
    game, _ = played
    lines = Dictionary(game).news(game.events())
    assert lines == sorted(lines, key=lambda n: n.day, reverse=True)
    codes = {s.code for s in game.spec.sites} | {g.code for g in game.spec.goods} | {n.code for n in game.spec.nodes}
    codes |= {p.code for p in game.spec.parties if "_" in p.code}
    codes -= {word for p in game.spec.parties for word in p.name.split()}  # USA Rare Earth is a name
    for line in lines:
        assert not codes & set(re.findall(r"\w+", line.text)), line.text
        assert (
            "P_" not in line.text
            and (line.text[0].isupper() or line.text.startswith("e-VAC"))
            and line.text.endswith(".")
        ), line.text
    april = [n.text for n in lines if n.day == "2025-04-07" and "tariff of 10% on magnets" in n.text]
    assert len(april) == 1 and "Japan" in april[0] and "China" in april[0]


def test_panels_have_empty_states_and_escape() -> None:
    empty = View("ready")
    for text in (move.write(empty), shares.write(empty), regions.write(empty, None), news.write(empty)):
        assert text.startswith("<h2>") and "</p>" in text
    assert "&lt;b&gt;" in move.write(replace(empty, move="<b>", why="x"))


# --- files and imports -------------------------------------------------------------------------------------


def test_every_front_end_file_is_the_one_we_took() -> None:
    folder = ROOT / "viz" / "assets"
    listed = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    there = {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in (folder / "cdn").rglob("*")
        if p.is_file()
    }
    assert there == listed
    assert sum(p.stat().st_size for p in (folder / "cdn").rglob("*")) < 6_000_000


def test_solaras_page_asks_for_the_versions_we_carry() -> None:
    from importlib.resources import files

    template = (files("solara") / "server" / "templates" / "solara.html.j2").read_text(encoding="utf-8")
    for package in ("@widgetti/solara-vuetify-app@10.1.1", "requirejs@2.3.6"):
        assert package in template
        assert (ROOT / "viz" / "assets" / "cdn" / package).is_dir()


def test_nothing_is_fetched_and_nothing_is_reported() -> None:
    """In a process of its own: Solara patches threads and print when its server is imported."""
    program = """
import viz.app
import solara.server.cdn_helper as cdn, solara.server.settings as settings
assert settings.telemetry.mixpanel_enable is False and settings.theme.show_banner is False
try:
    cdn.get_data(settings.assets.proxy_cache_dir, "@nobody/nothing@1.0.0/x.js")
except FileNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert "fetches nothing from the network" in run.stdout


def test_the_core_needs_no_web_library() -> None:
    program = (
        "import sys, viz.session, viz.charts, viz.words\n"
        "print([m for m in ('solara', 'anywidget', 'starlette') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.stdout.strip() == "[]", run.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from experiments.cli import main\n"
        "try: main(['sandbox', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('solara', 'numpy', 'mesa', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "--no-open" in run.stdout and run.stdout.splitlines()[-1] == "[]"


def test_sandbox_refuses_what_cannot_be_played() -> None:
    from click.testing import CliRunner

    from experiments.cli import main

    run = CliRunner().invoke(main, ["sandbox", "--no-open", "--scenario", "nowhere"])
    assert run.exit_code == 2 and "nowhere" in run.output
