"""Final users: what they want, what they can build, lines that stop, thrift, and what everybody expects to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from env.calendar import WEEKS_PER_YEAR
from env.streams import normals
from env.substitution import after_switching
from env.world import Floats

if TYPE_CHECKING:
    from env.world import World

MATURE_UTILISATION = 0.97  # share of nameplate a plant in order puts through
SMALL_GAIN, MORE_FEED = 0.15, 1.5
NEVER_STOPS_BELOW = 0.02  # a shortfall smaller than this share is not a stoppage
SHORT_RUN_BOUNDS = (0.6, 1.25)


@dataclass(slots=True, eq=False)
class Use:
    """Final use of the week over use rows (U,): kg wanted, kg used, share of lines stopped, margin lost USD."""

    wanted: Floats
    used: Floats
    stopped: Floats
    lost: Floats


def wanted(world: World) -> Floats:
    """Use wanted this week (U,) kg: base, growth, noise, thrift and the short-run response to price."""
    st, s, p = world.structure, world.state, world.params
    years = max(0.0, s.week / WEEKS_PER_YEAR)
    base = st.u_base_kg * (1.0 + st.u_growth) ** years
    noise = p["demand.noise"]
    if noise > 0.0 and not (st.spec.constant_demand or st.spec.still) and len(base):
        memory = p["demand.noise_memory"]
        draw = normals(world.seed, st.derived.use_keys, s.week)
        s.use_noise = memory * s.use_noise + noise * np.sqrt(1.0 - memory**2) * draw
    base_price = s.ref0_dest[st.derived.u_good, st.derived.u_node]
    response = np.clip((s.price_felt / base_price) ** st.u_elasticity, *SHORT_RUN_BOUNDS)
    s.structural_use = after_switching(world, base * np.exp(s.use_noise) * s.intensity * s.demand_scale)
    return s.structural_use * response


def build_products(world: World) -> Use:
    """Users draw their stock; what is missing stops lines and is lost."""
    st, s, p = world.structure, world.state, world.params
    want = wanted(world)
    holder, good = st.derived.u_holder, st.derived.u_good
    stock = s.stock[holder, good]
    used = np.minimum(want, stock)
    left = np.divide(stock - used, stock, out=np.zeros_like(stock), where=stock > 0)
    s.stock[holder, good] = stock - used
    world.used_cost = s.cost[holder, good] * (1.0 - left)
    s.cost[holder, good] *= left
    short = np.divide(want - used, want, out=np.zeros_like(want), where=want > 0)
    short = np.where(short < NEVER_STOPS_BELOW, 0.0, short)
    s.stopped_weeks += short
    s.running_level += (used - s.running_level) / 26.0
    s.expected_use[st.u_slot] += (want - s.expected_use[st.u_slot]) / p["buyers.expected_use_weeks"]
    return Use(want, used, short, (want - used) * st.u_margin * (short > 0))


def thrift(world: World) -> None:
    """Intensity falls when the felt price stays above its trigger, at most smax a year, partly for good."""
    st, s, p = world.structure, world.state, world.params
    if not len(st.u_slot):
        return
    good, node = st.derived.u_good, st.derived.u_node
    s.price_felt += (s.ref_dest[good, node] - s.price_felt) / p["demand.price_lag_weeks"]
    over = s.price_felt / (p["thrift.trigger"] * s.long_mean[good, node]) - 1.0
    fall = np.minimum(p["thrift.smax"], p["thrift.h"] * np.maximum(over, 0.0)) / WEEKS_PER_YEAR
    saved = s.intensity * fall
    s.intensity -= saved
    s.intensity_floor -= saved * p["thrift.irreversible"]
    recover = (over <= 0.0) * (s.intensity_floor - s.intensity) / (2.0 * WEEKS_PER_YEAR)
    s.intensity += np.maximum(recover, 0.0)


def expect(world: World, wants: Floats) -> None:
    """Plants' expected use of inputs (B,), smoothed wants of all buyers by good (G,)."""
    st, s, p = world.structure, world.state, world.params
    rows = np.flatnonzero(st.b_role == 0)
    if len(rows):
        weight = np.where(st.r_pull[st.ri_recipe], s.plan[st.ri_recipe], desired_feed(world)[st.ri_recipe])
        need = np.bincount(st.ri_slot, weights=st.ri_coef * weight, minlength=len(st.b_holder))
        s.expected_use[rows] += (need[rows] - s.expected_use[rows]) / p["buyers.expected_use_weeks"]
    s.wants += (wants - s.wants) / p["plants.smoothing_weeks"]


def desired_feed(world: World) -> Floats:
    """Throughput separators and recyclers try to keep up (R,) kg a week: base and ramp; less at a loss, more at a gain.

    Loss and gain are against the usual margin, in turnovers; a small gain is no reason to look for more feed.
    """
    st, s = world.structure, world.state
    growth = np.divide(s.site_nameplate, st.nameplate_kg, out=np.ones_like(s.site_nameplate), where=st.nameplate_kg > 0)
    opening = st.opening_ramp
    ramp = np.divide(s.site_ramp, opening, out=np.ones_like(opening), where=opening > 0)
    own = st.r_base_kg * (growth * ramp)[st.r_site]
    n_base = np.bincount(st.r_site, weights=(st.r_base_kg > 0).astype(float), minlength=len(st.sites))
    fresh = n_base == 0
    n_recipes = np.bincount(st.r_site, minlength=len(st.sites))
    new = 0.9 * s.site_nameplate * s.site_ramp / np.maximum(n_recipes, 1)
    want = np.where(fresh[st.r_site], new[st.r_site], own) * (s.site_on[st.r_site] >= 1.0)
    turnover = np.bincount(st.ro_recipe, weights=st.ro_coef * s.sale_price[st.ro_slot], minlength=len(st.r_site))
    ratio = np.divide(s.margin - s.margin_base, turnover, out=np.zeros_like(turnover), where=turnover > 0)
    most = (
        np.where(st.site_young | ~np.isnan(s.ramp_from[:, 0]), s.site_ramp, 1.0) * MATURE_UTILISATION * s.site_nameplate
    )
    usual = np.bincount(st.r_site, weights=want, minlength=len(most))
    room = np.divide(most, usual, out=np.ones_like(most), where=usual > 0)
    more = np.minimum(1.0 + MORE_FEED * np.maximum(ratio - SMALL_GAIN, 0.0), np.maximum(room[st.r_site], 1.0))
    return want * np.clip(1.0 + 1.5 * np.minimum(ratio, 0.0), 0.3, 1.0) * more
