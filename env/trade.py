"""From deals to goods at sea and money owed: contracts and spot move stock the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from env import contracts as deals_under_contract
from env.axes import sums
from env.books import COGS, OUTSIDE, Ledger
from env.licences import use_licences
from env.market import Deals
from env.policy import embargoed
from env.quotes import CONTRACT, DELIVERED, DOMESTIC, FOB, update_index
from env.world import Bools, Floats, Ints

if TYPE_CHECKING:
    from env.world import World


TRANSIT_WEEKS = 26.0  # memory of how long supply is under way


@dataclass(slots=True, eq=False)
class Shipments:
    """Goods that left this week (arrays over deals): the rows of the flows table."""

    s_slot: Ints
    b_slot: Ints
    good: Ints
    origin: Ints
    dest: Ints  # node
    seller: Ints
    buyer: Ints
    kg: Floats
    price: Floats
    contract: Ints
    licence: Ints
    unit_duty: Floats  # export duty and import tariff, USD/kg
    arrives: Ints


def contract_deals(world: World, need: Floats, cap: Floats) -> Deals:
    """Deliveries under contract as deals; they claim stock and lane capacity first."""
    st = world.structure
    kg, price = deals_under_contract.deliver(world, need, cap)
    rows = np.flatnonzero(kg > 0.0)
    c = world.state.contracts
    none = np.zeros((0, 0))
    s_slot = c.seller_slot[rows] if len(rows) else np.zeros(0, np.int64)
    b_slot = c.buyer_slot[rows] if len(rows) else np.zeros(0, np.int64)
    return Deals(st.s_good[s_slot], s_slot, b_slot, kg[rows], price[rows], rows, none, none, none, none, none)


def ship(world: World, deals: Deals, ledger: Ledger) -> Shipments:
    """Move stock from sellers to buyers' shipments, book the money, feed the indices."""
    st, s = world.structure, world.state
    k, b, kg = deals.s_slot, deals.b_slot, deals.kg
    seller, buyer = st.derived.s_party[k], st.derived.b_party[b]
    sold = sums(k, kg, len(st.s_holder))
    unit_cost = _leave_stock(world, sold)[k]
    bill = _bill(world, deals)
    own = seller == buyer
    _pay(world, ledger, deals, bill, seller, buyer, own)
    book = np.bincount(seller[~own], weights=(unit_cost * kg)[~own], minlength=len(st.parties))
    s.quarter_book[:, COGS] -= book
    # goods at sea belong to the buyer, at what they cost him (inside one firm: at the seller's cost)
    landed = np.where(own, unit_cost * kg, bill.value) + bill.extra
    weeks = st.derived.sea_weeks[bill.origin, bill.dest]
    _send(world, deals, weeks, landed)
    _learn_transit(world, b, kg, weeks)
    own_moved = np.bincount(k[own], weights=kg[own], minlength=len(sold))
    s.week_sold += sold - own_moved
    s.week_used_own += own_moved
    s.week_earned += np.bincount(k, weights=bill.value, minlength=len(sold))
    s.week_received += np.bincount(b, weights=kg, minlength=len(s.on_order))
    key = (deals.good * len(st.nodes) + bill.origin) * st.n_dest + st.b_dest[b]
    np.add.at(s.week_flow.reshape(-1), key, kg)
    licence = use_licences(world, deals.good, bill.origin, st.b_dest[b], kg)
    _quote(world, deals, bill, own)
    return Shipments(
        k, b, deals.good, bill.origin, bill.dest, seller, buyer, kg, deals.price, deals.contract, licence,
        bill.unit_duty, s.week + weeks,
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class Bill:
    """What each deal costs its buyer (arrays over deals, USD)."""

    origin: Ints
    dest: Ints
    abroad: Bools
    value: Floats  # to the seller
    freight: Floats
    handling: Floats
    out_duty: Floats
    in_duty: Floats
    unit_duty: Floats  # both, USD/kg

    @property
    def extra(self) -> Floats:
        """All that is paid on top of the goods."""
        return self.freight + self.handling + self.out_duty + self.in_duty


def _leave_stock(world: World, sold: Floats) -> Floats:
    """Take what each slot sold (S,) kg out of its holder's stock at average cost; returns that cost (S,) USD/kg."""
    st, s = world.structure, world.state
    before, worth = s.stock[st.s_holder, st.s_good], s.cost[st.s_holder, st.s_good]
    left = np.maximum(before - sold, 0.0)  # float dust of pro-rata sums
    s.stock[st.s_holder, st.s_good] = left
    s.cost[st.s_holder, st.s_good] = worth * np.divide(left, before, out=np.zeros_like(left), where=before > 0)
    return np.divide(worth, before, out=np.zeros_like(worth), where=before > 0)


def _bill(world: World, deals: Deals) -> Bill:
    """Value, freight, handling and duties; ad valorem duties fall on the reference price, as in `lane_cost`."""
    st, s, static = world.structure, world.state, world.structure.derived
    g, kg = deals.good, deals.kg
    o, d = st.s_node[deals.s_slot], st.b_node[deals.b_slot]
    abroad = static.abroad[o, d]
    customs_value, freight = s.ref_origin[g, o], static.freight[g, o, d]
    export_duty, import_duty = (
        s.export_tax[g, o] * customs_value * abroad,
        s.tariff[g, d, o] * (customs_value + freight),
    )
    return Bill(
        o,
        d,
        abroad,
        kg * deals.price,
        kg * freight * abroad,
        kg * static.handling[g, o] * abroad * customs_value,
        kg * export_duty,
        kg * import_duty,
        export_duty + import_duty,
    )


def _pay(world: World, ledger: Ledger, deals: Deals, bill: Bill, seller: Ints, buyer: Ints, own: Bools) -> None:
    """Buyers pay sellers, carriers and treasuries."""
    n_p, treasury = len(world.structure.parties), world.structure.derived.treasury
    ledger.pay(buyer[~own], seller[~own], bill.value[~own], "goods", n_p)
    ledger.pay(buyer, OUTSIDE, bill.freight, "freight", n_p)
    ledger.pay(buyer, OUTSIDE, bill.handling, "export_handling", n_p)
    ledger.pay(buyer, treasury[bill.origin], bill.out_duty, "export_duty", n_p)
    ledger.pay(buyer, treasury[bill.dest], bill.in_duty, "import_tariff", n_p)


def _send(world: World, deals: Deals, weeks: Ints, landed: Floats) -> None:
    """Goods with no way to go arrive at once, the others are at sea for `weeks`."""
    st, s = world.structure, world.state
    g, b, kg = deals.good, deals.b_slot, deals.kg
    at_once = weeks == 0
    here = b[at_once]
    cell = st.b_holder[here] * s.stock.shape[1] + g[at_once]
    np.add.at(s.stock.reshape(-1), cell, kg[at_once])
    np.add.at(s.cost.reshape(-1), cell, landed[at_once])
    s.week_arrived += np.bincount(here, weights=kg[at_once], minlength=len(s.on_order))
    at_sea = ~at_once
    there = b[at_sea]
    cell = there * s.sea.shape[1] + (s.week + weeks[at_sea]) % s.sea.shape[1]
    np.add.at(s.sea.reshape(-1), cell, kg[at_sea])
    np.add.at(s.sea_cost.reshape(-1), cell, landed[at_sea])
    s.on_order += np.bincount(there, weights=kg[at_sea], minlength=len(s.on_order))


def _learn_transit(world: World, b: Ints, kg: Floats, weeks: Ints) -> None:
    """Buyers learn how long their supply is under way: the week's mean, by its share in their use."""
    s = world.state
    got = sums(b, kg, len(s.on_order))
    sailing = np.divide(sums(b, kg * weeks, len(got)), got, out=s.transit_mean.copy(), where=got > 0)
    part = np.clip(np.divide(got, s.expected_use, out=np.ones_like(got), where=s.expected_use > 0), 0.0, 1.0)
    s.transit_mean = s.transit_mean + part * (sailing - s.transit_mean) / TRANSIT_WEEKS


def _quote(world: World, deals: Deals, bill: Bill, own: Bools) -> None:
    """Feed the deal indices and the week's volumes."""
    s, n = world.state, len(world.structure.nodes)
    spot = deals.contract < 0
    paid = bill.value + bill.extra
    for kind, rows, node, usd in (
        (DOMESTIC, ~bill.abroad & spot, bill.origin, bill.value),
        (FOB, bill.abroad & spot, bill.origin, bill.value + bill.out_duty + bill.handling),
        (DELIVERED, spot, bill.dest, paid),
        (CONTRACT, ~spot & ~own, bill.dest, paid),
    ):
        good, at, kg = deals.good[rows], node[rows], deals.kg[rows]
        update_index(world, kind, good, at, kg, usd[rows])
        np.add.at(s.week_volume[kind].reshape(-1), good * n + at, kg)


def arrive(world: World) -> None:
    """Shipments due this week come into the buyers' stock."""
    st, s = world.structure, world.state
    slot = s.week % s.sea.shape[1]
    kg, cost = s.sea[:, slot], s.sea_cost[:, slot]
    s.week_arrived += kg
    s.stock[st.b_holder, st.b_good] += kg  # a (holder, good) has one slot
    s.cost[st.b_holder, st.b_good] += cost
    s.on_order = np.maximum(s.on_order - kg, 0.0)
    s.sea[:, slot] = 0.0
    s.sea_cost[:, slot] = 0.0


def begin_week(world: World) -> None:
    """Clear the week's counters."""
    s = world.state
    for array in (
        s.week_flow,
        s.week_made,
        s.week_sold,
        s.week_used_own,
        s.week_earned,
        s.week_received,
        s.week_arrived,
        s.week_volume,
    ):
        array[...] = 0.0


def after_trade(world: World) -> None:
    """Smooth what sellers learnt: prices received, market shares, usual trade and usual transit."""
    st, s, p = world.structure, world.state, world.params
    sold = s.week_sold + s.week_used_own
    price = np.divide(s.week_earned, sold, out=np.zeros_like(sold), where=sold > 0)
    s.sale_price += np.where(sold > 0, (price - s.sale_price) / p["plants.smoothing_weeks"], 0.0)
    # a seller without sales expects the going rate
    idle = sold <= 0
    s.sale_price += np.where(idle, (s.ref_origin[st.s_good, st.s_node] - s.sale_price) / 26.0, 0.0)
    s.sales += (sold - s.sales) / 26.0
    total = np.bincount(st.s_good, weights=np.where(st.s_role == 0, s.sales, 0.0), minlength=len(st.goods))
    s.share = np.divide(s.sales, total[st.s_good], out=np.zeros_like(s.sales), where=total[st.s_good] > 0)
    # trade under an embargo is not usual
    step = (s.week_flow - s.usual_flow) / min(13.0, s.week + st.spec.burn_in_weeks + 1.0)
    closed = embargoed(world)
    s.usual_flow += step if closed is None else np.where(closed, 0.0, step)
    earned = np.bincount(st.derived.s_party, weights=s.week_earned, minlength=len(s.cash))
    firms = st.derived.no_user
    s.sales_year[firms] += (52.0 * earned[firms] - s.sales_year[firms]) / 52.0
