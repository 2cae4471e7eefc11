"""One world per browser session, played by one thread of its own.  No web library: a page is a pair of callbacks.

`on_frame` gets new price columns (at most ten times a second), `on_view` a frozen picture of everything written in
words and tables (at most four times a second).  Both are called from the session's thread.  The thread sleeps while
nothing is asked of it and ends with `close`, which lets the game go.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic
from typing import Any

from agents import Game
from env import InputError, NoTrade, list_scenarios
from viz.charts import QUARTER, Floats, History, Region, Series, Share
from viz.words import KIND_NAMES, Dictionary, News

OPENING_WEEKS = 26
SPEEDS = (1, 4, 13, 52)
FRAMES_PER_SECOND, VIEWS_PER_SECOND = 10.0, 4.0
NEWS_SHOWN = 80
SLOWEST_EXPLAINED = 4

THREAD = "offtake-session"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """Everything on the page that is not a line of the chart.

    `state` is building, ready, playing, stepping, finished or failed.
    """

    state: str = "building"
    scenario: str = ""
    title: str = ""
    seed: int = 0
    week: int = 0
    weeks_total: int = 0
    date: date | None = None
    speed: int = 4
    error: str = ""
    news: tuple[News, ...] = ()
    shares: tuple[Share, ...] = ()
    regions: tuple[Region, ...] = ()
    move: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Price columns from week `first` on, a row a series; `labels` are good, kind and place in words."""

    series: tuple[Series, ...]
    labels: tuple[tuple[str, str, str], ...]
    start: date
    first: int
    weeks: int
    prices: Floats


@dataclass(slots=True)
class _Asked:
    """What the page wants next."""

    world: tuple[str, int | None, str] | None = None
    steps: int = 0
    playing: bool = False
    speed: int = 4
    resync: bool = False
    closed: bool = False


class Session:
    """A game, its history and the thread that plays it."""

    def __init__(
        self, on_frame: Callable[[Frame], None], on_view: Callable[[View], None], files: tuple[str, ...] = ()
    ) -> None:
        """`files` are scenario files that may be opened besides the shipped scenarios: a page may not name others."""
        self.on_frame, self.on_view, self.files = on_frame, on_view, files
        self.game: Game | None = None
        self.history: History | None = None
        self.words: Dictionary | None = None
        self.view = View()
        self._asked = _Asked()
        self._wake = threading.Condition()
        self._sent: tuple[Series, ...] = ()
        self._sent_weeks = 0
        self._told: tuple[int, str, str] = (-1, "", "")
        self._viewed = 0.0
        self._error = ""
        self._thread = threading.Thread(target=self._live, name=THREAD, daemon=True)
        self._thread.start()

    # ---- what a page may ask: any thread, returns at once ----------------------------------------------------
    def open(self, scenario: str, seed: Any = 0, weeks: int = OPENING_WEEKS) -> None:
        """Build a world in place of the present one and play its first weeks."""
        try:
            number = int(seed)
        except (TypeError, ValueError):
            number = -1
        self._ask(
            world=(str(scenario), number if 0 <= number < 2**53 else None, str(seed)),
            steps=max(0, weeks),
            playing=False,
        )

    def play(self) -> None:
        """Let time run until `pause` or the scenario's end."""
        self._ask(playing=True)

    def pause(self) -> None:
        """Stand still; steps not yet made are dropped."""
        self._ask(playing=False, steps=0)

    def step(self, weeks: int) -> None:
        """Play some weeks, then stand still."""
        self._ask(steps=max(0, int(weeks)), playing=False)

    def set_speed(self, weeks_per_second: int) -> None:
        """Weeks a second while playing."""
        self._ask(speed=min(SPEEDS, key=lambda s: abs(s - weeks_per_second)))

    def resync(self) -> None:
        """Send the whole chart again: the page is new or was away."""
        self._ask(resync=True)

    def close(self) -> None:
        """End the thread and let the game go.  Returns at once; `join` waits."""
        self._ask(closed=True)

    def join(self, timeout: float = 5.0) -> bool:
        """True when the thread has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _ask(self, **wishes: Any) -> None:
        with self._wake:
            for name, value in wishes.items():
                setattr(self._asked, name, value)
            self._wake.notify_all()

    # ---- the thread ----------------------------------------------------------------------------------------
    def _live(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._has_work)
                wish = replace(self._asked)
                self._asked.world, self._asked.resync = None, False
            if wish.closed:
                break
            try:
                self._serve(wish)
            except InputError as error:
                self._refuse(str(error))
            except Exception as error:
                log.exception("the session's world stopped")
                self.game = None
                self._refuse(
                    f"The model stopped with a fault of the program ({type(error).__name__}: {error}). "
                    "Build a world anew."
                )
        self.game = self.history = self.words = None
        self.on_frame = self.on_view = _nothing

    def _has_work(self) -> bool:
        a = self._asked
        alive = self.game is not None
        speed_changed = alive and a.speed != self.view.speed
        stand = alive and not a.playing and not a.steps and self.view.state in ("playing", "stepping")
        return (
            a.closed
            or a.world is not None
            or a.resync
            or speed_changed
            or stand
            or (alive and (a.playing or a.steps > 0))
        )

    def _serve(self, wish: _Asked) -> None:
        if wish.world is not None:
            self._build(*wish.world, speed=wish.speed)
        if self.game is None:
            return
        if wish.resync:
            self._sent = ()
            self._push()
        left = self.game.weeks_total - self.game.week
        if wish.steps > 0 or wish.playing:
            began, self._error = monotonic(), ""
            if wish.steps > 0:
                weeks, pause = min(4, wish.steps), 0.0
            else:
                hz = min(FRAMES_PER_SECOND, float(wish.speed))
                weeks, pause = max(1, round(wish.speed / hz)), 1.0 / hz
            weeks = min(weeks, left)
            for _ in range(weeks):
                self.game.step()
            self.history.take(self.game)  # type: ignore[union-attr]
            self._push()
            with self._wake:
                if wish.steps > 0 and self._asked.world is None and self._asked.steps == wish.steps:
                    self._asked.steps = wish.steps - weeks if left > weeks else 0
                if left <= weeks:
                    self._asked.playing, self._asked.steps = False, 0
                standing = not (self._asked.playing or self._asked.steps)
            if not standing:
                self._show("playing" if wish.playing else "stepping", wish.speed)
                if pause:
                    self._rest(began + pause - monotonic())
                return
        self._show(
            "finished" if self.game.week >= self.game.weeks_total else "ready" if not wish.playing else "playing",
            wish.speed,
            now=True,
        )

    def _rest(self, seconds: float) -> None:
        with self._wake:
            asked = replace(self._asked)
            self._wake.wait_for(lambda: self._asked != asked, timeout=max(0.0, seconds))

    def _build(self, scenario: str, seed: int | None, written: str, *, speed: int) -> None:
        """A new world in place of the old one; the old one stays when the wish is wrong."""
        if seed is None:
            raise InputError.one(f"'{written}' is not a seed", "write a whole number, 0 or more, for instance 7")
        names = [info.name for info in list_scenarios()]
        if scenario not in (*names, *self.files):
            raise InputError.one(f"there is no scenario '{scenario}'", f"choose one of {', '.join(names)}")
        self._publish(
            replace(
                self.view, state="building", scenario=scenario, title=_title(scenario), seed=seed, speed=speed, error=""
            )
        )
        game = Game(scenario, seed=seed, tables=("prices", "shares", "dependence", "use", "projects"))
        self.game, self.history, self.words = game, History.of(game), Dictionary(game)
        self._sent, self._sent_weeks, self._told, self._error = (), 0, (-1, "", ""), ""
        self._push()

    def _refuse(self, message: str) -> None:
        """Say what was wrong; a world that is still there goes on standing."""
        with self._wake:
            self._asked.playing, self._asked.steps = False, 0
        self._error = message
        if self.game is None:
            self._publish(
                View(
                    "failed", self.view.scenario, self.view.title, self.view.seed, speed=self.view.speed, error=message
                )
            )
        else:
            self._show("finished" if self.game.week >= self.game.weeks_total else "ready", self.view.speed, now=True)

    # ---- telling the page ------------------------------------------------------------------------------------
    def _push(self) -> None:
        history, words = self.history, self.words
        if history is None or words is None:
            return
        series = tuple(history.shown())
        first = self._sent_weeks if series and series == self._sent else 0
        self._sent, self._sent_weeks = series, history.weeks
        labels = tuple((words.good(s.good), KIND_NAMES[s.kind], words.place(s.place)) for s in series)
        self._call(
            self.on_frame,
            Frame(series, labels, history.start, first, history.weeks, history.columns(list(series), first)),
        )

    def _show(self, state: str, speed: int, *, now: bool = False) -> None:
        if not now and monotonic() - self._viewed < 1.0 / VIEWS_PER_SECOND:
            return
        game, history, words = self.game, self.history, self.words
        if game is None or history is None or words is None:
            return
        view = View(
            state,
            game.spec.name,
            game.spec.title or game.spec.name,
            game.world.seed,
            game.week,
            game.weeks_total,
            game.date,
            speed,
            news=tuple(words.news(game.events()[-NEWS_SHOWN:])),
            shares=tuple(history.shares()),
            regions=tuple(history.regions(words.magnets)),
            error=self._error,
        )
        week, move, why = self._told
        view = replace(view, move=move, why=why) if 0 <= game.week - week < QUARTER else view
        self._publish(view)
        slow = state == "playing" and speed <= SLOWEST_EXPLAINED and game.week - week >= QUARTER
        if week != game.week and (slow or now):
            move, why = self._explain()
            self._told = (game.week, move, why)
            self._publish(replace(view, move=move, why=why))

    def _explain(self) -> tuple[str, str]:
        game, history, words = self.game, self.history, self.words
        if game is None or history is None or words is None:
            return "", ""
        for move in history.largest_moves():
            day = history.day(move.week)
            try:
                told = game.explain(move.series.good, day, place=move.series.place, kind=move.series.kind)
            except NoTrade:
                continue
            if abs(told.change_pct) >= 0.5:
                return words.move(told, move.series.kind, day), words.why(told)
        return "", ""

    def _publish(self, view: View) -> None:
        self.view = view
        self._viewed = monotonic()
        self._call(self.on_view, view)

    @staticmethod
    def _call(callback: Callable[[Any], None], value: Any) -> None:
        try:
            callback(value)
        except Exception:  # a page that has gone must not stop the world's orderly end
            log.debug("the page did not take it", exc_info=True)


def worlds() -> int:
    """How many sessions are alive in this process."""
    return sum(thread.name == THREAD for thread in threading.enumerate())


def _nothing(_: object) -> None:
    return None


def _title(scenario: str) -> str:
    return next((info.title for info in list_scenarios() if info.name == scenario), scenario)
