"""The small market in agentpy, the way its examples are written.  Run by path, in an interpreter that has agentpy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import agentpy as ap
import numpy as np
from _small_market import BUY_STEPS, CONCEDE, COVER, LEARN, PLACES, SELL_STEPS, play_all


class Order:
    """A step of somebody's ladder."""

    __slots__ = ("filled", "kg", "price", "trader")

    def __init__(self, trader: Any, price: float, kg: float) -> None:
        self.trader, self.price, self.kg, self.filled = trader, price, kg, 0.0


class Trader(ap.Agent):
    """A trader that knows its place, its reference and its stock."""

    def setup(self, place: Place, ref: float, size: float, stock: float) -> None:
        self.place, self.ref, self.size, self.stock = place, ref, size, stock
        self.cash = 0.0
        self.orders = []

    def settle(self) -> None:
        if sum(order.filled for order in self.orders) > 0.0:
            self.ref += LEARN * (self.place.price - self.ref)
        else:
            self.concede()


class Seller(Trader):
    """Makes its size a week and offers it."""

    def post(self) -> None:
        self.ref *= self.place.news
        self.stock = min(self.stock + self.size, COVER * self.size + self.size)
        offer = min(self.stock, self.size + self.stock / 4.0)
        self.orders = [Order(self, self.ref * factor, offer * share) for share, factor in SELL_STEPS]
        self.place.asks.extend(self.orders)

    def trade(self, kg: float, price: float) -> None:
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


class Market(ap.Model):
    """Agents post, places clear, agents settle."""

    def setup(self) -> None:
        start = self.p["start"]
        self.places = [Place() for _ in range(PLACES)]
        self.news_rows = start["news"].tolist()
        self.prices = []
        self.week = 0
        rows = zip(*(start[k].tolist() for k in ("place", "sells", "ref", "size", "stock")), strict=True)
        members = [
            (Seller if sells else Buyer)(self, place=self.places[place], ref=ref, size=size, stock=stock)
            for place, sells, ref, size, stock in rows
        ]
        self.agents = ap.AgentList(self, members)

    def step(self) -> None:
        for place, news in zip(self.places, self.news_rows[self.week], strict=True):
            place.news = news
        self.agents.post()
        for place in self.places:
            place.clear()
        self.agents.settle()
        self.prices.append([place.price for place in self.places])
        self.week += 1

    def traders(self) -> tuple[Any, ...]:
        return tuple(np.array([getattr(a, name) for a in self.agents]) for name in ("cash", "stock", "ref"))


def make(start: dict[str, Any]) -> Market:
    """A model after its setup."""
    model = Market({"start": start})
    model.setup()
    return model


if __name__ == "__main__":
    play_all(make, Path(sys.argv[1]), "agentpy")
