"""Bilateral offtakes in force: weekly nomination, delivery, price.

A contract is a row of terms plus running totals.  Each week the buyer nominates a share of what it needs
(within minimum and maximum take), the seller delivers what its stock allows, the lane what licence, quota
or embargo leave; the rest is a recorded shortfall.  Richer terms plug in here as further columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from env.axes import CLASSES
from env.calendar import first_week_from, week_index
from env.errors import Fault, InputError
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.spec import ContractSpec
    from env.world import Structure, World

PENDING, ACTIVE, ENDED, TERMINATED = 0, 1, 2, 3
STATUS = ("pending", "active", "ended", "terminated")
FIXED, INDEX, FORMULA = 0, 1, 2
RULES = ("fixed", "index", "formula")
MAX_TAKE = 1.15  # of the yearly rate a buyer may nominate in a week
FAR_WEEK = 10**6


def _f() -> Floats:
    return np.zeros(0)


def _i() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True, eq=False)
class ContractTable:
    """All contracts, one array element each (shape C).  `kg` is the yearly volume as a weekly rate."""

    code: list[str] = field(default_factory=list)
    seller_slot: Ints = field(default_factory=_i)
    buyer_slot: Ints = field(default_factory=_i)
    kg: Floats = field(default_factory=_f)
    share: Floats = field(default_factory=_f)
    min_take: Floats = field(default_factory=_f)
    rolling: Ints = field(default_factory=_i)
    captive: Ints = field(default_factory=_i)
    rule: Ints = field(default_factory=_i)
    fixed_price: Floats = field(default_factory=_f)
    factor: Floats = field(default_factory=_f)
    lag: Floats = field(default_factory=_f)
    index_mean: Floats = field(default_factory=_f)
    signed: Ints = field(default_factory=_i)
    start: Ints = field(default_factory=_i)
    end: Ints = field(default_factory=_i)
    status: Ints = field(default_factory=_i)
    delivered: Floats = field(default_factory=_f)
    short: Floats = field(default_factory=_f)
    paid: Floats = field(default_factory=_f)

    def __len__(self) -> int:
        return len(self.code)

    @classmethod
    def opening(cls, st: Structure) -> ContractTable:
        """Contracts of the specification, in the order of their codes; raises InputError for what nobody can fill."""
        table = cls()
        rows = [_spec_row(st, c) for c in sorted(st.spec.contracts, key=lambda c: (c.code, c.start))]
        faults = [fault for code, terms in rows for fault in _slot_faults(st, code, terms)]
        if faults:
            raise InputError(faults)
        if rows:
            table.code = [code for code, _ in rows]
            columns = list(zip(*(terms for _, terms in rows), strict=True))
            for f, values in zip(list(fields(cls))[1:17], columns, strict=True):
                kind = np.int64 if getattr(table, f.name).dtype == np.int64 else np.float64
                setattr(table, f.name, np.array(values, dtype=kind))
            for name in ("delivered", "short", "paid"):
                setattr(table, name, np.zeros(len(rows)))
        return table

    def add(self, code: str, **terms: float) -> int:
        """Append a contract; unnamed columns are zero.  Returns its row."""
        self.code.append(code)
        for f in list(fields(self))[1:]:
            old = getattr(self, f.name)
            setattr(self, f.name, np.append(old, np.array(terms.get(f.name, 0)).astype(old.dtype)))
        return len(self.code) - 1


def _opening(st: Structure, c: ContractSpec) -> bool:
    """In force when the world begins."""
    return first_week_from(st.spec.start, c.start) <= -st.spec.burn_in_weeks


def _spec_row(st: Structure, c: ContractSpec) -> tuple[str, tuple[float, ...]]:
    """Code and the other columns of a contract of the specification, up to `status`."""
    good = st.goods.index[c.good]
    seller = find_slot(st, c.seller, c.good, c.seller_node, c.seller_holder, sells=True)
    buyer = find_slot(st, c.buyer, c.good, c.buyer_node, c.buyer_holder, sells=False)
    feed = st.good_stage[good] in ("concentrate", "seg", "swarf")
    rule = FIXED if c.price_rule == "fixed" else FORMULA if feed else INDEX
    start = first_week_from(st.spec.start, c.start)
    # in a still world nothing runs out
    end = (
        FAR_WEEK
        if c.end >= date(2099, 1, 1) or (st.spec.still and c.rolling is False and _opening(st, c))
        else week_index(st.spec.start, c.end)
    )
    first = -st.spec.burn_in_weeks
    status = ENDED if end < first else ACTIVE if start <= first else PENDING
    terms = (
        seller, buyer, c.volume_t_per_year * 1e3 / 52, c.share_of_need, c.min_take_share, int(c.rolling),
        int(c.captive), rule, c.price_usd_per_kg, c.index_factor, max(1, c.index_lag_weeks),
        st.base_price[good], start, start, end, status,
    )  # fmt: skip
    return c.code, terms


def _slot_faults(st: Structure, code: str, terms: tuple[float, ...]) -> Iterator[Fault]:
    """Ends of a contract that neither sell nor buy its good at its node."""
    if min(terms[:2]) >= 0:
        return
    c = next(row for row in st.spec.contracts if row.code == code)
    for slot, field_name, verb, party, node, holder in (
        (terms[0], "seller", "sells", c.seller, c.seller_node, c.seller_holder),
        (terms[1], "buyer", "buys", c.buyer, c.buyer_node, c.buyer_holder),
    ):
        if slot < 0:
            at = f"at {holder}" if holder else f"at {node}"
            message = f"{party} {verb} no {c.good} {at}"
            remedy = f"name a party that {verb} it there, or add its site, use or trading desk"
            yield Fault(f"scenario {st.spec.name}", None, f"contract {code}", field_name, message, remedy)


def find_slot(st: Structure, party: str, good: str, node: str, holder: str = "", *, sells: bool) -> int:
    """Slot of a party for a good at a node (first by code); -1 when it has none."""
    g, n, p = st.goods.index[good], st.nodes.index[node], st.parties.index[party]
    table = st.sell_slot if sells else st.buy_slot
    if holder:
        at = st.holders.index.get(holder, st.holders.index.get(f"{holder}@{node}", -1))
        return table.get((at, g), -1)
    found = [slot for (h, gg), slot in table.items() if gg == g and st.holder_party[h] == p and st.holder_node[h] == n]
    return min(found, default=-1)


def nominate(world: World, need: Floats) -> Floats:
    """Nominations of this week (C,) kg: a share of each buyer's need within minimum and maximum take."""
    c: ContractTable = world.state.contracts
    if not len(c):
        return np.zeros(0)
    wish = c.share * need[c.buyer_slot]
    low = np.where(c.captive == 1, 0.0, c.min_take * c.kg)
    # a firm that passes goods on inside the group, or a programme of its own grade, takes what it can
    high = np.where(c.captive == 1, 2.0, MAX_TAKE) * c.kg
    return np.where(c.status == ACTIVE, np.clip(wish, low, high), 0.0)


def deliver(world: World, need: Floats, lane_cap: Floats) -> tuple[Floats, Floats]:
    """Delivered kg and price by contract (C,), (C,); `lane_cap` (G, N, D) shrinks by what is shipped."""
    st, s = world.structure, world.state
    c: ContractTable = s.contracts
    wish = nominate(world, need)
    if not len(c):
        return wish, wish
    stock = s.stock[st.s_holder, st.s_good]
    asked = np.bincount(c.seller_slot, weights=wish, minlength=len(stock))
    ratio = np.divide(stock, asked, out=np.ones_like(stock), where=asked > stock)
    kg = wish * np.clip(ratio, 0.0, 1.0)[c.seller_slot]
    good, origin = st.s_good[c.seller_slot], st.s_node[c.seller_slot]
    dest = st.b_dest[c.buyer_slot]
    closed = ~st.lane_open[good, origin, dest // len(CLASSES)]
    kg[closed] = 0.0
    cap = lane_cap[good, origin, dest]
    if not np.all(np.isinf(cap)):
        key = (good * len(st.nodes) + origin) * st.n_dest + dest
        flow = np.bincount(key, weights=kg, minlength=lane_cap.size)[key]
        kg *= np.where(flow > cap, np.divide(cap, flow, out=np.zeros_like(cap), where=flow > 0), 1.0)
        np.subtract.at(lane_cap.reshape(-1), key, kg)
        np.maximum(lane_cap, 0.0, out=lane_cap)
    price = np.where(c.rule == FIXED, c.fixed_price, c.factor * c.index_mean)
    c.delivered += kg
    c.short += wish - kg
    c.paid += kg * price
    return kg, price


def roll(world: World, index_at_hub: Floats, formula: Floats) -> None:
    """Move index means on, start and end contracts, re-rate annual frames at New Year."""
    s = world.state
    c: ContractTable = s.contracts
    if not len(c):
        return
    good = world.structure.s_good[c.seller_slot]
    target = np.where(c.rule == FORMULA, formula[good], index_at_hub[good])
    c.index_mean += (target - c.index_mean) / c.lag
    # for the week to come: `start` and `end` are the first and the last week of deliveries
    c.status[(c.status == PENDING) & (c.start <= s.week + 1)] = ACTIVE
    c.status[(c.status == ACTIVE) & (c.end <= s.week)] = ENDED
    if world.date.month == 1 and world.date.day <= 7:
        annual = (c.rolling == 1) & (c.status == ACTIVE)
        fresh = c.share * s.expected_use[c.buyer_slot]
        c.kg = np.where(annual, fresh, c.kg)
