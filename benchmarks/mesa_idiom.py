"""The same small market in this project's style, in idiomatic Mesa and in agentpy (goal P4).

``python -m benchmarks mesa_idiom [--rounds 5] [--out FILE.json]``

The market is described in `_small_market.py`; 100, 1,000 and 10,000 traders. Every style plays all sizes in a fresh
process from the same opening; prices, cash, stocks and references at the end must agree to 1e-9. agentpy is looked
for in another interpreter (see `_common.other_python`) and left out when it is not there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import ROOT, Goal, child, finish, interleave, options, other_python, spread
from benchmarks._small_market import SIZES, opening

SAME = 1e-9


def gap(folder: Path, style: str) -> float:
    """Largest relative difference between a style's results and the kernel's, over all sizes."""
    worst = 0.0
    for n in SIZES:
        with np.load(folder / f"kernel{n}.npz") as mine, np.load(folder / f"{style}{n}.npz") as other:
            for name in ("prices", "cash", "stock", "ref"):
                a, b = mine[name], other[name]
                assert (np.isnan(a) == np.isnan(b)).all(), f"{style}, {n} traders: {name} trades elsewhere"
                if name == "prices":
                    assert np.isfinite(a).mean() > 0.9, "the market must trade"
                scale = np.maximum(np.nanmax(np.abs(a)), 1.0)
                worst = max(worst, float(np.nanmax(np.abs(a - b)) / scale))
    return worst


def main(argv: list[str] | None = None) -> int:
    """Run, compare, print, write JSON."""
    args = options("mesa_idiom", argv)
    agentpy, why = other_python("agentpy")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n, weeks in SIZES.items():
            np.savez(folder / f"opening{n}.npz", **opening(n, weeks))

        def mesa(style: str) -> dict[str, float]:
            done = child([sys.executable, "-m", "benchmarks._mesa_market", style, name])
            return json.loads(done.out.splitlines()[-1])  # type: ignore[no-any-return]

        rows: dict[str, Any] = {
            s: partial(mesa, s) for s in ("kernel", "objects", "kernel_recorded", "objects_recorded")
        }
        if agentpy:
            script = str(ROOT / "benchmarks" / "_agentpy_market.py")
            rows["agentpy"] = lambda: json.loads(child([agentpy, script, name]).out.splitlines()[-1])
        found = interleave(rows, args.rounds)
        gaps = {style: gap(folder, style) for style in rows if style != "kernel"}
    base = {style: "kernel_recorded" if style.endswith("_recorded") else "kernel" for style in rows}
    ratio = {
        style: {
            n: [r[str(n)] / k[str(n)] for r, k in zip(found[style], found[base[style]], strict=True)] for n in SIZES
        }
        for style in rows
    }
    print("\nCPU ms a week (median, min) and ratio to this project's style")
    for style, by_size in ratio.items():
        for n, values in by_size.items():
            ms = [1e3 * r[str(n)] for r in found[style]]
            print(f"  {style:16} {n:6} traders {np.median(ms):9.4f} {min(ms):9.4f}   x{np.median(values):.1f}")
    goals = [
        Goal(
            "P4",
            f"Mesa objects / this style, {n:,} traders",
            30.0,
            float(np.median(v)),
            least=True,
            gate=False,
            digits=1,
        )
        for n, v in ratio["objects"].items()
    ]
    goals += [
        Goal(
            "P4",
            f"the same with a table of every trader and week, {n:,} traders",
            30.0,
            float(np.median(v)),
            least=True,
            gate=False,
            digits=1,
        )
        for n, v in ratio["objects_recorded"].items()
    ]
    goals += [
        Goal("P4", f"agentpy / this style, {n:,} traders", 45.0, float(np.median(v)), least=True, gate=False, digits=1)
        for n, v in ratio.get("agentpy", {}).items()
    ]
    goals.append(Goal("P4", "largest relative difference in results x 1e9", 1.0, 1e9 * max(gaps.values())))
    detail = {
        "ratios": {s: {str(n): spread(v) for n, v in by.items()} for s, by in ratio.items()},
        "cpu": found,
        "gaps": gaps,
    }
    assert max(gaps.values()) <= SAME, gaps
    return finish("mesa_idiom", goals, detail, args, [why] if why else [])


if __name__ == "__main__":
    sys.exit(main())
