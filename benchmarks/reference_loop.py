"""The machine's reference loop: a fixed piece of work of the simulator's own kind, the yardstick of every time goal.

``python -m benchmarks reference_loop [--rounds 5] [--out FILE.json]``

Half of it is plain Python (objects, dicts, lists, floats), half numpy on arrays of 20 to 40,000 elements, most of them
small, as in a week of the model.  One round takes 1.0 CPU second on the machine the goals of docs/performance.md were
written on (Python 3.11, idle); a goal of "10 s" elsewhere means ten rounds.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks._common import finish, interleave, options, row, spread

QUARTERS = 4
PYTHON_TURNS = 1060
NUMPY_TURNS = 3320


class _Order:
    """A small object, made and thrown away by the hundred thousand."""

    __slots__ = ("kg", "owner", "price")

    def __init__(self, owner: int, price: float, kg: float) -> None:
        self.owner, self.price, self.kg = owner, price, kg


def _python(turns: int) -> float:
    """Order books of 600 objects: filed by place, sorted, matched, booked."""
    cash: dict[int, float] = {}
    total = 0.0
    seed = 12345
    for _ in range(turns):
        books: dict[int, list[_Order]] = {}
        for i in range(600):
            seed = (1103515245 * seed + 12345) % 2147483648
            books.setdefault(i % 17, []).append(_Order(i, 40.0 + seed % 2000 / 100.0, 1.0 + seed % 7))
        for orders in books.values():
            orders.sort(key=lambda o: o.price)
            low, high = 0, len(orders) - 1
            while low < high and orders[low].price <= orders[high].price - 2.0:
                kg = min(orders[low].kg, orders[high].kg)
                price = 0.5 * (orders[low].price + orders[high].price)
                cash[orders[low].owner] = cash.get(orders[low].owner, 0.0) + kg * price
                cash[orders[high].owner] = cash.get(orders[high].owner, 0.0) - kg * price
                orders[low].kg -= kg
                orders[high].kg -= kg
                low += orders[low].kg <= 0.0
                high -= orders[high].kg <= 0.0
        total += sum(cash[k] for k in sorted(cash)[:50])
    return total


def _numpy(turns: int) -> float:
    """Many small array operations, a few large ones."""
    rng = np.random.default_rng(7)
    small, middle, large = rng.random(20), rng.random(1500), rng.random((44, 17, 51))
    key = rng.integers(0, 750, 1500)
    total = 0.0
    for i in range(turns):
        for _ in range(6):
            small = np.where(small > 0.5, small * 0.99, small + 0.01)
            small = np.clip(small + 0.001 * np.nan_to_num(small), 0.0, 1.0)
            total += float(small.sum())
        flow = np.bincount(key, weights=middle, minlength=750)
        middle = np.divide(middle, flow[key] + 1.0, out=np.zeros_like(middle), where=middle > 0) + 0.3
        total += float(np.unique(key[: 200 + i % 50]).sum()) + float(np.cumsum(middle)[-1])
        if i % 4 == 0:
            large = large * 0.9 + 0.05
            total += float(large.reshape(44, 17, 17, 3).sum(axis=3)[3, 4, 5])
    return total


def quarter() -> float:
    """CPU seconds of a quarter of the reference loop: for slipping in between the weeks of a long run."""
    start = time.process_time()
    _python(PYTHON_TURNS // QUARTERS)
    _numpy(NUMPY_TURNS // QUARTERS)
    return time.process_time() - start


def loop() -> float:
    """CPU seconds of one reference loop."""
    return sum(quarter() for _ in range(QUARTERS))


def main(argv: list[str] | None = None) -> int:
    """Print how long the loop takes here."""
    args = options("reference_loop", argv)
    if args.row:
        import json

        start = time.process_time()
        _python(PYTHON_TURNS)
        python = time.process_time() - start
        print(json.dumps({"loop": loop(), "python_half": python}))
        return 0
    found = interleave({"loop": lambda: row("reference_loop", "loop")}, args.rounds)["loop"]
    figures = spread([r["loop"] for r in found])
    half = spread([r["python_half"] for r in found])
    print(
        f"CPU seconds of one reference loop: median {figures['median']:.3f}, min {figures['min']:.3f};"
        f" its Python half {half['median']:.3f}"
    )
    return finish("reference_loop", [], {"loop": figures, "python_half": half}, args)
