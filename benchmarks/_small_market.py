"""The small market of `benchmarks.mesa_idiom`: its rule, its opening, and three ways of playing it.

One good, N traders (half sell, half buy) at 17 places, no trade between places.  Every week, at every place:

1. A trader's reference price moves with the place's news of the week.
2. A seller makes its usual size and offers a quarter of a full store plus this week's make, in five steps around
   its reference; a buyer bids for what it uses plus a quarter of the gap to its target stock, in five steps.
3. The place clears as one double auction: asks rising, bids falling (ties by trader), matched while ask <= bid; the
   price is halfway between the last ask and the last bid matched.
4. Money and goods move; buyers use their size. References move a fifth of the way to the price; who traded nothing
   moves one percent towards a deal.

Only numpy is imported here, so that other interpreters can load it. The styles of Mesa are in `_mesa_market.py`,
agentpy's in `_agentpy_market.py`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PLACES = 17
SELL_STEPS = ((0.2, 0.94), (0.2, 0.97), (0.2, 1.0), (0.2, 1.03), (0.2, 1.06))
BUY_STEPS = ((0.2, 1.06), (0.2, 1.03), (0.2, 1.0), (0.2, 0.97), (0.2, 0.94))
COVER, LEARN, CONCEDE = 4.0, 0.2, 0.01
#: traders -> weeks played (after two weeks to warm up)
SIZES = {100: 150, 1000: 30, 10000: 5}
WARM = 2


def opening(n: int, weeks: int, seed: int = 5) -> dict[str, Any]:
    """Places, sides, references, sizes, stocks of the traders, and the news (weeks, places) as factors."""
    rng = np.random.default_rng(seed)
    i = np.arange(n)
    size = rng.lognormal(3.0, 0.5, n)
    return {
        "place": i % PLACES,
        "sells": (i // PLACES) % 2 == 0,
        "ref": 50.0 * np.exp(rng.normal(0.0, 0.1, n)),
        "size": size,
        "stock": COVER * size * rng.uniform(0.5, 1.0, n),
        "news": np.exp(rng.normal(0.0, 0.01, (weeks + WARM, PLACES))),
    }


def play_all(make: Any, folder: Path, style: str) -> None:
    """Play every size that lies in `folder`; write results there, print CPU seconds a week as JSON.

    `make(opening)` returns an object with `step()`, `prices` (rows by place) and `traders() -> (cash, stock, ref)`.
    """
    spent = {}
    for n, weeks in SIZES.items():
        with np.load(folder / f"opening{n}.npz") as data:
            start_values = dict(data)
        model = make(start_values)
        for _ in range(WARM):
            model.step()
        start = time.process_time()
        for _ in range(weeks):
            model.step()
        spent[str(n)] = (time.process_time() - start) / weeks
        cash, stock, ref = model.traders()
        np.savez(folder / f"{style}{n}.npz", prices=np.array(model.prices), cash=cash, stock=stock, ref=ref)
    print(json.dumps(spent))


if __name__ == "__main__":
    sys.exit("run python -m benchmarks mesa_idiom")
