"""The small market in Mesa: this project's style (`kernel`) and that of Mesa's own examples (`objects`).

Each with and without a table of every trader and week (`_recorded`: copied arrays against Mesa's DataCollector).

``python -m benchmarks._mesa_market STYLE FOLDER``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mesa
import numpy as np
from numba import njit

from benchmarks._small_market import BUY_STEPS, CONCEDE, COVER, LEARN, PLACES, SELL_STEPS, play_all

# ---- this project's style: thin agents, arrays, one compiled week ----------------------------------------------------


class ThinTrader(mesa.Agent):
    """A trader's face: a row of the model's arrays."""

    def __init__(self, model: KernelMarket, row: int) -> None:
        super().__init__(model)
        self.row = row

    @property
    def cash(self) -> float:
        """USD."""
        return float(self.model.cash[self.row])

    @property
    def stock(self) -> float:
        """kg."""
        return float(self.model.stock[self.row])


@njit(cache=True)
def _sort(rows: Any, ref: Any, rising: bool) -> None:
    """Shell sort of traders by reference, ties by number; last week's order is nearly this week's."""
    sign = 1.0 if rising else -1.0
    gap = 1
    while gap < len(rows) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, len(rows)):
            r = rows[i]
            key = sign * ref[r]
            j = i - gap
            while j >= 0 and (sign * ref[rows[j]] > key or (sign * ref[rows[j]] == key and rows[j] > r)):
                rows[j + gap] = rows[j]
                j -= gap
            rows[j + gap] = r
        gap //= 3


@njit(cache=True)
def _best(rows: Any, ref: Any, at: Any, steps: Any, sign: float) -> tuple[int, float]:
    """Step whose next order is the best of all (ladders of one step are sorted like the references), and its price."""
    best, price, who = -1, np.inf, 0
    for j in range(len(steps)):
        if at[j] < len(rows):
            i = rows[at[j]]
            p = sign * ref[i] * steps[j, 1]
            if p < price or (p == price and i < who):
                best, price, who = j, p, i
    return best, sign * price


@njit(cache=True)
def _week(
    ptr: Any,
    sellers: Any,
    buyers: Any,
    size: Any,
    news: Any,
    steps_s: Any,
    steps_b: Any,
    ref: Any,
    stock: Any,
    cash: Any,
    lot: Any,
    filled: Any,
    price: Any,
) -> None:
    """One week of all places, in place: ladders stay unwritten, the two sides are walked from the best price on."""
    k = len(steps_s)
    for p in range(len(price)):
        sell, buy = sellers[ptr[0, p] : ptr[0, p + 1]], buyers[ptr[1, p] : ptr[1, p + 1]]
        for i in sell:
            ref[i] *= news[p]
            stock[i] = min(stock[i] + size[i], COVER * size[i] + size[i])
            lot[i] = min(stock[i], size[i] + stock[i] / 4.0)
            filled[i, :] = 0.0
        for i in buy:
            ref[i] *= news[p]
            lot[i] = max(0.0, size[i] + (COVER * size[i] - stock[i]) / 4.0)
            filled[i, :] = 0.0
        _sort(sell, ref, True)
        _sort(buy, ref, False)
        at_a, at_b = np.zeros(k, np.int64), np.zeros(k, np.int64)
        x, ask = _best(sell, ref, at_a, steps_s, 1.0)
        y, bid = _best(buy, ref, at_b, steps_b, -1.0)
        last_ask = last_bid = np.nan
        while x >= 0 and y >= 0 and ask <= bid:
            a, b = sell[at_a[x]], buy[at_b[y]]
            room_a, room_b = lot[a] * steps_s[x, 0] - filled[a, x], lot[b] * steps_b[y, 0] - filled[b, y]
            kg = min(room_a, room_b)
            filled[a, x] += kg
            filled[b, y] += kg
            last_ask, last_bid = ask, bid
            done_a = lot[a] * steps_s[x, 0] - filled[a, x] <= 0.0
            done_b = lot[b] * steps_b[y, 0] - filled[b, y] <= 0.0
            if done_a:
                at_a[x] += 1
                x, ask = _best(sell, ref, at_a, steps_s, 1.0)
            if done_b:
                at_b[y] += 1
                y, bid = _best(buy, ref, at_b, steps_b, -1.0)
        price[p] = 0.5 * (last_ask + last_bid)
        for i in sell:
            traded = 0.0
            for j in range(k):
                if filled[i, j] > 0.0:
                    stock[i] -= filled[i, j]
                    cash[i] += filled[i, j] * price[p]
                traded += filled[i, j]
            ref[i] = ref[i] + LEARN * (price[p] - ref[i]) if traded > 0.0 else ref[i] * (1.0 - CONCEDE)
        for i in buy:
            traded = 0.0
            for j in range(k):
                if filled[i, j] > 0.0:
                    stock[i] += filled[i, j]
                    cash[i] -= filled[i, j] * price[p]
                traded += filled[i, j]
            stock[i] = max(0.0, stock[i] - size[i])
            ref[i] = ref[i] + LEARN * (price[p] - ref[i]) if traded > 0.0 else ref[i] * (1.0 + CONCEDE)


class KernelMarket(mesa.Model):
    """Arrays by trader; the members of a place stand together, in last week's order of references."""

    def __init__(self, start: dict[str, Any], record: bool = False) -> None:
        super().__init__(rng=0)
        self.ptr = np.empty((2, PLACES + 1), np.int64)
        sides = []
        for side, mask in enumerate((start["sells"], ~start["sells"])):
            rows = np.flatnonzero(mask)
            rows = rows[np.argsort(start["place"][rows], kind="stable")]
            self.ptr[side] = np.searchsorted(start["place"][rows], np.arange(PLACES + 1))
            sides.append(rows)
        self.sellers, self.buyers = sides
        self.size, self.news = start["size"], start["news"]
        self.ref, self.stock, self.cash = start["ref"].copy(), start["stock"].copy(), np.zeros(len(start["ref"]))
        self.lot, self.filled = np.zeros(len(self.ref)), np.zeros((len(self.ref), len(SELL_STEPS)))
        self.ladders = np.array(SELL_STEPS), np.array(BUY_STEPS)
        self.prices: list[Any] = []
        self.table: list[Any] = []
        self.record = record
        self.week = 0
        for row in range(len(self.ref)):
            ThinTrader(self, row)

    def step(self) -> None:
        price = np.empty(PLACES)
        _week(
            self.ptr,
            self.sellers,
            self.buyers,
            self.size,
            self.news[self.week],
            *self.ladders,
            self.ref,
            self.stock,
            self.cash,
            self.lot,
            self.filled,
            price,
        )
        self.prices.append(price)
        if self.record:
            self.table.append((self.ref.copy(), self.stock.copy(), self.cash.copy()))
        self.week += 1

    def traders(self) -> tuple[Any, Any, Any]:
        return self.cash, self.stock, self.ref


# ---- idiomatic Mesa: every trader an object with its own orders ------------------------------------------------------


class Order:
    """A step of somebody's ladder."""

    __slots__ = ("filled", "kg", "price", "trader")

    def __init__(self, trader: Trader, price: float, kg: float) -> None:
        self.trader, self.price, self.kg, self.filled = trader, price, kg, 0.0


class Trader(mesa.Agent):
    """A trader that knows its place, its reference and its stock."""

    def __init__(self, model: ObjectMarket, place: Place, ref: float, size: float, stock: float) -> None:
        super().__init__(model)
        self.place, self.ref, self.size, self.stock = place, ref, size, stock
        self.cash = 0.0
        self.orders: list[Order] = []

    def settle(self) -> None:
        """Learn from the week."""
        if sum(order.filled for order in self.orders) > 0.0:
            self.ref += LEARN * (self.place.price - self.ref)
        else:
            self.concede()

    def post(self) -> None:
        """Write this week's orders."""
        raise NotImplementedError

    def concede(self) -> None:
        """Move towards a deal."""
        raise NotImplementedError


class Seller(Trader):
    """Makes its size a week and offers it."""

    def post(self) -> None:
        self.ref *= self.place.news
        self.stock = min(self.stock + self.size, COVER * self.size + self.size)
        offer = min(self.stock, self.size + self.stock / 4.0)
        self.orders = [Order(self, self.ref * factor, offer * share) for share, factor in SELL_STEPS]
        self.place.asks.extend(self.orders)

    def trade(self, kg: float, price: float) -> None:
        """Goods out, money in."""
        self.stock -= kg
        self.cash += kg * price

    def concede(self) -> None:
        self.ref *= 1.0 - CONCEDE


class Buyer(Trader):
    """Uses its size a week and buys towards its target."""

    def post(self) -> None:
        self.ref *= self.place.news
        wish = max(0.0, self.size + (COVER * self.size - self.stock) / 4.0)
        self.orders = [Order(self, self.ref * factor, wish * share) for share, factor in BUY_STEPS]
        self.place.bids.extend(self.orders)

    def trade(self, kg: float, price: float) -> None:
        """Goods in, money out."""
        self.stock += kg
        self.cash -= kg * price

    def settle(self) -> None:
        self.stock = max(0.0, self.stock - self.size)
        super().settle()

    def concede(self) -> None:
        self.ref *= 1.0 + CONCEDE


class Place:
    """A double auction."""

    def __init__(self) -> None:
        self.asks: list[Order] = []
        self.bids: list[Order] = []
        self.price = float("nan")
        self.news = 1.0

    def clear(self) -> None:
        """Match, price, settle."""
        asks = sorted(self.asks, key=lambda order: order.price)
        bids = sorted(self.bids, key=lambda order: -order.price)
        last_ask = last_bid = float("nan")
        x = y = 0
        while x < len(asks) and y < len(bids) and asks[x].price <= bids[y].price:
            ask, bid = asks[x], bids[y]
            kg = min(ask.kg - ask.filled, bid.kg - bid.filled)
            ask.filled += kg
            bid.filled += kg
            last_ask, last_bid = ask.price, bid.price
            if ask.kg - ask.filled <= 0.0:
                x += 1
            if bid.kg - bid.filled <= 0.0:
                y += 1
        self.price = 0.5 * (last_ask + last_bid)
        for order in (*self.asks, *self.bids):
            if order.filled > 0.0:
                order.trader.trade(order.filled, self.price)
        self.asks, self.bids = [], []


class ObjectMarket(mesa.Model):
    """Agents post, places clear, agents settle."""

    def __init__(self, start: dict[str, Any], record: bool = False) -> None:
        super().__init__(rng=0)
        self.collector = (
            mesa.DataCollector(agent_reporters={"ref": "ref", "stock": "stock", "cash": "cash"}) if record else None
        )
        self.places = [Place() for _ in range(PLACES)]
        self.news = start["news"].tolist()
        self.prices: list[list[float]] = []
        self.week = 0
        for place, sells, ref, size, stock in zip(
            *(start[k].tolist() for k in ("place", "sells", "ref", "size", "stock")), strict=True
        ):
            (Seller if sells else Buyer)(self, self.places[place], ref, size, stock)

    def step(self) -> None:
        for place, news in zip(self.places, self.news[self.week], strict=True):
            place.news = news
        self.agents.do("post")
        for place in self.places:
            place.clear()
        self.agents.do("settle")
        self.prices.append([place.price for place in self.places])
        if self.collector is not None:
            self.collector.collect(self)
        self.week += 1

    def traders(self) -> tuple[Any, Any, Any]:
        return tuple(np.array([getattr(a, name) for a in self.agents]) for name in ("cash", "stock", "ref"))  # type: ignore[return-value]


STYLES = {
    "kernel": KernelMarket,
    "objects": ObjectMarket,
    "kernel_recorded": lambda start: KernelMarket(start, record=True),
    "objects_recorded": lambda start: ObjectMarket(start, record=True),
}

if __name__ == "__main__":
    play_all(STYLES[sys.argv[1]], Path(sys.argv[2]), sys.argv[1])
