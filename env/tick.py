"""The week: each line of `tick` is one phase; phases speak only through the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from env import (
    books,
    contracts,
    deals,
    demand,
    licences,
    market,
    operate,
    policy,
    projects,
    quotes,
    substitution,
    trade,
)
from env.axes import sums
from env.books import COGS, OTHER, OUTSIDE, Ledger
from env.calendar import is_quarter_start
from env.events import note
from env.instruments import HANDLERS
from env.invariants import check
from env.receive import receive, receive_events, receive_inbox
from env.shared_quota import clear_with_quotas, contract_quota_cap, draw_quotas
from env.world import Floats

if TYPE_CHECKING:
    from env.commands import Command
    from env.world import World


STOPPAGE = 0.2  # share of a use that is missing
STOPPAGE_WEEKS = 26
STOPPAGE_NAMES = 12


def tick(
    world: World, orders: Mapping[str, Iterable[Command | dict[str, Any]]] | None = None, *, origin: str = "strategy"
) -> None:
    """One week: rules, commands, plants, licences, contracts, spot market, ships, users, money, projects, record."""
    ledger = Ledger()
    stock_before, books_before = world.state.stock.copy(), world.state.quarter_book.copy()
    trade.begin_week(world)
    policy.start_and_end_rules(world)
    receive_events(world)
    receive_inbox(world)
    receive(world, orders or {}, origin)
    policy.take_effect(world)
    policy.weekly_rules(world)
    made = operate_plants(world)
    decided = licences.serve(world)
    shipped = exchange_goods(world, ledger)
    trade.arrive(world)
    used = demand.build_products(world)
    tell_stoppages(world, used)
    settle(world, ledger, made, used)
    happened = projects.advance(world, ledger)
    rows = books.post(world, ledger)
    projects.learn(world, made.started)
    learn_from_the_week(world)
    book_the_week(world, books_before)
    for stage, project in happened:
        owner = world.structure.parties.codes[project.owner]
        note(world, "project", [owner], f"{project.id}: {stage}", data={"project": project.id, "stage": stage})
    world.record.week(world, made, used, shipped, decided, ledger, rows)
    check(world, stock_before, made, used.used)
    deals.lapse(world)
    world.state.week += 1
    if is_quarter_start(world.date):
        world.record.close_quarter(world)


def operate_plants(world: World) -> operate.Production:
    """Ramps, outages, plans, then a week of production from mines to magnets."""
    operate.update_ramps(world)
    operate.draw_outages(world)
    operate.plan(world)
    made = operate.run(world)
    st, s = world.structure, world.state
    recovered = st.ro_coef * made.finished[st.ro_recipe] * s.site_recovery[st.r_site[st.ro_recipe]]
    s.week_made = sums(st.ro_slot, recovered, len(st.s_holder))
    return made


def exchange_goods(world: World, ledger: Ledger) -> list[trade.Shipments]:
    """Contracts claim stock first; the spot market clears the rest."""
    st, s = world.structure, world.state
    need, _, _, _ = market.needs(world)
    s.week_need = need
    # makers plan for buyers they can reach: what licences or embargoes hold back is no order
    wants = sums(st.b_good, need * (1.0 - s.unmet[st.b_good, st.b_node]), len(st.goods))
    cap = policy.lane_caps(world)
    contract_quota_cap(world, need, cap)
    term = trade.contract_deals(world, need, cap)
    committed = sums(term.s_slot, term.kg, len(st.s_holder))
    received = sums(term.b_slot, term.kg, len(st.b_holder))
    desk = market.make_desk(world, cap, committed, received)
    spot, priced = clear_with_quotas(world, desk, term)
    shipped = [trade.ship(world, market.join(term, spot), ledger)]
    draw_quotas(world, shipped)
    world.last_desk = priced
    s.manual_bid[:, 2] = np.maximum(s.manual_bid[:, 2] - 1.0, 0.0)
    s.manual_ask[:, 2] = np.maximum(s.manual_ask[:, 2] - 1.0, 0.0)
    s.rent = 0.8 * s.rent + 0.2 * spot.rent
    trade.after_trade(world)
    quotes.update_references(world, spot.origin_price, spot.dest_price, spot.sold, spot.bought)
    demand.expect(world, wants)
    return shipped


def tell_stoppages(world: World, used: demand.Use) -> None:
    """News of lines that stop for want of a good: a use short by a fifth, for the first time in half a year."""
    st, s = world.structure, world.state
    short = used.stopped > STOPPAGE
    if not short.any():
        return
    fresh = short & (s.week - s.week_stopped > STOPPAGE_WEEKS)
    s.week_stopped[short] = s.week
    if world.week < 0 or not fresh.any():
        return
    for g in np.unique(st.derived.u_good[fresh]):
        rows = np.flatnonzero(fresh & (st.derived.u_good == g))
        good = st.goods.codes[g]
        who = [st.parties.codes[i] for i in np.unique(st.derived.u_party[rows])]
        where = [st.nodes.codes[i] for i in np.unique(st.derived.u_node[rows])]
        missing = float(used.stopped[rows].max())
        curb = s.last_event.get(f"curb:good:{good}")
        note(
            world, "stoppage", who[:STOPPAGE_NAMES], f"lines stop in {', '.join(where)}: up to {missing:.0%} of {good} "
            "is missing", about=[f"good:{good}"], also=[f"lines:{code}" for code in who],
            causes=[curb] if curb else None,
            data={"good": good, "places": where, "uses": len(rows), "missing": round(missing, 4)},
        )  # fmt: skip


def settle(world: World, ledger: Ledger, made: operate.Production, used: demand.Use) -> None:
    """Costs of plants, sales of products, floors, interest, credit, support, defaults, dividends."""
    st, s = world.structure, world.state
    n_p = len(st.parties)
    ledger.pay(st.site_party, OUTSIDE, made.variable_cost, "variable_cost", n_p)
    running = np.where(s.site_on >= 1.0, 1.0, 0.3)
    planned = (s.site_on <= 0.0) & np.isnan(s.ramp_from[:, 0]) & (st.opening_ramp <= 0.0)
    gone = s.closed[st.site_party] > 0
    ledger.pay(st.site_party, OUTSIDE, st.fixed_cost_week * np.where(planned | gone, 0.0, running), "fixed_cost", n_p)
    taken = np.flatnonzero(made.tailings > 0)
    ledger.pay(
        st.derived.s_party[taken], OUTSIDE,
        made.tailings[taken] * world.params["sellers.tailings_cost"], "tailings_cost", n_p,
    )  # fmt: skip
    user = st.derived.u_party
    felt = s.price_felt
    # products sell for their material at the price felt plus the margin; overheads follow a stop only slowly
    ledger.pay(OUTSIDE, user, used.used * (1.3 * felt + st.u_margin), "product_sales", n_p)
    ledger.pay(user, OUTSIDE, s.running_level * (0.25 * felt + 0.9 * st.u_margin), "overhead", n_p)
    for rule in policy.active_rules(world):
        HANDLERS[rule.kind].settle(world, rule, ledger)
    books.interest_and_credit(world, ledger)
    books.support(world, ledger)
    books.sponsor(world, ledger)
    for party in books.defaults(world):
        fate = books.fail(world, party, ledger)
        code = st.parties.codes[party]
        note(world, "default", [code], f"{code} defaults; {fate}", about=[f"lines:{code}"], data={"fate": fate})
    books.depreciate(world)
    books.dividends(world, ledger)


def learn_from_the_week(world: World) -> None:
    """Expectations for next week: fundamentals, risk, alarm, asks, thrift, contract indices."""
    st, s, p = world.structure, world.state, world.params
    g = np.arange(len(st.goods))
    quotes.update_fundamentals(world)
    unmet = licences.unmet_share(world)
    s.unmet += (unmet - s.unmet) / 4.0
    s.risk = np.minimum(1.0, np.maximum(s.risk * 0.5 ** (1.0 / p["risk.half_life_weeks"]), s.unmet))
    s.alarm = np.maximum(_shortage(world), s.unmet)
    quotes.update_ask(world)
    demand.thrift(world)
    substitution.switch(world)
    hub_index = s.index_price[quotes.DOMESTIC, g, st.hub]
    hub_index = np.where(np.isnan(hub_index), s.ref_origin[g, st.hub], hub_index)
    contracts.roll(world, hub_index, quotes.formula_price(st, hub_index))


def _shortage(world: World) -> Floats:
    """Alarm by good and node (G, N), 0-1: how far users' cover is below seven tenths of its target."""
    st, s = world.structure, world.state
    n = len(st.nodes)
    rows = np.flatnonzero((st.b_role <= 1) & (s.expected_use > 0))
    key = st.b_good[rows] * n + st.b_node[rows]
    have = s.stock[st.b_holder[rows], st.b_good[rows]]
    target = s.expected_use[rows] * s.cover_target[rows]
    held = sums(key, have, len(st.goods) * n)
    aim = sums(key, target, len(st.goods) * n)
    cover = np.divide(held, aim, out=np.ones_like(held), where=aim > 1e-9)
    return np.clip((0.7 - cover) / 0.5, 0.0, 1.0).reshape(len(st.goods), n)


def book_the_week(world: World, before: Floats) -> None:
    """Cost of what users drew and of write-offs; then the week's result goes to retained earnings."""
    st, s = world.structure, world.state
    drawn = np.bincount(st.derived.u_party, weights=world.used_cost, minlength=len(st.parties))
    s.quarter_book[:, COGS] -= drawn
    s.quarter_book[:, OTHER] -= world.lost_cost
    books.earn(world, before)
