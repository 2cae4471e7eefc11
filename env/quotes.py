"""Prices as the trade sees them: deal indices by kind, the European ask, references and fundamentals.

There is never one price.  Kinds: domestic (ex VAT, at the producing place), FOB (out of a place), delivered
(to a place), contract (average of deliveries under contract into a place), ask (European quote, which may
soar on almost no volume).  A deal index: B' = d B + q, P' = (d B P + q p) / (d B + q), unchanged without
trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from env.world import Floats

if TYPE_CHECKING:
    from env.world import Structure, World

KINDS = ("domestic", "fob", "delivered", "contract", "ask")
DOMESTIC, FOB, DELIVERED, CONTRACT, ASK = range(5)
ASK_NODE = "EUU"
OUTBID = 1.1  # times the going price, for users who are short and were outbid
MOST_LOOSE = 0.6  # part of the fundamental's weight that goes in full alarm
ANCHOR_WEEKS = 26.0  # users in alarm give the fundamental up over this time, and come back to it as slowly
PILE_FROM_WEEKS = 26.0  # ore stock beyond its usual cover from which it counts as unsold


def lane_cost(world: World) -> tuple[Floats, Floats, Floats]:
    """Cost of moving a kg from origin to destination (G, N, N) USD, and its duty and freight parts.

    Ad valorem duties fall on the origin's reference price of the week before (the customs value).
    """
    s, d = world.state, world.structure.derived
    return _lane_cost(s.ref_origin, s.export_tax, s.tariff, d.freight, d.handling)


@njit(cache=True)
def _lane_cost(
    value: Floats, export_tax: Floats, tariff: Floats, freight: Floats, handling: Floats
) -> tuple[Floats, Floats, Floats]:
    """`lane_cost` cell by cell; within a node nothing is handled or taxed on its way out."""
    cost, export_duty, import_duty = np.empty_like(freight), np.zeros_like(freight), np.empty_like(freight)
    n_g, n, _ = freight.shape
    for g in range(n_g):
        for o in range(n):
            for d in range(n):
                import_duty[g, o, d] = tariff[g, d, o] * (value[g, o] + freight[g, o, d])
                handled = 0.0
                if o != d:
                    handled = handling[g, o] * value[g, o]
                    export_duty[g, o, d] = export_tax[g, o] * value[g, o]
                cost[g, o, d] = freight[g, o, d] + handled + export_duty[g, o, d] + import_duty[g, o, d]
    return cost, export_duty, import_duty


def hub_cost(world: World) -> Floats:
    """Cost of moving a kg from a good's hub to every node (G, N) USD: the hub's rows of `lane_cost`."""
    st, s, d = world.structure, world.state, world.structure.derived
    g = np.arange(len(st.goods))
    value, freight = s.ref_origin[g, st.hub][:, None], d.freight[g, st.hub]
    share = (d.handling[g, st.hub] + s.export_tax[g, st.hub])[:, None] * d.abroad[st.hub]
    return freight + share * value + s.tariff[g, :, st.hub] * (value + freight)


def opening_prices(world: World) -> None:
    """References at the level that supports the base balance: hub price plus the cost of the lane."""
    from env.market import recipe_margins

    st, s = world.structure, world.state
    base = st.base_price
    g = np.arange(len(st.goods))
    s.ref_origin = np.repeat(base[:, None], len(st.nodes), axis=1)
    for _ in range(2):  # customs values depend on origin prices: twice is enough to settle
        s.ref_dest = fundamental_dest(world, base)
        s.ref_origin = fundamental_origin(world, s.ref_dest, base)
    s.ref0_dest, s.ref0_origin = s.ref_dest.copy(), s.ref_origin.copy()
    s.mean_dest, s.mean_origin = s.ref_dest.copy(), s.ref_origin.copy()
    s.dual_guess = s.ref_origin.copy()
    s.fundamental = base.copy()
    s.anchor = np.ones((len(st.goods), len(st.nodes)))
    s.sale_price = s.ref_origin[st.s_good, st.s_node].copy()
    c = s.contracts
    if len(c):
        # sellers expect their contract price on what is under contract, the going price on the rest
        price = c.factor * c.index_mean
        kg = np.bincount(c.seller_slot, weights=c.kg, minlength=len(s.flow))
        mean = np.bincount(c.seller_slot, weights=c.kg * price, minlength=len(s.flow))
        bound = np.clip(np.divide(kg, s.flow, out=np.zeros_like(kg), where=s.flow > 0), 0.0, 1.0)
        mean = np.divide(mean, kg, out=np.zeros_like(mean), where=kg > 0)
        s.sale_price = np.where(kg > 0, bound * mean + (1.0 - bound) * s.sale_price, s.sale_price)
    s.hub_history = np.repeat(base[None, :], 9, axis=0)
    s.year_mean = base.copy()
    s.long_mean = s.ref_dest.copy()
    s.ask_quote = s.ref_dest[:, st.nodes.index[ASK_NODE]].copy() if ASK_NODE in st.nodes else base.copy()
    s.index_price[DOMESTIC, g, st.hub] = base
    s.price_felt = s.ref_dest[st.b_good[st.u_slot], st.b_node[st.u_slot]].copy()
    s.margin = recipe_margins(world)
    s.margin_base = np.minimum(s.margin, 0.0)
    supply, use = supply_and_use(world)
    s.supply_trend, s.use_trend = supply, use
    s.balance_base = np.divide(use, supply, out=np.ones_like(use), where=supply > 0)


def fundamental_dest(world: World, hub_price: Floats) -> Floats:
    """Delivered price at every node if the good comes from its hub (G, N) USD/kg, rents of tight lanes included."""
    st, s = world.structure, world.state
    g = np.arange(len(st.goods))
    from_hub = hub_cost(world) + 0.8 * s.rent[g, st.hub, :]
    reachable = st.lane_open[g, st.hub, :]
    return hub_price[:, None] + np.where(reachable, from_hub, 0.0)


def fundamental_origin(world: World, dest: Floats, hub_price: Floats) -> Floats:
    """What a seller at each node can net (G, N): the hub price at the hub, elsewhere the best destination less cost."""
    st = world.structure
    cost, _, _ = lane_cost(world)
    # without own demand in reach a place nets nothing above the best lane
    net = np.where(st.lane_open, dest[:, None, :] - cost, -np.inf)
    g = np.arange(len(st.goods))
    feed = st.derived.is_feed
    best = net.max(axis=2)
    to_hub = net[g, :, st.hub]
    # feed goes to the hub; finished goods stay near parity with their own place
    out = np.where(feed[:, None], np.where(np.isfinite(to_hub), to_hub, best), best)
    out[g, st.hub] = hub_price
    floor = 0.02 * hub_price[:, None]
    return np.where(np.isfinite(out), np.maximum(out, floor), hub_price[:, None])


def supply_and_use(world: World) -> tuple[Floats, Floats]:
    """Structural supply and use of each oxide (G,) kg a week; zero for other goods.

    Both at opening prices: what mines would dig and users would use if prices stood where they stood, so that the
    scarcity read off them does not feed on the price itself.  Ore that is withheld does not count.
    """
    from env.operate import source_rate

    st, s = world.structure, world.state
    n_g = len(st.goods)
    own, limited = source_rate(world)
    source = np.minimum(own, limited) * (np.diff(st.ri_ptr) == 0)
    if len(source):
        c = s.contracts
        bound = (
            np.bincount(c.seller_slot, weights=c.kg * (c.status == 1), minlength=len(s.hold))
            if len(c)
            else np.zeros(len(s.hold))
        )
        source = np.minimum(source, bound[st.r_main_slot] + (1.0 - s.hold[st.r_main_slot]) * source)
        # ore that piles up unsold is no supply to those who wait for oxide
        slot = st.r_main_slot
        weeks = np.divide(
            s.stock[st.s_holder[slot], st.s_good[slot]], source, out=np.zeros_like(source), where=source > 0
        )
        idle = np.clip((weeks - s.s_cover_target[slot] - PILE_FROM_WEEKS) / PILE_FROM_WEEKS, 0.0, 1.0)
        source = (1.0 - idle) * source + idle * np.minimum(source, s.sales[slot])
    dug = np.bincount(st.s_good[st.r_main_slot], weights=source, minlength=n_g)
    supply = dug @ st.content
    # use that licences or embargoes keep away from the market does not press on it
    good, node = st.b_good[st.u_slot], st.b_node[st.u_slot]
    use = np.bincount(good, weights=s.structural_use * (1.0 - s.unmet[good, node]), minlength=n_g) @ st.content
    for array in (supply, use):
        array[st.stage_index != 2] = 0.0
    return supply, use


def update_fundamentals(world: World) -> None:
    """Fundamental prices at the hub: an oxide's from its balance of supply and use, the rest by content.

    An oxide in surplus rests on the cost of finishing one more tonne; a tight one rises with use over supply
    (against the base year) by the inverse of the elasticities.
    """
    st, s, p = world.structure, world.state, world.params
    supply, use = supply_and_use(world)
    weight = 1.0 / p["fundamental.smoothing_weeks"]
    s.supply_trend += weight * (supply - s.supply_trend)
    s.use_trend += weight * (use - s.use_trend)
    ratio = np.divide(s.use_trend, s.supply_trend, out=np.ones_like(use), where=s.supply_trend > 0)
    tight = np.divide(ratio, s.balance_base, out=np.ones_like(ratio), where=s.balance_base > 0)
    elastic = np.where(st.derived.is_heavy, p["fundamental.heavy_elasticity"], p["fundamental.tight_elasticity"])
    scarcity = np.clip(tight, 0.3, 3.0) ** (1.0 / elastic)
    level = st.base_price * np.clip(scarcity, 0.3, 12.0)
    ox = st.oxide
    level[ox] = np.maximum(level[ox], st.finishing_cost[ox] * 1.02)
    s.fundamental[ox] = level[ox]
    # feed follows the oxides it is made of by formula, metal and magnets the oxides that are in them: at going prices,
    # so that a tight oxide does not squeeze the plants that make it
    going = s.ref_origin[np.arange(len(st.goods)), st.hub]
    others = st.stage_index != 2
    s.fundamental[others] = formula_price(st, going)[others]


def formula_price(st: Structure, hub_index: Floats) -> Floats:
    """Price by content (G,) USD/kg: base price plus the change of the paid oxides at the hub."""
    change = np.where(st.stage_index == 2, hub_index - st.base_price, 0.0)
    return np.maximum(st.base_price + st.payable @ change, 0.1 * st.base_price)


def update_index(world: World, kind: int, good: np.ndarray, node: np.ndarray, kg: Floats, usd: Floats) -> None:
    """Add the week's deals of one kind to the deal index (arrays over deals)."""
    st, s = world.structure, world.state
    n = len(st.nodes)
    key = good * n + node
    shape = (len(st.goods), n)
    q = np.bincount(key, weights=kg, minlength=shape[0] * n).reshape(shape)
    v = np.bincount(key, weights=usd, minlength=shape[0] * n).reshape(shape)
    d = world.params["index.d"]
    old_q, old_p = s.index_volume[kind], s.index_price[kind]
    fresh = q > 0
    known = fresh & ~np.isnan(old_p)
    carried = np.where(known, d * old_q, 0.0)
    worth = np.where(known, carried * old_p, 0.0) + v
    new_q = carried + q
    np.divide(worth, new_q, out=s.index_price[kind], where=fresh)
    np.copyto(s.index_volume[kind], new_q, where=fresh)


def update_references(world: World, price_origin: Floats, price_dest: Floats, sold: Floats, bought: Floats) -> None:
    """Thirteen-week means of deals and the references traders, buyers and sellers start from."""
    st, s, p = world.structure, world.state, world.params
    fund_dest = fundamental_dest(world, s.fundamental)
    fund_origin = fundamental_origin(world, fund_dest, s.fundamental)
    limit = p["buyers.reference_speed"] + p["buyers.alarm_speed"] * s.alarm
    weight = 2.0 / (p["buyers.reference_weeks"] + 1.0)  # an exponential mean as old as a plain one of that many weeks
    # feed is priced by formula, so its references follow the formula first
    feed = np.isin(st.stage_index, (0, 1, 4))
    w = np.where(feed, p["buyers.formula_weight"], p["buyers.fundamental_weight"])[:, None]
    # at home the price of home deals leads, not what the last lot abroad fetched
    g = np.arange(len(st.goods))
    price_origin = price_origin.copy()
    home = bought[g, st.hub] > 0
    price_origin[g[home], st.hub[home]] = np.fmin(price_origin[g, st.hub], price_dest[g, st.hub])[home]
    # who is short and gets nothing learns from the market at the hub what it takes
    going = fundamental_dest(world, s.mean_origin[g, st.hub])
    outbid = fund_dest + s.alarm * np.maximum(OUTBID * going - fund_dest, 0.0)
    for mean, price, traded, rest in (
        (s.mean_origin, price_origin, sold > 0, fund_origin),
        (s.mean_dest, price_dest, bought > 0, outbid),
    ):
        pull = np.where(traded & (price > 0), price, mean + (rest - mean) * (0.5 + 0.5 * s.alarm))
        step = np.clip(weight * (1.0 + 3.0 * s.alarm) * (pull / mean - 1.0), -limit, limit)
        mean *= 1.0 + step
    # who is short follows the market, not what the balance of the year says it should be
    loose = np.where(st.derived.is_heavy, 0.0, MOST_LOOSE)[:, None]
    s.anchor += (1.0 - loose * s.alarm - s.anchor) / ANCHOR_WEEKS
    w = w * s.anchor
    s.ref_origin = (1.0 - w) * s.mean_origin + w * fund_origin
    s.ref_dest = (1.0 - w) * s.mean_dest + w * fund_dest
    s.long_mean += (s.ref_dest - s.long_mean) / 156.0
    hub_now = s.ref_origin[g, st.hub]
    s.hub_history = np.vstack([s.hub_history[1:], hub_now])
    traded = s.index_price[DOMESTIC, g, st.hub]
    s.year_mean += (np.where(np.isnan(traded), hub_now, traded) - s.year_mean) / 52.0


def update_ask(world: World) -> None:
    """European ask: parity with the Chinese market times (1 + a S + b risk), quick up, slow down."""
    st, s, p = world.structure, world.state, world.params
    if ASK_NODE not in st.nodes:
        return
    n = st.nodes.index[ASK_NODE]
    parity = fundamental_dest(world, s.index_price[DOMESTIC, np.arange(len(st.goods)), st.hub])[:, n]
    parity = np.where(np.isnan(parity), s.ref_dest[:, n], parity)
    target = parity * (1.0 + st.ask_sensitivity * s.unmet[:, n] + p["ask.risk_weight"] * s.risk[:, n])
    tau = np.where(target > s.ask_quote, p["ask.tau_up_weeks"], p["ask.tau_down_weeks"])
    s.ask_quote += (target - s.ask_quote) / tau
    s.index_price[ASK, :, n] = s.ask_quote
    s.index_volume[ASK, :, n] = 0.0
