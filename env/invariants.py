"""What must hold every week, always on: mass per holder and good, cash, books, no negative stock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from env.books import OUTSIDE, inventory

if TYPE_CHECKING:
    from env.operate import Production
    from env.world import Floats, World

TOLERANCE = 1e-9
DUST_KG = 1e-6


class BrokenInvariant(RuntimeError):
    """Something was created or lost; names week, law, holder and size."""


def check(world: World, stock_before: Floats, made: Production, used: Floats) -> None:
    """Check this week; the largest relative gaps seen are kept in the record."""
    s, st, gaps = world.state, world.structure, world.record.largest_gap
    if s.stock.size and float(s.stock.min()) < 0.0:
        h, g = np.unravel_index(int(s.stock.argmin()), s.stock.shape)
        raise BrokenInvariant(f"week {world.week}: negative stock of {st.goods.codes[g]} at {st.holders.codes[h]}")
    gap = mass_gap(world, stock_before, made, used)
    worst = float(gap.max(initial=0.0))
    gaps["mass"] = max(gaps["mass"], worst)
    if worst > TOLERANCE:
        h, g = np.unravel_index(int(gap.argmax()), gap.shape)
        raise BrokenInvariant(
            f"week {world.week}: mass of {st.goods.codes[g]} at {st.holders.codes[h]} off by {worst:.2e}"
        )
    total = float(s.cash.sum())
    start = gaps.setdefault("cash_total", total)
    money = abs(total - start) / max(1.0, float(np.abs(s.cash).sum()))
    gaps["money"] = max(gaps["money"], money)
    if money > TOLERANCE:
        raise BrokenInvariant(f"week {world.week}: payments do not sum to zero (gap {total - start:g} USD)")
    books = books_gap(world)
    gaps["books"] = max(gaps["books"], float(books.max(initial=0.0)))
    if gaps["books"] > 1e-6:
        party = st.parties.codes[int(books.argmax())]
        raise BrokenInvariant(f"week {world.week}: balance sheet of {party} does not balance ({gaps['books']:.2e})")


def mass_gap(world: World, before: Floats, made: Production, used: Floats) -> Floats:
    """Relative gap of stock now against stock before plus this week's moves (H, G)."""
    st, s = world.structure, world.state
    moves, turnover = np.zeros_like(before), np.zeros_like(before)
    arrived = s.week_arrived - np.bincount(
        st.ri_slot, weights=st.ri_coef * made.started[st.ri_recipe], minlength=len(s.week_arrived)
    )
    arrived[st.u_slot] -= used
    # a (holder, good) has at most one sell and one buy slot
    moves[st.s_holder, st.s_good] = s.week_made - s.week_sold - s.week_used_own - made.tailings
    moves[st.b_holder, st.b_good] += arrived
    turnover[st.s_holder, st.s_good] = s.week_made + s.week_sold
    turnover[st.b_holder, st.b_good] += s.week_arrived
    gap = np.abs(s.stock - before - moves)
    wrong = gap > DUST_KG
    scale = np.maximum(np.abs(before[wrong]) + turnover[wrong], 1.0)
    out = np.zeros_like(gap)
    out[wrong] = gap[wrong] / scale
    return out


def books_gap(world: World) -> Floats:
    """Relative gap by party (P,) between assets and claims: cash + inventory + plant against debt and equity."""
    s = world.state
    assets = s.cash + inventory(world) + s.plant
    claims = s.debt + s.equity_in + s.retained
    scale = np.abs(s.cash) + np.abs(s.debt) + np.abs(s.equity_in) + np.abs(s.retained) + 1e3
    gap = np.abs(assets - claims) / scale
    gap[OUTSIDE] = 0.0  # the rest of the economy keeps no balance sheet here
    return gap
