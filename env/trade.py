"""From deals to goods at sea and money owed: contracts and spot move stock the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from env import contracts as deals_under_contract
from env.books import COGS, OUTSIDE, Ledger
from env.licences import use_licences
from env.market import Deals
from env.quotes import CONTRACT, DELIVERED, DOMESTIC, FOB, lane_cost, update_index
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.world import World


@dataclass(slots=True, eq=False)
class Shipments:
    """Goods that left this week (arrays over deals): the rows of the flows table."""

    good: Ints
    origin: Ints
    dest: Ints  # node
    seller: Ints
    buyer: Ints
    kg: Floats
    price: Floats
    contract: Ints
    licence: Ints
    duty: Floats
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
    g, k, b, kg, price = deals.good, deals.s_slot, deals.b_slot, deals.kg, deals.price
    o, d = st.s_node[k], st.b_node[b]
    s_holder, b_holder = st.s_holder[k], st.b_holder[b]
    seller, buyer = st.holder_party[s_holder], st.holder_party[b_holder]
    own = seller == buyer
    n_p = len(st.parties)
    # goods leave the seller at average cost
    n_g = len(st.goods)
    before = s.stock[s_holder, g]
    unit_cost = np.divide(s.cost[s_holder, g], before, out=np.zeros_like(before), where=before > 0)
    gone = np.bincount(s_holder * n_g + g, weights=kg, minlength=s.stock.size).reshape(s.stock.shape)
    left = s.stock - gone
    np.maximum(left, 0.0, out=left)  # float dust of pro-rata sums
    s.cost *= np.divide(left, s.stock, out=np.zeros_like(left), where=s.stock > 0)
    s.stock = left
    # money
    _, export_duty, import_duty = lane_cost(world)
    abroad = o != d
    freight = kg * st.freight[st.stage_index[g], o, d] * abroad
    handling = kg * np.where(abroad & (st.hub[g] == o), st.export_cost[g], 0.0) * s.ref_origin[g, o]
    out_duty, in_duty = kg * export_duty[g, o, d], kg * import_duty[g, o, d]
    value = kg * price
    outside = np.zeros(len(kg), np.int64)
    paid = ~own
    ledger.pay(buyer[paid], seller[paid], value[paid], "goods", n_p)
    ledger.pay(buyer, outside, freight, "freight", n_p)
    ledger.pay(buyer, outside, handling, "export_handling", n_p)
    treasury = _treasuries(world)
    ledger.pay(buyer, treasury[o], out_duty, "export_duty", n_p)
    ledger.pay(buyer, treasury[d], in_duty, "import_tariff", n_p)
    book = np.bincount(seller[paid], weights=(unit_cost * kg)[paid], minlength=n_p)
    s.quarter_book[:, COGS] -= book
    # goods at sea belong to the buyer, at what they cost him (inside one firm: at the seller's cost)
    landed = np.where(own, unit_cost * kg, value) + freight + handling + out_duty + in_duty
    weeks = st.transit_weeks[o, d] * abroad
    at_once = weeks == 0
    np.add.at(s.stock, (b_holder[at_once], g[at_once]), kg[at_once])
    np.add.at(s.cost, (b_holder[at_once], g[at_once]), landed[at_once])
    s.week_arrived += np.bincount(b[at_once], weights=kg[at_once], minlength=len(s.on_order))
    at_sea = ~at_once
    slot = (s.week + weeks) % s.sea.shape[1]
    np.add.at(s.sea, (b[at_sea], slot[at_sea]), kg[at_sea])
    np.add.at(s.sea_cost, (b[at_sea], slot[at_sea]), landed[at_sea])
    s.on_order += np.bincount(b[at_sea], weights=kg[at_sea], minlength=len(s.on_order))
    # what is seen of it
    key = (g * len(st.nodes) + o) * st.n_dest + st.b_dest[b]
    s.week_flow += np.bincount(key, weights=kg, minlength=s.week_flow.size).reshape(s.week_flow.shape)
    sold = np.bincount(k, weights=kg, minlength=len(st.s_holder))
    own_moved = np.bincount(k[own], weights=kg[own], minlength=len(st.s_holder))
    s.week_sold += sold - own_moved
    s.week_used_own += own_moved
    earned = np.bincount(k, weights=value, minlength=len(st.s_holder))
    s.week_earned += earned
    s.week_received += np.bincount(b, weights=kg, minlength=len(s.on_order))
    licence = use_licences(world, g, o, st.b_dest[b], kg)
    spot = deals.contract < 0
    home = ~abroad & spot
    update_index(world, DOMESTIC, g[home], o[home], kg[home], value[home])
    export = abroad & spot
    update_index(world, FOB, g[export], o[export], kg[export], (value + out_duty + handling)[export])
    update_index(world, DELIVERED, g[spot], d[spot], kg[spot], (value + freight + handling + out_duty + in_duty)[spot])
    term = ~spot & ~own
    update_index(world, CONTRACT, g[term], d[term], kg[term], (value + freight + handling + out_duty + in_duty)[term])
    for kind, mask, node in ((DOMESTIC, home, o), (FOB, export, o), (DELIVERED, spot, d), (CONTRACT, term, d)):
        s.week_volume[kind] += np.bincount(
            g[mask] * len(st.nodes) + node[mask], weights=kg[mask], minlength=s.week_volume[kind].size
        ).reshape(s.week_volume[kind].shape)
    return Shipments(g, o, d, seller, buyer, kg, price, deals.contract, licence, out_duty + in_duty, s.week + weeks)


def _treasuries(world: World) -> Ints:
    """Party that collects duties at each node (N,): the state of the node's own code, else the outside account."""
    st = world.structure
    return np.array([st.parties.index.get(code.lower(), OUTSIDE) for code in st.nodes.codes])


def arrive(world: World) -> None:
    """Shipments due this week come into the buyers' stock."""
    st, s = world.structure, world.state
    slot = s.week % s.sea.shape[1]
    kg, cost = s.sea[:, slot], s.sea_cost[:, slot]
    s.week_arrived += kg
    np.add.at(s.stock, (st.b_holder, st.b_good), kg)
    np.add.at(s.cost, (st.b_holder, st.b_good), cost)
    s.on_order = np.maximum(s.on_order - kg, 0.0)
    s.sea[:, slot] = 0.0
    s.sea_cost[:, slot] = 0.0


def begin_week(world: World) -> None:
    """Clear the week's counters."""
    s = world.state
    for array in (s.week_flow, s.week_made, s.week_sold, s.week_used_own, s.week_earned, s.week_received,
                  s.week_arrived, s.week_volume):
        array[...] = 0.0


def after_trade(world: World) -> None:
    """Smooth what sellers learnt: prices received, market shares, usual trade and usual transit."""
    st, s, p = world.structure, world.state, world.params
    sold = s.week_sold + s.week_used_own
    with np.errstate(invalid="ignore", divide="ignore"):
        price = s.week_earned / sold
    s.sale_price += np.where(sold > 0, (np.nan_to_num(price) - s.sale_price) / p["plants.smoothing_weeks"], 0.0)
    # a seller without sales expects the going rate
    idle = sold <= 0
    s.sale_price += np.where(idle, (s.ref_origin[st.s_good, st.s_node] - s.sale_price) / 26.0, 0.0)
    s.sales += (sold - s.sales) / 26.0
    total = np.bincount(st.s_good, weights=np.where(st.s_role == 0, s.sales, 0.0), minlength=len(st.goods))
    s.share = np.divide(s.sales, total[st.s_good], out=np.zeros_like(s.sales), where=total[st.s_good] > 0)
    s.usual_flow += (s.week_flow - s.usual_flow) / 13.0
    earned = np.bincount(st.holder_party[st.s_holder], weights=s.week_earned, minlength=len(s.cash))
    users = np.unique(st.holder_party[st.b_holder[st.u_slot]])
    firms = np.setdiff1d(np.arange(len(s.cash)), users)
    s.sales_year[firms] += (52.0 * earned[firms] - s.sales_year[firms]) / 52.0
