"""Plants and mines: planned throughput, feed, stage lags, yields, ramps, co-products, tailings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from env.axes import sums
from env.calendar import is_chinese_new_year
from env.demand import MATURE_UTILISATION
from env.market import recipe_margins
from env.streams import draws
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.world import World

OUTAGE_WEEKS, OUTAGE_SHARE = 4.0, 0.25

CHINA = "CHN"
YOUNG_TOP = 0.95
LEARNING = ("separation_light", "separation_heavy", "metal", "magnet")


@dataclass(slots=True, eq=False)
class Production:
    """What plants did this week: throughput started and finished by recipe (R,) kg, and money by site (USD)."""

    started: Floats
    finished: Floats
    tailings: Floats  # (S,) kg of unsold co-product taken away
    variable_cost: Floats  # (site,)


def _most(world: World) -> Floats:
    """Most a site can put through in an ordinary week (site,) kg: nameplate and ramp."""
    st, s = world.structure, world.state
    ramped = np.where(st.site_young, s.site_ramp, MATURE_UTILISATION)
    ramped = np.where(np.isnan(s.ramp_from[:, 0]), ramped, s.site_ramp)
    return s.site_nameplate * ramped * np.where(s.site_on >= 1.0, 1.0, 0.0)


def capability(world: World) -> Floats:
    """Most a site can put through this week (site,) kg: an ordinary week's, less outages and holidays."""
    st, s = world.structure, world.state
    out = _most(world)
    out *= np.where(s.outage_left > 0, 1.0 - OUTAGE_SHARE, 1.0)
    if not (st.spec.constant_demand or st.spec.still) and is_chinese_new_year(world.date) and CHINA in st.nodes:
        out[st.derived.new_year_sites] *= world.params["season.new_year_dip"]
    return out


def draw_outages(world: World) -> None:
    """Unplanned outages, one draw a site and week."""
    st, s = world.structure, world.state
    s.outage_left = np.maximum(s.outage_left - 1.0, 0.0)
    rate = world.params["plants.outage_rate"] / 52.0
    if rate <= 0.0 or st.spec.constant_demand or st.spec.still or not len(st.sites):
        return
    hit = draws(world.seed, st.derived.site_keys, s.week) < rate
    s.outage_left[hit] = OUTAGE_WEEKS


def plan(world: World) -> None:
    """Set planned throughput (R,) kg a week: mines by netback, separators by feed, metal and magnets by orders."""
    st, s, p = world.structure, world.state, world.params
    if not len(st.r_site):
        return
    margin = recipe_margins(world)
    s.margin += (margin - s.margin) / p["plants.smoothing_weeks"]
    cap_site = capability(world)
    wish = np.where(st.r_pull, _to_order(world, cap_site), _pushed(world))
    share = np.where(np.isnan(s.plan_override), 1.0, s.plan_override)
    by_hand = ~np.isnan(s.plan_override[st.r_site])
    speed = p["plants.max_change"]
    seed = 0.02 * cap_site[st.r_site] / np.maximum(np.bincount(st.r_site, minlength=len(st.sites))[st.r_site], 1)
    # below its usual margin by a tenth of turnover a plant sheds work, the faster the deeper it is in loss
    turnover = np.maximum(_turnover(world), 1e-9)
    loss = np.maximum(-(s.margin - s.margin_base) / turnover - p["plants.loss_tolerated"], 0.0)
    fresh = np.clip(wish, s.plan * (1.0 - speed), np.maximum(s.plan * (1.0 + speed), seed))
    fresh = np.where(loss > 0.0, np.minimum(fresh, s.plan * (1.0 - speed * np.minimum(loss / 0.2, 1.0))), fresh)
    fresh = np.where(by_hand, cap_site[st.r_site] * share[st.r_site] * _mix(world), fresh)
    fresh = fresh * _within_limit(world, fresh)[st.r_site]
    usual_cap = _most(world)
    wanted = np.bincount(st.r_site, weights=fresh, minlength=len(st.sites))
    fit = np.divide(usual_cap, wanted, out=np.ones_like(wanted), where=wanted > usual_cap)
    fresh = fresh * np.minimum(fit, 1.0)[st.r_site]
    total = np.bincount(st.r_site, weights=fresh, minlength=len(st.sites))
    squeeze = np.divide(cap_site, total, out=np.ones_like(total), where=total > cap_site)
    s.plan = fresh
    s.run_rate = fresh * np.minimum(squeeze, 1.0)[st.r_site]  # a holiday or an outage does not change the plan


def _within_limit(world: World, plan: Floats) -> Floats:
    """Share of a plan that quotas on output allow (site,): they hold from their first week, whatever is planned."""
    st, s = world.structure, world.state
    n = len(st.sites)
    ruled = np.isfinite(s.site_limit)
    most = np.where(ruled, sums(st.r_site, st.r_base_kg, n) * np.where(ruled, s.site_limit, 0.0), np.inf)
    total = sums(st.r_site, plan, n)
    return np.divide(most, total, out=np.ones(n), where=total > most)


def _turnover(world: World) -> Floats:
    """Turnover of a kg of throughput (R,) USD, the yardstick of margins."""
    st, s = world.structure, world.state
    return sums(st.ro_recipe, st.ro_coef * s.sale_price[st.ro_slot], len(st.r_site))


def _mix(world: World) -> Floats:
    """Share of each recipe in its site's plan (R,)."""
    st, s = world.structure, world.state
    basis = np.where(s.plan > 0, s.plan, st.r_base_kg + 1e-9)
    total = np.bincount(st.r_site, weights=basis, minlength=len(st.sites))
    return basis / total[st.r_site]


def _pushed(world: World) -> Floats:
    """Mines follow netback against the opening level; separators and recyclers work their feed stock off."""
    st, s = world.structure, world.state
    has_input = np.diff(st.ri_ptr) > 0
    # mines and by-products
    price = s.ref_origin[st.s_good[st.r_main_slot], st.s_node[st.r_main_slot]]
    base = s.ref0_origin[st.s_good[st.r_main_slot], st.s_node[st.r_main_slot]]
    ratio = np.clip(price / base, 0.2, 5.0) ** st.supply_elasticity[st.r_site]
    own, limited = source_rate(world)
    wish = np.minimum(own * ratio, limited)
    # separators, heavy separators, recyclers: a share of the feed in stock each week
    rows = st.ri_slot[st.ri_ptr[:-1][has_input]]
    feed = s.stock[st.b_holder[rows], st.b_good[rows]] / st.ri_coef[st.ri_ptr[:-1][has_input]]
    wish[has_input] = np.minimum(feed / np.maximum(s.cover_target[rows], 1.0), limited[has_input])
    return wish


def source_rate(world: World) -> tuple[Floats, Floats]:
    """What mines and by-products make at opening prices, and the most outside limits allow (R,), (R,) kg a week."""
    st, s = world.structure, world.state
    growth = np.divide(s.site_nameplate, st.nameplate_kg, out=np.ones_like(s.site_nameplate), where=st.nameplate_kg > 0)
    running = np.isnan(s.ramp_from[:, 0])
    ramp = np.divide(s.site_ramp, st.opening_ramp, out=np.ones_like(growth), where=st.opening_ramp > 0)
    opening = st.r_base_kg * (growth * np.where(running, 1.0, ramp))[st.r_site]
    new = (s.site_nameplate * s.site_ramp * MATURE_UTILISATION)[st.r_site]
    own = np.where(st.r_base_kg > 0, opening, new) * (s.site_on[st.r_site] >= 1.0)
    ruled = np.isfinite(s.site_limit)[st.r_site]
    ceiling = st.r_base_kg * np.where(ruled, np.nan_to_num(s.site_limit, posinf=1.0)[st.r_site], 1.0)
    # under a quota a mine digs what the quota allows, as far as its nameplate goes
    most = (s.site_nameplate * MATURE_UTILISATION)[st.r_site]
    own = np.where(ruled & (st.r_base_kg > 0), np.minimum(ceiling, most) * (s.site_on[st.r_site] >= 1.0), own)
    return own, np.where(ruled, ceiling, np.inf)


def _to_order(world: World, cap_site: Floats) -> Floats:
    """Metal and magnets: this seller's share of what buyers want, plus the gap of finished stock.

    A plant on its ramp has no share yet: it fills its line as far as its stock finds takers.
    """
    st, s, p = world.structure, world.state, world.params
    slot = st.r_main_slot
    good = st.s_good[slot]
    stock = s.stock[st.s_holder[slot], good]
    orders = s.share[slot] * s.wants[good]
    young = ~np.isnan(s.ramp_from[st.r_site, 0]) & (st.r_base_kg <= 0.0)
    sites = np.bincount(st.r_site, weights=st.r_pull, minlength=len(st.sites))[st.r_site]
    room = cap_site[st.r_site] * MATURE_UTILISATION / np.maximum(sites, 1.0)
    orders = np.where(young, np.maximum(orders, room), orders)
    target = np.where(young, np.maximum(orders, s.flow[slot]), s.flow[slot]) * s.s_cover_target[slot]
    return np.maximum(orders + (target - stock) / p["plants.tau_weeks"], 0.0)


def run(world: World) -> Production:
    """Start this week's batches as far as feed allows, finish those that are due, take surplus to tailings."""
    st, s, p = world.structure, world.state, world.params
    n_r = len(st.r_site)
    started, finished = np.zeros(n_r), np.zeros(n_r)
    cost = np.zeros(len(st.sites))
    if n_r:
        _run(
            s.run_rate, s.site_on, st.r_site, st.r_lag, st.ri_ptr, st.ri_good, st.ri_coef, st.ro_ptr, st.ro_good,
            st.ro_coef * s.site_recovery[st.r_site[st.ro_recipe]], st.ro_value_share, s.site_cost, s.stock, s.cost,
            s.wip, s.wip_cost, s.week % s.wip.shape[1], started, finished, cost,
        )  # fmt: skip
    recovered = st.ro_coef * finished[st.ro_recipe] * s.site_recovery[st.r_site[st.ro_recipe]]
    made = sums(st.ro_slot, recovered, len(st.s_holder))
    s.flow += (made - s.flow) / p["plants.smoothing_weeks"]
    return Production(started, finished, _tailings(world), cost)


@njit(cache=True)
def _run(
    plan: Floats, on: Floats, r_site: Ints, r_lag: Ints, ri_ptr: Ints, ri_good: Ints, ri_coef: Floats, ro_ptr: Ints,
    ro_good: Ints, ro_coef: Floats, value_share: Floats, unit_cost: Floats, stock: Floats, cost: Floats, wip: Floats,
    wip_cost: Floats, now: int, started: Floats, finished: Floats, spent: Floats,
) -> None:  # fmt: skip
    """One week of all recipes.  Inputs short at a site are shared pro rata between its batches."""
    n_r, n_g = len(r_site), stock.shape[1]
    n_ring = wip.shape[1]
    # batches that are due come out first
    for r in range(n_r):
        q = wip[r, now]
        if q > 0.0:
            worth = wip_cost[r, now]
            for k in range(ro_ptr[r], ro_ptr[r + 1]):
                stock[r_site[r], ro_good[k]] += ro_coef[k] * q
                cost[r_site[r], ro_good[k]] += value_share[k] * worth
            finished[r] += q
            wip[r, now] = 0.0
            wip_cost[r, now] = 0.0
    ratio = np.ones(n_g)
    r = 0
    while r < n_r:
        end = r
        while end < n_r and r_site[end] == r_site[r]:
            end += 1
        site = r_site[r]
        asked = np.zeros(n_g)
        for q in range(r, end):
            for k in range(ri_ptr[q], ri_ptr[q + 1]):
                asked[ri_good[k]] += plan[q] * ri_coef[k]
        for g in range(n_g):
            ratio[g] = 1.0
            if asked[g] > stock[site, g]:
                ratio[g] = max(stock[site, g], 0.0) / asked[g]
        for q in range(r, end):
            kg = plan[q] if on[site] >= 1.0 else 0.0
            for k in range(ri_ptr[q], ri_ptr[q + 1]):
                kg = min(kg, plan[q] * ratio[ri_good[k]])
            if kg <= 0.0:
                continue
            worth = unit_cost[site] * kg
            spent[site] += worth
            for k in range(ri_ptr[q], ri_ptr[q + 1]):
                g = ri_good[k]
                take = min(ri_coef[k] * kg, stock[site, g])
                value = cost[site, g] * take / stock[site, g] if stock[site, g] > 0.0 else 0.0
                stock[site, g] -= take
                cost[site, g] -= value
                worth += value
            started[q] = kg
            if r_lag[q] == 0:
                finished[q] += kg
                for k in range(ro_ptr[q], ro_ptr[q + 1]):
                    stock[site, ro_good[k]] += ro_coef[k] * kg
                    cost[site, ro_good[k]] += value_share[k] * worth
            else:
                at = (now + r_lag[q]) % n_ring
                wip[q, at] += kg
                wip_cost[q, at] += worth
        r = end


def _tailings(world: World) -> Floats:
    """Unsold co-product above the storage cap goes to tailings (S,) kg; its book value is written off."""
    st, s, p = world.structure, world.state, world.params
    rows = np.flatnonzero((st.s_role == 0) & (st.finishing_cost[st.s_good] > 0.0) & (s.flow > 0.0))
    gone = np.zeros(len(st.s_holder))
    world.lost_cost = np.zeros(len(st.parties))
    if len(rows):
        holder, good = st.s_holder[rows], st.s_good[rows]
        stock = s.stock[holder, good]
        excess = np.maximum(stock - s.flow[rows] * p["sellers.storage_weeks"], 0.0)
        share = np.divide(excess, stock, out=np.zeros_like(stock), where=stock > 0)
        lost = s.cost[holder, good] * share
        world.lost_cost = sums(st.holder_party[holder], lost, len(st.parties))
        s.stock[holder, good] -= excess
        s.cost[holder, good] *= 1.0 - share
        gone[rows] = excess
    return gone


def update_ramps(world: World) -> None:
    """Ramps of young plants: u = umax / (1 + exp(-(t - t50) / spread)), t in weeks since the start."""
    st, s, p = world.structure, world.state, world.params
    if world.week == 0 and not st.spec.still:
        # plants still ramping at the start go on from the point of the curve where they stand
        for i in np.flatnonzero(st.site_young & np.isnan(s.ramp_from[:, 0]) & (s.site_ramp < YOUNG_TOP)):
            best, middle = p["projects.ramp_t50_best_weeks"], p["projects.ramp_t50_weeks"]
            stage = st.site_stage[i]
            k = s.knowhow[st.site_node[i], LEARNING.index(stage)] if stage in LEARNING else 1.0
            t50 = best + (middle - best) * (1.0 - k) / 0.5
            spread = max(t50 / 4.0, 4.0)
            age = t50 + spread * np.log(s.site_ramp[i] / (YOUNG_TOP - s.site_ramp[i]))
            s.ramp_from[i] = (world.week - age, t50, spread, YOUNG_TOP)
    rows = np.flatnonzero(~np.isnan(s.ramp_from[:, 0]) & (s.site_on >= 1.0))
    if len(rows):
        begin, t50, spread, top = (s.ramp_from[rows, i] for i in range(4))
        s.site_ramp[rows] = top / (1.0 + np.exp(-(s.week - begin - t50) / spread))
    back = np.flatnonzero((s.site_restart_week >= 0) & (s.site_restart_week <= s.week))
    s.site_on[back] = 1.0
    s.site_restart_week[back] = -1
