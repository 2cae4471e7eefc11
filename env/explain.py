"""Why did the price move?  Last week's and this week's market cleared again with one group of inputs swapped at a time.

Six groups: supply, demand, stocks, policy, contracts, expectations; swapped once in this order and once in its
reverse, and averaged: twelve clearings, and the parts add up to the change of the cleared price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from env.clearing import clear_book
from env.market import GROUPS, Desk, book_of, swap

if TYPE_CHECKING:
    from env.world import World

ORDER = tuple(GROUPS)


class NoTrade(ValueError):
    """There is no price to explain: the good did not trade there in both weeks."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Parts of a price change (USD/kg) by group; they add up to `after - before`."""

    good: str
    place: str
    before: float
    after: float
    parts: dict[str, float]
    clearings: int

    @property
    def change_pct(self) -> float:
        """Change in percent of the price before."""
        return 100.0 * (self.after / self.before - 1.0) if self.before else float("nan")

    def in_words(self) -> str:
        """`dy_oxide in EUU +12.0 %: policy +9.1, stocks +2.2, demand +0.7` (percent of the price before)."""
        shares = {k: 100.0 * v / self.before for k, v in self.parts.items()} if self.before else {}
        listed = sorted(shares.items(), key=lambda x: -abs(x[1]))
        return f"{self.good} in {self.place} {self.change_pct:+.1f} %: " + ", ".join(
            f"{k} {v:+.1f}" for k, v in listed if abs(v) >= 0.05
        )


def price_at(world: World, desk: Desk, good: int, node: int, *, delivered: bool) -> float:
    """Cleared price of a good at a node for a desk (USD/kg); NaN without trade.

    Delivered prices are means over the classes of use, weighted by quantity.
    """
    book = book_of(world, desk, good)
    guess = np.full(book[6].shape[0], np.nan)
    result = clear_book(*book, guess)
    if not delivered:
        return float(result[3][node])
    classes = slice(node * 3, node * 3 + 3)
    kg = result[2][:, classes].sum(axis=0)
    return float((np.nan_to_num(result[4][classes]) * kg).sum() / kg.sum()) if kg.sum() > 0 else float("nan")


def between(world: World, desk: Desk, good: int, node: int, *, delivered: bool) -> float:
    """Half-way between the best bid and the best offer that could meet at a node; NaN where none can."""
    origin, ask, ask_kg, dest, bid, bid_kg, cost, cap = book_of(world, desk, good)
    lane = np.where(cap > 0.0, cost, np.inf)
    here = np.arange(lane.shape[1]) // 3 == node if delivered else np.ones(lane.shape[1], dtype=bool)
    if not delivered:
        lane = np.where((np.arange(len(lane)) == node)[:, None], lane, np.inf)
    some_ask, some_bid = ask_kg > 0.0, (bid_kg > 0.0) & here[dest]
    if not some_ask.any() or not some_bid.any():
        return float("nan")
    best_ask, best_bid = np.full(lane.shape[0], np.inf), np.full(lane.shape[1], -np.inf)
    np.minimum.at(best_ask, origin[some_ask], ask[some_ask])
    np.maximum.at(best_bid, dest[some_bid], bid[some_bid])
    if delivered:
        low, high = float((best_ask[:, None] + lane)[:, here].min()), float(best_bid[here].max())
    else:
        low, high = float(best_ask[node]), float((best_bid - lane[node]).max())
    return 0.5 * (low + high) if np.isfinite(low) and np.isfinite(high) else float("nan")


def explain_week(world: World, before: Desk, after: Desk, good: str, place: str, *, delivered: bool) -> Explanation:
    """Attribute the change of the cleared price between two desks, exact to rounding."""
    st = world.structure
    g, n = st.goods.index[good], st.nodes.index[place]
    count = 0

    def price(desk: Desk) -> float:
        nonlocal count
        count += 1
        return price_at(world, desk, g, n, delivered=delivered)

    parts = dict.fromkeys(ORDER, 0.0)
    first = last = float("nan")
    for order in (ORDER, ORDER[::-1]):
        desk = before
        # the first clearing of each walk is the market before, the last the market after: six clearings a walk,
        # the start is shared by both
        level = first = price(desk) if np.isnan(first) else first
        for group in order[:-1]:
            desk = swap(desk, after, group)
            now = price(desk)
            if np.isnan(now):  # no trade with this mix: where bid and offer stand, or else the last price
                now = between(world, desk, g, n, delivered=delivered)
            now = level if np.isnan(now) else now
            parts[group] += 0.5 * (now - level)
            level = now
        if np.isnan(last):
            last = price(after)
        if np.isnan(first) or np.isnan(last):
            raise NoTrade(f"{good} did not trade at {place} in both weeks")
        parts[order[-1]] += 0.5 * (last - level)
    return Explanation(good, place, first, last, parts, count)
