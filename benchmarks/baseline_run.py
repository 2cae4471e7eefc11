"""`baseline` with all default strategies, 832 weeks, against the reference loop; growth in weeks and actors (goal P3).

``python -m benchmarks baseline_run [--rounds 5] [--out FILE.json]``

Every run is a fresh process.  A quarter of the reference loop runs after each 104 weeks, so that the yardstick sees the
same machine as the run.  Weeks: cost of the first 208, 416 and 832 weeks of one run.  Actors: every buyer's uses are
split over 1, 2 or 4 firms of their own, with own seats, plants' contracts included, in a copy of the specification.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks._common import Goal, finish, interleave, options, row, spread
from benchmarks.reference_loop import QUARTERS, quarter

END = "2040-12-10"  # 832 weeks from 2025-01-06
WEEKS, BLOCK, ACTOR_WEEKS = 832, 104, 104


def split_users(spec: Any, parts: int) -> Any:
    """The specification with every user turned into `parts` equal firms: uses, contracts, cash, debt shared out."""
    users = {u.party for u in spec.uses}
    use_codes = {u.code for u in spec.uses}

    def name(code: str, i: int) -> str:
        return code if i == 0 else f"{code}_part{i + 1}"

    parties = []
    for p in spec.parties:
        if p.code in users:
            share = {"cash_usd": p.cash_usd / parts, "debt_usd": p.debt_usd / parts}
            parties += [p.model_copy(update={"code": name(p.code, i), **share}) for i in range(parts)]
        else:
            parties.append(p)
    uses = [
        u.model_copy(
            update={
                "code": name(u.code, i),
                "party": name(u.party, i),
                "goods_t": {g: t / parts for g, t in u.goods_t.items()},
            }
        )
        for u in spec.uses
        for i in range(parts)
    ]
    contracts = []
    for c in spec.contracts:
        if c.buyer_holder in use_codes:
            contracts += [
                c.model_copy(
                    update={
                        "code": name(c.code, i),
                        "buyer": name(c.buyer, i),
                        "buyer_holder": name(c.buyer_holder, i),
                        "volume_t_per_year": c.volume_t_per_year / parts,
                    }
                )
                for i in range(parts)
            ]
        else:
            contracts.append(c)
    stocks = [
        s.model_copy(update={"holder": name(s.holder, i), "tonnes": s.tonnes / parts})
        for s in spec.stocks
        for i in range(parts if s.holder in use_codes else 1)
    ]
    return spec.model_copy(update={"parties": parties, "uses": uses, "contracts": contracts, "stocks": stocks})


def play(parts: int, weeks: int) -> dict[str, Any]:
    """One run: CPU seconds of every week, and the reference loop in between."""
    start = time.process_time()
    from agents import Game
    from env import load_scenario

    imports = time.process_time() - start
    spec = load_scenario("baseline", {"end": END})
    start = time.process_time()
    game = Game(split_users(spec, parts) if parts > 1 else spec, seed=0)
    build = time.process_time() - start
    spent, loops = [], [quarter()]
    for i in range(weeks):
        start = time.process_time()
        game.step()
        spent.append(time.process_time() - start)
        if (i + 1) % BLOCK == 0:
            loops.append(quarter())
    st = game.world.structure
    sizes = {
        "seats": len(game.seats),
        "parties": len(st.parties),
        "uses": len(st.u_slot),
        "sell_slots": len(st.s_holder),
        "buy_slots": len(st.b_holder),
        "contracts": len(spec.contracts),
    }
    quarters = float(np.mean(loops))
    return {"imports": imports, "build": build, "weeks": spent, "loop": QUARTERS * quarters, "sizes": sizes}


def main(argv: list[str] | None = None) -> int:
    """Run, print, write JSON."""
    args = options("baseline_run", argv)
    if args.row:
        print(json.dumps(play(int(args.row[0]), int(args.row[1]))))
        return 0
    found = interleave(
        {
            "whole": lambda: row("baseline_run", 1, WEEKS),
            "1x": lambda: row("baseline_run", 1, ACTOR_WEEKS),
            "2x": lambda: row("baseline_run", 2, ACTOR_WEEKS),
            "4x": lambda: row("baseline_run", 4, ACTOR_WEEKS),
        },
        args.rounds,
    )
    runs = found["whole"]
    total = [(r["build"] + sum(r["weeks"])) / r["loop"] for r in runs]
    upto = {n: [sum(r["weeks"][:n]) / r["loop"] for r in runs] for n in (208, 416, WEEKS)}
    p99 = [float(np.percentile(r["weeks"], 99)) / r["loop"] for r in runs]
    worst = [max(r["weeks"]) / r["loop"] for r in runs]
    actors = {k: [sum(r["weeks"]) / r["loop"] / ACTOR_WEEKS for r in found[k]] for k in ("1x", "2x", "4x")}
    cost = {k: float(np.median(v)) for k, v in actors.items()}
    seconds = [r["build"] + sum(r["weeks"]) for r in runs]
    goals = [
        Goal("P3", "832 weeks of baseline / reference loop (stretch 5)", 10.0, float(np.median(total))),
        Goal("P3", "99th percentile of one week, scaled ms", 15.0, 1e3 * float(np.median(p99))),
        Goal(
            "P3",
            "cost of 832 weeks / (4 x cost of 208 weeks)",
            1.1,
            float(np.median(np.divide(upto[WEEKS], upto[208]))) / 4,
        ),
        Goal(
            "P3",
            "cost of 416 weeks / (2 x cost of 208 weeks)",
            1.1,
            float(np.median(np.divide(upto[416], upto[208]))) / 2,
        ),
        Goal(
            "P3",
            "actors: cost of a week 4x / straight line through 1x and 2x",
            1.1,
            cost["4x"] / (3 * cost["2x"] - 2 * cost["1x"]),
        ),
        Goal(
            "P3",
            "actors: added cost 2x -> 4x / (2 x added cost 1x -> 2x)",
            1.1,
            (cost["4x"] - cost["2x"]) / (2 * (cost["2x"] - cost["1x"])),
            gate=False,
        ),
        Goal("P3", "actors: cost of a week 4x / 1x, by number of use rows (4)", 4.0, cost["4x"] / cost["1x"]),
    ]

    def middle(name: str) -> float:
        return float(np.median([r[name] for r in runs]))

    sizes = {k: found[k][0]["sizes"] for k in ("1x", "2x", "4x")}
    print(
        f"\nCPU seconds of 832 weeks: median {np.median(seconds):.2f}, min {min(seconds):.2f};"
        f" weeks a CPU second {WEEKS / float(np.median([sum(r['weeks']) for r in runs])):.0f};"
        f" reference loop {middle('loop'):.2f} s; building with burn-in {middle('build'):.2f} s;"
        f" imports {middle('imports'):.2f} s; resident at the end {middle('process_rss_mb'):.0f} MB"
    )
    for k, s in sizes.items():
        print(
            f"  {k}: {1e3 * cost[k]:6.2f} scaled ms a week;"
            f" {s['seats']} seats, {s['uses']} use rows, {s['buy_slots']} buy slots"
        )
    detail = {
        "total": spread(total),
        "cpu_seconds": spread(seconds),
        "p99": spread(p99),
        "longest_week": spread(worst),
        "upto": {str(n): spread(v) for n, v in upto.items()},
        "actors": {k: spread(v) for k, v in actors.items()},
        "sizes": sizes,
        "weeks_of_one_run_ms": [round(1e3 * w, 3) for w in runs[0]["weeks"]],
    }
    return finish("baseline_run", goals, detail, args)


if __name__ == "__main__":
    sys.exit(main())
