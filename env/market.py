"""The weekly spot market: who offers and bids what, clearing, and what the deals do to stocks and money.

Every order is a ladder of limit prices around a reference.  `desk` gathers what decides the ladders in six
groups (supply, demand, stocks, policy, contracts, expectations); `book_of` turns them into one good's book,
a pure function, so that `env.explain` can swap one group at a time and clear again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from env.axes import CLASSES, sums
from env.clearing import clear_book
from env.matching import MOST_PAIRS, settle_good
from env.quotes import lane_cost
from env.world import Bools, Floats, Ints

if TYPE_CHECKING:
    from env.world import World

#: (share of the order, factor on the bid): all of it is wanted at the reference, a tenth more for each step below
BUY_STEPS = np.array([[0.88, 1.12], [0.06, 1.03], [0.06, 1.00], [0.06, 0.98], [0.10, 0.94]])
SELL_STEPS = np.array([[0.80, 0.80], [0.10, 0.97], [0.10, 1.00], [0.06, 1.02], [0.10, 1.06]])
N_CLASS = len(CLASSES)
PRICE_STEPS = 2.0**33  # of a price's binary part: ten significant digits


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything the books of a week are made of, in the six groups of `env.explain` (arrays over slots)."""

    # supply
    s_flow: Floats
    s_floor: Floats
    # demand
    b_use: Floats
    b_limit: Floats  # most a buyer pays, USD/kg
    # stocks
    s_stock: Floats
    s_target: Floats
    b_position: Floats
    b_target: Floats
    # policy
    cost: Floats  # (G, N, N)
    cap: Floats  # (G, N, D)
    s_cap: Floats  # SOE price targets: most a seller asks
    # contracts
    s_committed: Floats
    b_received: Floats
    # expectations
    s_ref: Floats
    b_ref: Floats
    b_tau: Floats
    # orders given by hand: (kg, price), on top of the rules
    s_manual: Floats
    b_manual: Floats


#: which fields belong to which group
GROUPS: dict[str, tuple[str, ...]] = {
    "supply": ("s_flow", "s_floor"),
    "demand": ("b_use", "b_limit"),
    "stocks": ("s_stock", "s_target", "b_position", "b_target"),
    "policy": ("cost", "cap", "s_cap"),
    "contracts": ("s_committed", "b_received"),
    "expectations": ("s_ref", "b_ref", "b_tau", "s_manual", "b_manual"),
}


def swap(desk: Desk, other: Desk, group: str) -> Desk:
    """`desk` with one group taken from `other`."""
    return replace(desk, **{name: getattr(other, name) for name in GROUPS[group]})


def needs(world: World) -> tuple[Floats, Floats, Floats, Floats]:
    """Order size before contracts (B,) kg, position and its target (B,) kg, closing time of gaps (B,) weeks."""
    st, s, p = world.structure, world.state, world.params
    b_good, b_node = st.b_good, st.b_node
    use = s.expected_use
    alarm = s.alarm[b_good, b_node]
    risk = s.risk[b_good, b_node]
    tau = p["buyers.tau_weeks"] + (p["buyers.tau_alarm_weeks"] - p["buyers.tau_weeks"]) * alarm
    # plants order after the week's feed is drawn, users before: both mean stock at the week's start
    stock = s.stock[st.b_holder, b_good] + np.where(st.b_role == 0, use, 0.0)
    trader = st.b_role >= 2
    cover = (s.cover_target + np.where(trader, 0.0, p["risk.cover_weeks"] * risk)) * s.order_scale
    target = np.where(trader, 0.0, use * cover)
    line = use * s.transit_mean
    beta = p["buyers.supply_line_beta"]
    gap = (target - stock) + beta * (line - s.on_order)
    need = np.clip(use + gap / tau, 0.0, p["buyers.max_order"] * use)
    return np.where(trader, 0.0, need), stock + s.on_order, target + line, tau


def trader_orders(world: World) -> tuple[Floats, Floats]:
    """Traders' bids (B,) and offers (S,) kg: they close the gap to a stock that follows expected change."""
    st, s, p = world.structure, world.state, world.params
    bids, offers = np.zeros(len(st.b_holder)), np.zeros(len(st.s_holder))
    rows = st.derived.trader_rows
    if not len(rows):
        return bids, offers
    good, holder = st.b_good[rows], st.b_holder[rows]
    now, before = s.hub_history[-1, good], s.hub_history[0, good]
    trend = p["traders.trend_weight"] * np.clip(now / before - 1.0, -0.5, 0.5)
    # half the memory of the year, half what the balance of supply and use says
    normal = 0.5 * (s.year_mean[good] + s.fundamental[good])
    pull = p["traders.value_weight"] * np.clip(normal / now - 1.0, -0.5, 0.5)
    fear = p["traders.news_weight"] * s.risk[good, st.b_node[rows]]
    gain = trend + pull + 0.3 * fear - p["traders.carry"] / 4.0
    wish = s.cover_target[rows] * s.order_scale[rows] * np.clip(1.0 + p["traders.leverage"] * gain, 0.2, 3.0)
    position = s.stock[holder, good] + s.on_order[rows]
    gap = (wish - position) / p["traders.tau_weeks"]
    money = np.maximum(s.cash[st.holder_party[holder]], 0.0) / 10.0
    bids[rows] = np.minimum(np.maximum(gap, 0.0), money / s.ref_dest[good, st.b_node[rows]])
    offers[st.derived.trader_sells] = np.minimum(np.maximum(-gap, 0.0), s.stock[holder, good])
    return bids, offers


def input_limits(world: World) -> Floats:
    """Most a buyer pays (B,) USD/kg: plants what their outputs net, users up to a multiple of value in use."""
    st, s, p = world.structure, world.state, world.params
    ref = s.ref_dest[st.b_good, st.b_node]
    limit = np.full(len(ref), np.inf)
    users = st.b_role == 1
    # value in use is the same everywhere: the way there is paid once, not five times
    good, node = st.b_good[users], st.b_node[users]
    limit[users] = s.ref0_dest[good, node] + (p["buyers.bid_cap"] - 1.0) * st.base_price[good]
    margin = recipe_margins(world)
    site_margin = np.bincount(st.r_site, weights=margin * s.plan, minlength=len(st.sites)).astype(float)
    rows = np.flatnonzero(st.b_role == 0)
    holder = st.b_holder[rows]
    spend = np.bincount(holder, weights=s.expected_use[rows] * ref[rows], minlength=len(st.sites)).astype(float)
    ratio = np.divide(site_margin, spend, out=np.zeros_like(spend), where=spend > 0)
    # a plant keeps its customers through a lean spell: ten percent above netback, never below a third of the reference
    limit[rows] = ref[rows] * np.clip(1.10 + ratio[holder], 0.33, 3.0)
    return limit


def recipe_margins(world: World) -> Floats:
    """Margin over variable cost at expected prices (R,), USD per kg of throughput.

    Outputs at what this seller has been getting (programme prices and floors included), inputs at the local reference.
    """
    st, s = world.structure, world.state
    sold = np.divide(s.sales, s.flow, out=np.ones_like(s.flow), where=s.flow > 0)
    # of a surplus co-product only the part that sells counts
    part = np.where(st.finishing_cost[st.ro_good] > 0.0, np.clip(sold, 0.0, 1.0)[st.ro_slot], 1.0)
    price = (s.sale_price + s.support)[st.ro_slot] * part
    worth = np.bincount(st.ro_recipe, weights=st.ro_coef * price, minlength=len(st.r_site))
    return worth * s.site_recovery[st.r_site] - _input_cost(world) - s.site_cost[st.r_site]


def _input_cost(world: World) -> Floats:
    """Replacement cost of the inputs of a kg of throughput (R,) USD."""
    st, s = world.structure, world.state
    node = st.site_node[st.r_site[st.ri_recipe]]
    return sums(st.ri_recipe, st.ri_coef * s.ref_dest[st.ri_good, node], len(st.r_site))


def seller_floors(world: World) -> Floats:
    """Least a seller takes (S,) USD/kg: finishing cost of surplus oxides, replacement cost of goods made to order."""
    st, s = world.structure, world.state
    floor = st.finishing_cost[st.s_good].copy()
    side = st.ro_slot != st.r_main_slot[st.ro_recipe]
    by_product = np.bincount(
        st.ro_recipe, weights=np.where(side, st.ro_coef * s.sale_price[st.ro_slot], 0.0), minlength=len(st.r_site)
    )
    rows = np.flatnonzero(st.r_pull)
    cost = _input_cost(world)[rows] + s.site_cost[st.r_site[rows]] - by_product[rows]
    floor[st.r_main_slot[rows]] = np.maximum(0.97 * cost, 0.0)
    return floor


def make_desk(world: World, cap: Floats, committed: Floats, received: Floats) -> Desk:
    """The week's desk after contracts have claimed their stock (`committed` (S,), `received` (B,) kg)."""
    st, s = world.structure, world.state
    _, position, target, tau = needs(world)
    trader_bid, trader_offer = trader_orders(world)
    cost, _, _ = lane_cost(world)
    stock = s.stock[st.s_holder, st.s_good]
    limit = np.where(np.isnan(s.soe_cap), np.inf, s.soe_cap)
    b_use = np.where(st.b_role == 2, trader_bid, s.expected_use)
    s_flow = np.where(st.s_role == 2, trader_offer, s.flow)
    bid_rows = s.manual_bid[:, 2] > 0
    ask_rows = s.manual_ask[:, 2] > 0
    return Desk(
        s_flow=s_flow, s_floor=seller_floors(world), b_use=b_use, b_limit=input_limits(world),
        s_stock=stock * (1.0 - s.hold), s_target=s.flow * (s.s_cover_target + 1.0),
        b_position=position, b_target=target, cost=cost, cap=cap, s_cap=limit,
        s_committed=committed, b_received=received,
        s_ref=s.ref_origin[st.s_good, st.s_node], b_ref=s.ref_dest[st.b_good, st.b_node], b_tau=tau,
        s_manual=np.where(ask_rows[:, None], s.manual_ask[:, :2], 0.0),
        b_manual=np.where(bid_rows[:, None], s.manual_bid[:, :2], 0.0),
    )  # fmt: skip


Book = tuple[Ints, Floats, Floats, Ints, Floats, Floats, Floats, Floats]
Ladder = tuple[Ints, Floats, Floats]


def book_of(world: World, desk: Desk, g: int) -> Book:
    """The book of good `g`: ask origin, price, kg; bid destination, price, kg (steps in slot order); cost; cap."""
    st = world.structure
    asks = _asks(world, desk, slice(int(st.s_ptr[g]), int(st.s_ptr[g + 1])))
    bids = _bids(world, desk, slice(int(st.b_ptr[g]), int(st.b_ptr[g + 1])))
    cost = _lane_costs(desk.cost[g : g + 1], st.lane_open[g : g + 1], N_CLASS)
    return (*asks, *bids, cost[0], desk.cap[g])


def books_of(world: World, desk: Desk) -> dict[int, Book]:
    """Books of all goods that have both an offer and a bid this week, upstream first."""
    st = world.structure
    origin, ask_price, ask_kg = _asks(world, desk, slice(0, len(st.s_good)))
    dest, bid_price, bid_kg = _bids(world, desk, slice(0, len(st.b_good)))
    cost = _lane_costs(desk.cost, st.lane_open, N_CLASS)
    k, b = st.s_ptr * (len(SELL_STEPS) + 1), st.b_ptr * (len(BUY_STEPS) + 1)
    books: dict[int, Book] = {}
    for g in range(len(st.goods)):
        ask, bid = slice(k[g], k[g + 1]), slice(b[g], b[g + 1])
        if ask_kg[ask].any() and bid_kg[bid].any():
            books[g] = (
                origin[ask], ask_price[ask], ask_kg[ask], dest[bid], bid_price[bid], bid_kg[bid], cost[g], desk.cap[g],
            )  # fmt: skip
    return books


def _asks(world: World, desk: Desk, rows: slice) -> Ladder:
    """Sell steps of a range of slots: origin, price, kg."""
    st, p = world.structure, world.params
    return _ask_ladder(
        desk.s_flow[rows],
        desk.s_floor[rows],
        desk.s_stock[rows],
        desk.s_target[rows],
        desk.s_committed[rows],
        desk.s_ref[rows],
        desk.s_cap[rows],
        desk.s_manual[rows],
        st.s_role[rows],
        st.s_node[rows],
        p["sellers.pressure"],
        p["sellers.tau_weeks"],
        SELL_STEPS,
    )


def _bids(world: World, desk: Desk, rows: slice) -> Ladder:
    """Buy steps of a range of slots: destination, price, kg."""
    st, p = world.structure, world.params
    return _bid_ladder(
        desk.b_use[rows],
        desk.b_limit[rows],
        desk.b_position[rows],
        desk.b_target[rows],
        desk.b_received[rows],
        desk.b_ref[rows],
        desk.b_tau[rows],
        desk.b_manual[rows],
        st.b_role[rows],
        st.b_dest[rows],
        st.steepness[st.b_good[rows]] * p["buyers.steepness_scale"],
        p["buyers.max_order"],
        BUY_STEPS,
    )


@njit(cache=True)
def _lane_costs(cost: Floats, is_open: Bools, n_class: int) -> Floats:
    """Lane cost by destination class (G, N, D) from cost (G, N, N); closed lanes cost infinity."""
    n_g, n, _ = cost.shape
    out = np.empty((n_g, n, n * n_class))
    for g in range(n_g):
        for o in range(n):
            for d in range(n):
                value = cost[g, o, d] if is_open[g, o, d] else np.inf
                for c in range(n_class):
                    out[g, o, d * n_class + c] = value
    return out


@njit(cache=True)
def _quoted(price: float) -> float:
    """A price as it is quoted: ten significant digits, so that sellers who ask the same are served alike.

    Without it the last bit of a sum would decide which of two equal plants sells.
    """
    if not np.isfinite(price) or price == 0.0:
        return price
    part, power = math.frexp(price)
    return float(math.ldexp(np.rint(part * PRICE_STEPS), power) / PRICE_STEPS)


@njit(cache=True)
def _ask_ladder(
    flow: Floats, floor: Floats, stock: Floats, target: Floats, committed: Floats, ref: Floats, cap: Floats,
    manual: Floats, role: Ints, node: Ints, pressure: float, tau: float, steps: Floats,
) -> tuple[Ints, Floats, Floats]:  # fmt: skip
    """Sell steps, six per slot (five of the rule, one by hand)."""
    n, k = len(flow), len(steps) + 1
    origin = np.empty(n * k, np.int64)
    price = np.zeros(n * k)
    qty = np.zeros(n * k)
    for i in range(n):
        left = max(0.0, stock[i] - committed[i])
        by_hand = min(manual[i, 0], left)
        left -= by_hand
        offer = flow[i]
        ask = ref[i]
        if role[i] == 0:
            offer = max(0.0, flow[i] + (stock[i] - target[i]) / tau)
            if target[i] > 0.0:
                ask *= 1.0 - pressure * min(1.5, max(-1.5, stock[i] / target[i] - 1.0))
        # what contracts have taken comes off the cheapest steps
        gone = committed[i]
        for j in range(k):
            at = i * k + j
            origin[at] = node[i]
            if j == k - 1:
                price[at] = manual[i, 1]
                qty[at] = by_hand
            else:
                q = offer * steps[j, 0]
                under_contract = min(q, gone)
                gone -= under_contract
                q = min(q - under_contract, left)
                left -= q
                price[at] = _quoted(min(max(ask * steps[j, 1], floor[i]), max(cap[i], 0.0)))
                qty[at] = q
    return origin, price, qty


@njit(cache=True)
def _bid_ladder(
    use: Floats, limit: Floats, position: Floats, target: Floats, received: Floats, ref: Floats, tau: Floats,
    manual: Floats, role: Ints, dest: Ints, steepness: Floats, max_order: float, steps: Floats,
) -> tuple[Ints, Floats, Floats]:  # fmt: skip
    """Buy steps, six per slot (five of the rule, one by hand)."""
    n, k = len(use), len(steps) + 1
    at_dest = np.empty(n * k, np.int64)
    price = np.zeros(n * k)
    qty = np.zeros(n * k)
    for i in range(n):
        order = use[i]
        bid = ref[i]
        if role[i] < 2:
            order = min(max(use[i] + (target[i] - position[i]) / tau[i], 0.0), max_order * use[i])
            if target[i] > 0.0:
                bid *= min(5.0, max(0.4, (target[i] / max(position[i], 0.02 * target[i])) ** steepness[i]))
        # what came under contract comes off the most urgent steps
        served = received[i]
        for j in range(k):
            at = i * k + j
            at_dest[at] = dest[i]
            if j == k - 1:
                price[at] = manual[i, 1]
                qty[at] = manual[i, 0]
            elif role[i] != 3:
                q = order * steps[j, 0]
                under_contract = min(q, served)
                served -= under_contract
                price[at] = _quoted(min(bid * steps[j, 1], limit[i]))
                qty[at] = q - under_contract
    return at_dest, price, qty


@dataclass(slots=True, eq=False)
class Deals:
    """The week's deals, one element per seller-buyer pair (spot and contract)."""

    good: Ints
    s_slot: Ints
    b_slot: Ints
    kg: Floats
    price: Floats  # what the seller gets, USD/kg at the origin
    contract: Ints  # contract row or -1
    origin_price: Floats  # (G, N) spot duals, NaN without trade
    dest_price: Floats  # (G, N)
    sold: Floats  # (G, N) spot kg
    bought: Floats  # (G, N)
    rent: Floats  # (G, N, N)


def clear_spot(world: World, desk: Desk) -> Deals:
    """Clear every good on its own."""
    books = books_of(world, desk)
    results = {g: clear_book(*book, world.state.dual_guess[g]) for g, book in books.items()}
    return deals_of(world, results, {})


def deals_of(world: World, results: Mapping[int, tuple[Any, ...]], quota_rent: Mapping[int, Floats]) -> Deals:
    """Deals, prices and rents from cleared books; `quota_rent` (N, D) USD/kg is added to what sellers get."""
    st, s = world.structure, world.state
    n_g, n_n = len(st.goods), len(st.nodes)
    origin_price, dest_price = np.full((n_g, n_n), np.nan), np.full((n_g, n_n), np.nan)
    sold, bought, rent = np.zeros((n_g, n_n)), np.zeros((n_g, n_n)), np.zeros((n_g, n_n, n_n))
    sellers, buyers, kgs, prices = [], [], [], []
    for g, (ask_fill, bid_fill, flow, p_origin, p_dest, lane_rent, _) in results.items():
        tight = lane_rent + quota_rent[g] if g in quota_rent else lane_rent
        k, b = int(st.s_ptr[g]), int(st.b_ptr[g])
        seller, buyer, kg, price = settle_good(
            ask_fill,
            bid_fill,
            flow,
            p_origin,
            p_dest,
            tight,
            st.s_node[k : st.s_ptr[g + 1]],
            st.b_dest[b : st.b_ptr[g + 1]],
            N_CLASS,
            MOST_PAIRS,
            sold[g],
            bought[g],
            dest_price[g],
            rent[g],
        )
        sellers.append(seller + k)
        buyers.append(buyer + b)
        kgs.append(kg)
        prices.append(price)
        origin_price[g] = p_origin
    np.copyto(s.dual_guess, origin_price, where=~np.isnan(origin_price))
    none = np.zeros(0, np.int64)
    s_slot, b_slot = np.concatenate([none, *sellers]), np.concatenate([none, *buyers])
    kg, price = np.concatenate([np.zeros(0), *kgs]), np.concatenate([np.zeros(0), *prices])
    return Deals(
        st.s_good[s_slot], s_slot, b_slot, kg, price, np.full(len(kg), -1), origin_price, dest_price, sold, bought, rent
    )


def join(term: Deals, spot: Deals) -> Deals:
    """Deliveries under contract, then spot deals; prices and volumes by place are those of the spot market."""
    column = {
        n: np.concatenate([getattr(term, n), getattr(spot, n)])
        for n in ("good", "s_slot", "b_slot", "kg", "price", "contract")
    }
    return replace(spot, **column)
