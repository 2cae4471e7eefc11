"""One week of the full world against a step of an SCML 2024 OneShot world with 16 agents (goal P7).

``python -m benchmarks scml_step [--rounds 5] [--out FILE.json]``

SCML (GPL) is for comparison only and never a dependency: it is looked for in another interpreter at run time and
left out when it is not there. Its step is played by its own random agents (the plainest it has; agents that answer
all offers at once are reported too), logs off. Ours is a whole week of `baseline`: seats, tick, record.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks._common import ROOT, Goal, child, finish, interleave, options, other_python, row, spread

WARM_WEEKS, WEEKS = 52, 104


def play() -> dict[str, float]:
    """CPU seconds of a week with and without the seats."""
    module = importlib.import_module("agents.game")
    tick, inside = module.tick, [0.0]

    def timed(*args: Any, **kwargs: Any) -> None:
        start = time.process_time()
        tick(*args, **kwargs)
        inside[0] += time.process_time() - start

    game = module.Game("baseline", seed=0)
    for _ in range(WARM_WEEKS):
        game.step()
    module.tick = timed
    start = time.process_time()
    for _ in range(WEEKS):
        game.step()
    return {"week": (time.process_time() - start) / WEEKS, "tick": inside[0] / WEEKS, "seats": len(game.seats)}


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON."""
    args = options("scml_step", argv)
    if args.row:
        print(json.dumps(play()))
        return 0
    python, why = other_python("scml")
    rows: dict[str, Any] = {"offtake": lambda: row("scml_step", "play")}
    if python:
        script = str(ROOT / "benchmarks" / "_scml_step.py")
        rows["scml"] = lambda: json.loads(child([python, script]).out.splitlines()[-1])
    found = interleave(rows, args.rounds)
    ours = {name: np.array([r[name] for r in found["offtake"]]) for name in ("week", "tick")}
    print(
        f"\nCPU ms: a week of the full world {1e3 * np.median(ours['week']):.2f}"
        f" (tick with record {1e3 * np.median(ours['tick']):.2f}, {found['offtake'][0]['seats']} seats)"
    )
    goals = []
    detail: dict[str, Any] = {"offtake": {k: spread(list(v)) for k, v in ours.items()}}
    if python:
        scml = {
            name: np.array([r[name] for r in found["scml"]])
            for name in ("RandomOneShotAgent", "SyncRandomOneShotAgent")
        }
        for name, values in scml.items():
            print(f"  SCML step, {found['scml'][0]['agents']:.0f} x {name}: {1e3 * np.median(values):.1f}")
        goals = [
            Goal(
                "P7",
                "SCML step (random agents) / a whole week with all seats",
                30.0,
                float(np.median(scml["RandomOneShotAgent"] / ours["week"])),
                least=True,
                digits=1,
            ),
            Goal(
                "P7",
                "SCML step (random agents) / tick with record",
                30.0,
                float(np.median(scml["RandomOneShotAgent"] / ours["tick"])),
                least=True,
                gate=False,
                digits=1,
            ),
            Goal(
                "P7",
                "SCML step (agents that answer all at once) / a whole week",
                30.0,
                float(np.median(scml["SyncRandomOneShotAgent"] / ours["week"])),
                least=True,
                gate=False,
                digits=1,
            ),
        ]
        detail["scml"] = {k: spread(list(v)) for k, v in scml.items()}
    return finish("scml_step", goals, detail, args, [why] if why else [])


if __name__ == "__main__":
    sys.exit(main())
