"""The weekly executor against the C clearing of the same week; recording; decisions (goal P2); where a week goes.

``python -m benchmarks executor [--rounds 5] [--out FILE.json]``

Three games of `baseline` with seed 0 play side by side. In one the record writes nothing (`Record.week` is a no-op):
its ticks are the executor. The second is whole: it gives the time of `Record.week` and of the seats (everything in a
step outside `tick` and snapshots). In the third every phase is timed; its figures say where a week goes. After each
week the books that were cleared are cleared again by benchmarks/clearing_c with the guesses the simulator had.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import Goal, finish, interleave, options, row
from benchmarks.reference_loop import loop, quarter

WARM_WEEKS, BLOCK = 52, 26
#: phases of a week: (module, function); what a module does not have is left out
PHASES = (
    ("env.tick", "operate_plants"),
    ("env.tick", "exchange_goods"),
    ("env.tick", "settle"),
    ("env.tick", "learn_from_the_week"),
    ("env.tick", "book_the_week"),
    ("env.tick", "receive"),
    ("env.tick", "receive_events"),
    ("env.tick", "check"),
    ("env.policy", "start_and_end_rules"),
    ("env.policy", "weekly_rules"),
    ("env.policy", "lane_caps"),
    ("env.licences", "serve"),
    ("env.licences", "use_licences"),
    ("env.market", "make_desk"),
    ("env.tick", "clear_with_quotas"),
    ("env.market", "books_of"),
    ("env.market", "clear_book"),
    ("env.market", "deals_of"),
    ("env.trade", "contract_deals"),
    ("env.trade", "ship"),
    ("env.trade", "arrive"),
    ("env.trade", "after_trade"),
    ("env.trade", "use_licences"),
    ("env.quotes", "update_references"),
    ("env.demand", "build_products"),
    ("env.demand", "expect"),
    ("env.projects", "advance"),
    ("env.projects", "learn"),
    ("env.books", "post"),
    ("env.deals", "lapse"),
)


class Clock:
    """CPU seconds by name; calls inside a timed call are taken off the outer one."""

    def __init__(self) -> None:
        self.own: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.inside: list[float] = []

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with its own time kept."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.inside.append(0.0)
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                whole = time.process_time() - start
                self.own[name] += whole - self.inside.pop()
                self.calls[name] += 1
                if self.inside:
                    self.inside[-1] += whole

        return call

    def patch(self, owner: Any, attribute: str, name: str) -> None:
        """Replace `owner.attribute` by its timed twin, where there is one."""
        if hasattr(owner, attribute):
            setattr(owner, attribute, self.timed(name, getattr(owner, attribute)))


def _new_game() -> Any:
    from agents import Game

    game = Game("baseline", seed=0, overrides={"end": "2040-12-10"})
    for _ in range(WARM_WEEKS):
        game.step()
    return game


def run_plain(rounds: int) -> dict[str, Any]:
    """Executor, recording and decisions of five blocks of 26 weeks, with the C clearing of the same weeks."""
    from benchmarks.clearing import Book, CTwin
    from env import market
    from env.clearing import clear_book
    from env.record import Record
    from env.world import World

    game_module, tick_module = importlib.import_module("agents.game"), importlib.import_module("env.tick")
    bare, whole = _new_game(), _new_game()
    clock = Clock()
    tick, write, fork = game_module.tick, Record.week, World.fork
    timed_write = clock.timed("record", write)

    def week(self: Any, *args: Any, **kwargs: Any) -> None:
        if self is not bare.world.record:
            timed_write(self, *args, **kwargs)

    Record.week = week  # type: ignore[method-assign]
    World.fork = clock.timed("snapshot", fork)  # type: ignore[method-assign]
    assert game_module.tick is tick_module.tick, "Game.step must play the week through env.tick.tick"
    out: dict[str, list[float]] = defaultdict(list)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        c = CTwin(Path(folder), ["-O3"])
        for _ in range(rounds):
            weeks = []
            clock.own.clear()
            game_module.tick = clock.timed("executor", tick)
            for _ in range(BLOCK):
                guess = bare.world.state.dual_guess.copy()
                bare.step()
                books = market.books_of(bare.world, bare.world.last_desk)
                weeks.append([_book(Book, b, guess[g]) for g, b in books.items()])
            out["executor"].append(clock.own["executor"])
            clock.own.clear()
            game_module.tick = clock.timed("tick", tick)
            start = time.process_time()
            for _ in range(BLOCK):
                whole.step()
            spent = time.process_time() - start
            out["record"].append(clock.own["record"])
            out["snapshot"].append(clock.own["snapshot"])
            out["whole"].append(spent)
            out["decisions"].append(spent - clock.own["tick"] - clock.own["record"] - clock.own["snapshot"])
            for w in weeks:
                c.prepare(w)
                for mine, other in zip([clear_book(*b)[6] for b in w], c(w), strict=True):
                    worst = max(worst, abs(mine - other) / max(1.0, abs(mine)))
            out["clearing"].append(_clearing(weeks, lambda w: [clear_book(*b) for b in w]))
            out["c"].append(_clearing(weeks, c))
            out["goods"].append(float(np.mean([len(w) for w in weeks])))
            out["loop"].append(4 * quarter())
    per_week = {k: [x / BLOCK for x in v] if k not in ("loop", "goods") else v for k, v in out.items()}
    return {"per_week": per_week, "welfare_gap": worst}


def _book(make: Any, book: tuple[Any, ...], guess: Any) -> Any:
    ints = (0, 3)
    parts = [np.ascontiguousarray(x, np.int64 if i in ints else np.float64) for i, x in enumerate(book[:8])]
    return make(*parts, np.ascontiguousarray(guess, np.float64))


def _clearing(weeks: list[Any], run: Callable[[Any], Any]) -> float:
    """Least CPU seconds of three passes over the weeks."""
    passes = []
    for _ in range(3):
        start = time.process_time()
        for w in weeks:
            run(w)
        passes.append(time.process_time() - start)
    return min(passes)


def run_phases() -> dict[str, Any]:
    """Own CPU time of every phase, per week, early (weeks 52-155) and late (weeks 624-727)."""
    from env.record import Record
    from env.world import World

    game_module = importlib.import_module("agents.game")
    clock = Clock()
    for module, name in PHASES:
        clock.patch(importlib.import_module(module), name, f"{module.removeprefix('env.')}.{name}")
    clock.patch(Record, "week", "record.week")
    clock.patch(World, "fork", "snapshot")
    clock.patch(importlib.import_module("env.shared_quota"), "clear_book", "market.clear_book")
    clock.patch(game_module, "tick", "tick, the rest")
    clock.patch(game_module, "observe", "seats.observe")
    game = _new_game()
    result = {"loop": loop()}
    for part, first in (("early", WARM_WEEKS), ("late", 624)):
        while game.week < first:
            game.step()
        clock.own.clear()
        start = time.process_time()
        for _ in range(104):
            game.step()
        spent = time.process_time() - start
        phases = {k: 1e3 * v / 104 for k, v in sorted(clock.own.items(), key=lambda x: -x[1])}
        phases["seats and their strategies"] = 1e3 * spent / 104 - sum(phases.values())
        result[part] = {"week_ms": 1e3 * spent / 104, "phases_ms": phases}
    return result


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON."""
    args = options("executor", argv)
    if args.row:
        print(json.dumps(run_phases() if args.row[0] == "phases" else run_plain(int(args.row[1]))))
        return 0
    found = interleave({"plain": lambda: row("executor", "plain", args.rounds)}, 1)["plain"][0]
    phases = row("executor", "phases")
    per = {k: np.array(v) for k, v in found["per_week"].items()}
    loop_s = float(np.median(per["loop"]))

    def scaled_ms(name: str) -> float:
        return 1e3 * float(np.median(per[name])) / loop_s

    goals = [
        Goal(
            "P2",
            "executor without recording / C clearing of the same week",
            3.0,
            float(np.median(per["executor"] / per["c"])),
        ),
        Goal("P2", "recording of complete tables, scaled ms a week", 1.0, scaled_ms("record")),
        Goal("P2", "decisions of all seats, scaled ms a week", 3.0, scaled_ms("decisions")),
        Goal(
            "P2",
            "compiled clearing of the same week / C",
            1.5,
            float(np.median(per["clearing"] / per["c"])),
            gate=False,
        ),
        Goal("P2", "welfare gap to C x 1e9", 1.0, found["welfare_gap"] * 1e9),
    ]
    print(
        f"\na week of baseline, scaled ms (reference loop {loop_s:.2f} s CPU);"
        f" median over blocks of {BLOCK} weeks, least block"
    )
    for name in ("whole", "executor", "record", "decisions", "snapshot", "clearing", "c"):
        print(f"  {name:12} {scaled_ms(name):8.3f} {1e3 * float(np.min(per[name])) / loop_s:8.3f}")
    print(f"  goods cleared a week {float(np.mean(per['goods'])):.1f}")
    for part in ("early", "late"):
        table = phases[part]
        print(
            f"\nwhere a week goes, {part}: {table['week_ms'] / phases['loop']:.2f} scaled ms (own time of each phase)"
        )
        for name, ms in sorted(table["phases_ms"].items(), key=lambda x: -x[1]):
            if ms >= 0.005 * table["week_ms"]:
                print(f"  {name:32} {ms / phases['loop']:7.3f}  {100 * ms / table['week_ms']:5.1f} %")
    detail = {"plain": found, "phases": phases}
    return finish("executor", goals, detail, args)


if __name__ == "__main__":
    sys.exit(main())
