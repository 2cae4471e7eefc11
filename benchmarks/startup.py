"""Start-up, memory, and many runs in one process (goal P8).

``python -m benchmarks startup [--rounds 5] [--out FILE.json]``

CPU and memory are the operating system's figures for child processes; import lists come from `python -X importtime`.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import Goal, child, finish, interleave, options, row, spread
from benchmarks.reference_loop import loop

CLI = [sys.executable, "-c", "from experiments.cli import main; main(prog_name='offtake')"]
#: what `offtake run` imports before it builds a world
IMPORTS = "import experiments.cli, experiments.run, agents, agents.game, env, rich.console, rich.table"
HEAVY = ("mesa", "scipy", "pandas", "numba", "pyarrow", "numpy", "pydantic")
FORBIDDEN = ("mesa", "scipy", "pandas")
LONG = "2050-12-26"  # 26 years
TINY, TINY_WEEKS, WARM_RUNS, RUNS = "one_mine_one_buyer", 4, 50, 1000


def imported(argv: list[str]) -> set[str]:
    """Top-level modules a command imports."""
    done = child([argv[0], "-X", "importtime", *argv[1:]])
    names = re.findall(r"^import time:\s*\d+ \|\s*\d+ \|\s*([\w.]+)", done.err, re.M)
    assert names, "python -X importtime printed nothing"
    return {name.split(".")[0] for name in names}


def resident_mb() -> float:
    """Resident set now (Linux), else the largest so far."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def record_fields(record: Any) -> list[str]:
    """What a record is made of, without the structure it shares with the world."""
    return [f.name for f in dataclasses.fields(record) if f.name != "structure"]


def array_mb(thing: Any, seen: set[int]) -> float:
    """MB of all arrays in an object, each once; `seen` holds the ids of what was counted."""
    if id(thing) in seen or isinstance(thing, (str, int, float, type(None))):
        return 0.0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes / 2**20
    if isinstance(thing, dict):
        return sum(array_mb(x, seen) for x in thing.values())
    if isinstance(thing, (list, tuple)):
        return sum(array_mb(x, seen) for x in thing)
    names = [n for c in type(thing).__mro__ for n in getattr(c, "__slots__", ())] + list(getattr(thing, "__dict__", ()))
    return sum(array_mb(getattr(thing, n, None), seen) for n in names)


def first_week() -> dict[str, float]:
    """CPU from the end of imports to the end of the first week, by part."""
    marks = [time.process_time()]
    exec(IMPORTS, {})  # noqa: S102
    marks.append(time.process_time())
    from env import load_scenario

    load_scenario("baseline", {})
    marks.append(time.process_time())
    from agents import Game

    game = Game("baseline")
    marks.append(time.process_time())
    game.step()
    marks.append(time.process_time())
    parts = dict(zip(("imports", "load", "build_and_burn_in", "week"), np.diff(marks).tolist(), strict=True))
    return parts | {"loop": loop()}


def long_run() -> dict[str, Any]:
    """Memory of 26 years: after imports, after building, at the end."""
    exec(IMPORTS, {})  # noqa: S102
    after_imports = resident_mb()
    from agents import Game

    game = Game("baseline", overrides={"end": LONG})
    built = resident_mb()
    game.run()
    record = game.world.record

    seen = {id(game.world.structure)}
    held = {name: array_mb(getattr(record, name), seen) for name in record_fields(record)}
    held["snapshots"] = array_mb(game.snapshots, seen)
    return {
        "weeks": game.week,
        "imports_mb": after_imports,
        "built_mb": built,
        "end_mb": resident_mb(),
        "snapshots": len(game.snapshots),
        "arrays_mb": {name: mb for name, mb in held.items() if mb >= 0.5},
    }


def many_runs() -> dict[str, Any]:
    """Growth over 1,000 short runs of a tiny world, after 50 to warm up."""
    from agents import Game
    from env import load_scenario

    spec = load_scenario(TINY, {})
    sizes = []
    start = time.process_time()
    for i in range(WARM_RUNS + RUNS):
        if i >= WARM_RUNS and (i - WARM_RUNS) % 250 == 0:
            gc.collect()
            sizes.append(resident_mb())
        game = Game(spec, seed=i)
        for _ in range(TINY_WEEKS):
            game.step()
    cpu = time.process_time() - start
    del game
    gc.collect()
    sizes.append(resident_mb())
    return {"growth_mb": sizes[-1] - sizes[0], "sizes_mb": sizes, "run_cpu": cpu / (WARM_RUNS + RUNS)}


ROWS = {"first_week": first_week, "long_run": long_run, "many_runs": many_runs, "loop": lambda: {"loop": loop()}}


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON."""
    args = options("startup", argv)
    if args.row:
        print(json.dumps(ROWS[args.row[0]]()))
        return 0
    seen = imported([*CLI, "--help"])
    heavy = sorted(set(HEAVY) & seen)
    child(
        [*CLI, "run", "baseline", "--until", "2025-01-12", "--quiet"]
    )  # whatever is compiled on first use is compiled now
    found = interleave(
        {
            "loop": lambda: row("startup", "loop")["loop"],
            "python": lambda: child([sys.executable, "-c", "pass"]).cpu,
            "help": lambda: child([*CLI, "--help"]).cpu,
            "imports": lambda: child([sys.executable, "-c", IMPORTS]).cpu,
            "run": lambda: child([*CLI, "run", "baseline", "--until", "2025-01-12", "--quiet"]).cpu,
            "parts": lambda: row("startup", "first_week"),
        },
        args.rounds,
    )
    loops = np.array(found["loop"])
    to_first = (np.array(found["run"]) - np.array(found["imports"])) / loops
    long, many = row("startup", "long_run"), row("startup", "many_runs")
    parts = {
        k: float(np.median([p[k] / p["loop"] for p in found["parts"]]))
        for k in ("imports", "load", "build_and_burn_in", "week")
    }
    forbidden = sorted(set(FORBIDDEN) & seen)
    goals = [
        Goal("P8", "offtake --help, scaled s of CPU", 0.4, float(np.median(np.array(found["help"]) / loops))),
        Goal("P8", "mesa, scipy, pandas imported by --help", 0, len(forbidden), digits=0),
        Goal(
            "P8", "offtake run baseline to its first week, over its imports, scaled s", 1.5, float(np.median(to_first))
        ),
        Goal("P8", "largest resident set of a 26-year run, MB", 300, long["process_rss_mb"], digits=0),
        Goal("P8", f"growth over {RUNS:,} short runs in one process, MiB", 5.0, many["growth_mb"]),
    ]
    bare = float(np.median(np.array(found["python"]) / loops))
    arrays = ", ".join(f"{k} {v:.0f}" for k, v in long["arrays_mb"].items())
    print(
        f"\nscaled s: imports of a run {parts['imports']:.2f}, reading the scenario {parts['load']:.2f},"
        f" build and burn-in {parts['build_and_burn_in']:.2f}, first week {parts['week']:.3f}; bare python {bare:.3f};"
        f" heavy imports of --help: {', '.join(heavy) or 'none'}"
    )
    print(
        f"26 years: {long['imports_mb']:.0f} MB imported, {long['built_mb']:.0f} built, {long['end_mb']:.0f} at the"
        f" end; arrays held: {arrays} MB; {long['snapshots']} snapshots"
    )
    sizes = ", ".join(f"{x:.1f}" for x in many["sizes_mb"])
    print(f"short runs: {1e3 * many['run_cpu']:.1f} CPU ms each; resident {sizes} MB")
    detail = {
        "cpu": {k: spread(found[k]) for k in ("loop", "python", "help", "imports", "run")},
        "parts_scaled_s": parts,
        "help_imports": heavy,
        "long_run": long,
        "many_runs": many,
    }
    return finish("startup", goals, detail, args)


if __name__ == "__main__":
    sys.exit(main())
