"""Attribution of a price move, fork and rewind of a 10-year run (goal P9).

``python -m benchmarks explain_fork [--rounds 5] [--out FILE.json]``

A 10-year run of `baseline` is played once per process. Attribution: every good with a price in both of two weeks is
explained; clearings are counted at `clear_book`, its time is set against twelve clearings of the same books.
`Game.explain` also replays from the last snapshot; that is reported apart. Rewind: to the worst week of a snapshot's
half year (its last).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks._common import Goal, finish, interleave, options, row, spread
from benchmarks.reference_loop import quarter

END, WEEK_BACK = "2034-12-25", 3  # 520 weeks from 2025-01-06


def timed(run: Any) -> tuple[float, Any]:
    """CPU seconds and result."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def play() -> dict[str, Any]:
    """Figures of one 10-year run."""
    from agents import Game

    explain, market = importlib.import_module("env.explain"), importlib.import_module("env.market")
    clear = explain.clear_book
    counted = [0]

    def count(*args: Any) -> Any:
        counted[0] += 1
        return clear(*args)

    game = Game("baseline", seed=0, overrides={"end": END})
    while game.week < game.weeks_total - 1:
        game.step()
    before = game.world.last_desk
    game.step()
    world, after = game.world, game.world.last_desk
    out: dict[str, Any] = {"weeks": game.week, "loop": 4 * float(np.median([quarter() for _ in range(3)]))}
    explain.clear_book = count
    rows = []
    for g, code in enumerate(world.structure.goods.codes):
        place = world.structure.nodes.codes[int(world.structure.hub[g])]
        counted[0] = 0
        try:
            seconds, told = timed(
                lambda c=code, p=place: explain.explain_week(world, before, after, c, p, delivered=True)
            )
        except explain.NoTrade:
            continue
        made = counted[0]
        book = market.book_of(world, after, g)
        guess = np.full(book[6].shape[0], np.nan)
        clear(*book, guess)
        twelve, _ = timed(lambda b=book, x=guess: [clear(*b, x) for _ in range(12)])
        whole, _ = timed(
            lambda gg=g: [
                clear(*market.book_of(world, after, gg), np.full(len(world.structure.nodes.codes), np.nan))
                for _ in range(12)
            ]
        )
        gap = abs(sum(told.parts.values()) - (told.after - told.before)) / max(1.0, abs(told.before))
        rows.append((made, told.clearings, seconds, twelve, whole, gap))
    explain.clear_book = clear
    out["explained"] = [list(r) for r in rows]
    good = world.structure.goods.codes[int(world.structure.goods.index["ndpr_oxide"])]
    day = game.date - timedelta(weeks=WEEK_BACK)
    out["explain_game"], _ = timed(lambda: game.explain(good, day))
    out["fork"], twin = timed(game.fork)
    marks = sorted(game.snapshots)
    worst = marks[len(marks) // 2] - 1  # the week before a snapshot: the longest replay
    out["rewind"], past = timed(lambda: game.rewind(worst))
    assert past.week == worst and twin.week == game.week
    out["rewind_then_fork"], _ = timed(past.fork)
    at = game.snapshots[marks[len(marks) // 2]]
    del twin, past
    out["snapshot_fork"], _ = timed(at.fork)
    out["rewind_ten_years"], _ = timed(lambda: game.rewind(marks[1] - 1))
    out["snapshot_weeks"] = int(np.median(np.diff(marks)))
    return out


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON."""
    args = options("explain_fork", argv)
    if args.row:
        print(json.dumps(play()))
        return 0
    runs = interleave({"play": lambda: row("explain_fork", "play")}, args.rounds)["play"]
    first = np.array(runs[0]["explained"])
    ratio = [float(np.sum(np.array(r["explained"])[:, 2]) / np.sum(np.array(r["explained"])[:, 4])) for r in runs]
    bare = [float(np.sum(np.array(r["explained"])[:, 2]) / np.sum(np.array(r["explained"])[:, 3])) for r in runs]
    scaled = {
        k: [r[k] / r["loop"] for r in runs]
        for k in ("fork", "rewind", "rewind_ten_years", "explain_game", "snapshot_fork")
    }
    goals = [
        Goal(
            "P9",
            f"clearings to explain one week and good (most of {len(first)} goods)",
            12,
            float(first[:, 0].max()),
            digits=0,
        ),
        Goal(
            "P9",
            "time to explain / 12 times (book and clearing) of that good",
            1.0,
            float(np.median(ratio)),
            gate=False,
        ),
        Goal("P9", "time to explain / 12 clearings alone", 1.0, float(np.median(bare)), gate=False),
        Goal("P9", "parts add up to the change: largest relative gap x 1e9", 1.0, float(first[:, 5].max() * 1e9)),
        Goal("P9", "fork of a 10-year run, scaled s", 1.0, float(np.median(scaled["fork"])), digits=3),
        Goal(
            "P9",
            f"rewind with {runs[0]['snapshot_weeks'] - 1} weeks replayed, scaled s",
            1.0,
            float(np.median(scaled["rewind"])),
        ),
        Goal("P9", "rewind to the first half year, scaled s", 1.0, float(np.median(scaled["rewind_ten_years"]))),
        Goal("P9", "Game.explain with its replay, scaled s", 1.0, float(np.median(scaled["explain_game"])), gate=False),
    ]
    print(
        f"\nexplaining one good: {1e3 * float(np.median(first[:, 2])):.2f} CPU ms (median of goods);"
        f" fork of a snapshot {1e3 * float(np.median(scaled['snapshot_fork'])):.1f} scaled ms"
    )
    return finish(
        "explain_fork",
        goals,
        {"scaled_s": {k: spread(v) for k, v in scaled.items()}, "ratio": spread(ratio), "bare": spread(bare)},
        args,
    )


if __name__ == "__main__":
    sys.exit(main())
