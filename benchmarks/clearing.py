"""Weekly spot clearing against a C twin, SciPy's LP and plain Python (goals P1 and P1b).

``python -m benchmarks clearing [--rounds 5] [--weeks 6] [--out FILE.json]``

Two made-up markets drift from week to week (prices about 1 %, quantities 5 %): `week` = 15 goods x 17 nodes, 3 + 3
steps a node; `big` = 44 goods, 17 origins x 34 destinations, of which ten have 1,000 steps, 14 have 300, 20 have 102.
Every row clears the same books from the same guesses (last week's origin prices); welfare must agree to 1e-9.  Times
are CPU seconds a week, rounds interleaved; what counts are the ratios within one run.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from env import clearing
from env.clearing import Book, clear_book, clear_shared_cap

Week = list[Book]
GOALS = {"compiled / C": 1.5, "LP / compiled": 15.0, "quota week / plain week": 15.0}
SLACK = 1.5  # the benchmark fails only beyond this multiple of a goal
WELFARE = 1e-9


# ---- the market -----------------------------------------------------------------------------------------------------


class Market:
    """One good whose orders and costs drift from week to week."""

    def __init__(self, rng: np.random.Generator, n_o: int, n_d: int, n_a: int, n_b: int, even: bool) -> None:
        """Draw nodes, ladders, quantities (kg), freight with tariff, caps (a quarter of lanes), closed lanes (10 %)."""
        self.rng = rng
        self.base = float(np.exp(rng.uniform(np.log(2), np.log(400))))  # USD/kg
        where_a = 0.7 * rng.dirichlet(np.full(n_o, 0.5)) + 0.3 / n_o
        where_b = 0.7 * rng.dirichlet(np.full(n_d, 0.5)) + 0.3 / n_d
        self.an = np.arange(n_a) % n_o if even else rng.choice(n_o, n_a, p=where_a)
        self.bn = np.arange(n_b) % n_d if even else rng.choice(n_d, n_b, p=where_b)
        self.al, self.bl = rng.uniform(0.7, 1.25, n_a), rng.uniform(0.8, 1.5, n_b)
        self.aq, self.bq = rng.lognormal(3, 1, n_a), rng.lognormal(3, 1, n_b)
        self.cost = self.base * rng.uniform(0.01, 0.25, (n_o, n_d))
        if n_o == n_d:
            np.fill_diagonal(self.cost, 0.0)
        self.cost[rng.random((n_o, n_d)) < 0.1] = np.inf
        self.cap = np.where(rng.random((n_o, n_d)) < 0.25, rng.lognormal(4, 1.5, (n_o, n_d)), np.inf)

    def week(self, guess: np.ndarray) -> Book:
        """Next week's book."""
        rng = self.rng
        self.base *= np.exp(rng.normal(0, 0.01))
        for x, s in ((self.al, 0.01), (self.bl, 0.01), (self.aq, 0.05), (self.bq, 0.05)):
            x *= np.exp(rng.normal(0, s, len(x)))
        a, b = self.base * self.al, self.base * self.bl
        return Book(self.an, a, self.aq.copy(), self.bn, b, self.bq.copy(), self.cost, self.cap, guess)


def weeks_of(kind: str, n: int, seed: int) -> list[Week]:
    """`n` consecutive weeks of a market, after two to settle, each with last week's origin prices as guesses."""
    rng = np.random.default_rng(seed)
    if kind == "week":
        goods = [Market(rng, 17, 17, 51, 51, True) for _ in range(15)]
    else:
        sizes = [500] * 10 + [150] * 14 + [51] * 20
        goods = [Market(rng, 17, 34, k, k, False) for k in sizes]
    guess = [np.full(17, np.nan) for _ in goods]
    out: list[Week] = []
    for _ in range(n + 2):
        week = [m.week(g) for m, g in zip(goods, guess, strict=True)]
        for i, b in enumerate(week):
            p = clear_book(*b)[3]
            guess[i] = np.where(np.isnan(p), guess[i], p)
        out.append(week)
    return out[2:]


# ---- the contestants: each takes one week and returns the welfare of its books --------------------------------------


def compiled(week: Week) -> list[float]:
    return [clear_book(*b)[6] for b in week]


def plain_clearing() -> ModuleType:
    """The same source as plain Python."""
    spec = importlib.util.spec_from_file_location("clearing_plain", clearing.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["clearing_plain"] = module
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        spec.loader.exec_module(module)
    finally:
        numba.config.DISABLE_JIT = before
    return module


class CTwin:
    """benchmarks/clearing_c/clearing.c, built into a temporary folder; one call clears a week."""

    def __init__(self, folder: Path, flags: list[str]) -> None:
        """Compile and load."""
        source = Path(__file__).parent / "clearing_c" / "clearing.c"
        lib = folder / f"clearing{abs(hash(tuple(flags)))}.so"
        cc = shutil.which("cc")
        assert cc, "no C compiler"
        subprocess.run([cc, *flags, "-shared", "-fPIC", "-o", str(lib), str(source), "-lm"], check=True)
        self.call = ctypes.CDLL(str(lib)).clear_week
        self.call.argtypes = [ctypes.c_int64, ctypes.c_void_p]
        self.ready: dict[int, tuple[Any, np.ndarray, list[Any]]] = {}

    def prepare(self, week: Week) -> None:
        """Lay out pointers and room for results once; the call itself is then C alone."""
        args = np.zeros((len(week), 20), np.int64)
        welfare = np.zeros(len(week))
        keep: list[Any] = [week]
        for i, b in enumerate(week):
            n_o, n_d = b.lane_cost.shape
            out = [np.empty(len(b.ask_qty)), np.empty(len(b.bid_qty)), np.empty((n_o, n_d)), np.empty(n_o + n_d)]
            out += [np.empty((n_o, n_d)), welfare[i : i + 1]]
            ins = [b.ask_node, b.bid_node, b.ask_price, b.ask_qty, b.bid_price, b.bid_qty]
            ins += [b.lane_cost, b.lane_cap, b.guess]
            args[i, :5] = len(b.ask_qty), len(b.bid_qty), n_o, n_d, len(b.guess)
            args[i, 5:] = [x.ctypes.data for x in [*ins, *out]]
            keep += [*ins, *out]
        self.ready[id(week)] = (args, welfare, keep)

    def __call__(self, week: Week) -> list[float]:
        args, welfare, _ = self.ready[id(week)]
        assert self.call(len(args), args.ctypes.data) == 0
        return welfare.tolist()


def lp_week(week: Week) -> list[float]:
    """All goods as one block LP in SciPy (HiGHS, its default settings); the matrices are part of the work."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    cs, ubs, rows, cols, vals, cuts = [], [], [], [], [], [0]
    row0 = col0 = 0
    for b in week:
        n_o, n_d = b.lane_cost.shape
        n_a, n_b = len(b.ask_node), len(b.bid_node)
        open_ = np.isfinite(b.lane_cost) & (b.lane_cap > 0)
        lo, ld = np.nonzero(open_)
        lanes = n_a + n_b + np.arange(len(lo))
        rows.append(row0 + np.r_[b.ask_node, lo, n_o + b.bid_node, n_o + ld])
        cols.append(col0 + np.r_[np.arange(n_a), lanes, n_a + np.arange(n_b), lanes])
        vals.append(np.r_[np.ones(n_a), -np.ones(len(lo)), np.ones(n_b), -np.ones(len(lo))])
        cs.append(np.r_[b.ask_price, -b.bid_price, b.lane_cost[open_]])
        ubs.append(np.r_[b.ask_qty, b.bid_qty, b.lane_cap[open_]])
        row0 += n_o + n_d
        col0 += len(cs[-1])
        cuts.append(col0)
    c, ub = np.concatenate(cs), np.concatenate(ubs)
    a = coo_matrix((np.concatenate(vals), (np.concatenate(rows), np.concatenate(cols))), shape=(row0, col0)).tocsr()
    s = linprog(c, A_eq=a, b_eq=np.zeros(row0), bounds=np.c_[np.zeros(col0), ub])
    assert s.status == 0, s.message
    return [-float(c[i:j] @ s.x[i:j]) for i, j in pairwise(cuts)]


class QuotaWeek:
    """The week with one export quota over all goods on lanes out of the first origin, at half the free flow."""

    def __init__(self, weeks: list[Week], warm: bool) -> None:
        """Set the quotas, and the guesses: the shadow price of the week before, or none."""
        self.by_week: dict[int, tuple[list[Any], float, float]] = {}
        self.trials = 0
        last = 0.0
        for week in weeks:
            masks = []
            for b in week:
                mask = np.zeros(b.lane_cost.shape, bool)
                mask[0, 1:] = True
                masks.append(mask)
            free = sum(float(clear_book(*b)[2][m].sum()) for b, m in zip(week, masks, strict=True))
            self.by_week[id(week)] = (masks, 0.5 * free, last if warm else 0.0)
            lam, _, used = clear_shared_cap(week, masks, 0.5 * free, last)
            assert lam > 0 and abs(used - 0.5 * free) <= 1e-9 * free, "the quota must bind"
            last = lam

    def __call__(self, week: Week) -> list[float]:
        masks, quota, guess = self.by_week[id(week)]
        return [clear_shared_cap(week, masks, quota, guess)[0]]


# ---- measuring ------------------------------------------------------------------------------------------------------

Row = tuple[str, Callable[[Week], list[float]], list[Week], bool]


def measure(rows: list[Row], rounds: int) -> dict[str, list[float]]:
    """CPU seconds a week of every row, one figure a round; rows take turns within a round."""
    for _, run, weeks, _ in rows:
        run(weeks[0])
    spent: dict[str, list[float]] = {name: [] for name, *_ in rows}
    for _ in range(rounds):
        for name, run, weeks, _ in rows:
            start = time.process_time()
            for week in weeks:
                run(week)
            spent[name].append((time.process_time() - start) / len(weeks))
    return spent


def worst_gap(rows: list[Row]) -> float:
    """Largest relative difference in a book's welfare between any row and the compiled one."""
    worst = 0.0
    for _, run, weeks, compare in rows:
        for week in weeks if compare else []:
            for mine, other in zip(compiled(week), run(week), strict=True):
                worst = max(worst, abs(mine - other) / max(1.0, abs(mine)))
    return worst


def one_market(kind: str, weeks: list[Week], rounds: int, folder: Path) -> dict[str, Any]:
    """Run all rows on one market; ratios are medians over rounds of the ratio within the round."""
    c = CTwin(folder, ["-O3"])
    native = CTwin(folder, ["-O3", "-march=native", "-ffp-contract=off"])
    for week in weeks:
        c.prepare(week)
        native.prepare(week)
    plain = plain_clearing()
    few = weeks[:1] if kind == "big" else weeks[:2]
    rows: list[Row] = [
        ("compiled", compiled, weeks, True),
        ("C -O3", c, weeks, True),
        ("C -O3 -march=native", native, weeks, True),
        ("SciPy LP", lp_week, few, True),
        ("plain Python", lambda week: [float(plain.clear_book(*b)[6]) for b in week], few[:1], True),
    ]
    if kind == "week":
        rows += [
            ("quota week", QuotaWeek(weeks, True), weeks, False),
            ("quota week, no guess", QuotaWeek(weeks, False), weeks, False),
        ]
    gap = worst_gap(rows)
    spent = measure(rows, rounds)
    mine = np.array(spent["compiled"])
    table = {
        name: {
            "median_ms": 1e3 * float(np.median(x)),
            "min_ms": 1e3 * float(np.min(x)),
            "ratio_to_compiled": float(np.median(np.array(x) / mine)),
        }
        for name, x in spent.items()
    }
    ratios = {
        "compiled / C": float(np.median(mine / np.array(spent["C -O3"]))),
        "compiled / C native": float(np.median(mine / np.array(spent["C -O3 -march=native"]))),
        "LP / compiled": table["SciPy LP"]["ratio_to_compiled"],
        "plain Python / compiled": table["plain Python"]["ratio_to_compiled"],
    }
    if kind == "week":
        ratios["quota week / plain week"] = table["quota week"]["ratio_to_compiled"]
        ratios["quota week without guess / plain week"] = table["quota week, no guess"]["ratio_to_compiled"]
    return {"rows": table, "ratios": ratios, "welfare_gap": gap, "weeks": len(weeks), "goods": len(weeks[0])}


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON; returns 1 when a goal is missed by more than half or welfare differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks clearing")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=6)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    rounds = max(5, args.rounds)
    result: dict[str, Any] = {
        "benchmark": "clearing",
        "rounds": rounds,
        "load_before": os.getloadavg(),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "machine": platform.machine(),
    }
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, kind in ((11, "week"), (12, "big")):
            r = one_market(kind, weeks_of(kind, args.weeks, seed), rounds, Path(folder))
            result[kind] = r
            print(f"\n{kind}: {r['goods']} goods, {r['weeks']} weeks, {rounds} rounds; CPU ms a week")
            for name, row in r["rows"].items():
                ratio = row["ratio_to_compiled"]
                print(f"  {name:24} median {row['median_ms']:9.3f}  min {row['min_ms']:9.3f}  x{ratio:.2f}")
            for name, ratio in r["ratios"].items():
                goal = GOALS.get(name)
                least = name.startswith("LP")
                print(f"  {name:38} {ratio:8.2f}" + (f"  goal {'>=' if least else '<='} {goal}" if goal else ""))
                if goal and (ratio < goal / SLACK if least else ratio > goal * SLACK):
                    failed.append(f"{kind}: {name}")
            print(f"  largest relative difference in welfare {r['welfare_gap']:.1e}")
            if r["welfare_gap"] > WELFARE:
                failed.append(f"{kind}: welfare")
    result["load_after"] = os.getloadavg()
    result["failed"] = failed
    print(
        "\nload average",
        *(f"{x:.2f}" for x in result["load_before"]),
        "->",
        *(f"{x:.2f}" for x in result["load_after"]),
    )
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    if failed:
        print("FAILED:", "; ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
