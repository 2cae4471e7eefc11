"""Disturbances for response tests and experiments: start a world off its equilibrium and see it come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from env.world import World


def scale_prices(world: World, factor: float) -> None:
    """Multiply everything anybody remembers about prices, quotes and contract indices included."""
    s = world.state
    for name in (
        "mean_origin", "mean_dest", "ref_origin", "ref_dest", "index_price", "ask_quote", "hub_history", "year_mean",
        "long_mean", "dual_guess", "sale_price", "price_felt", "fundamental",
    ):  # fmt: skip
        getattr(s, name)[...] *= factor
    s.contracts.index_mean *= factor


def scale_demand(world: World, factor: float, good: str | None = None) -> None:
    """Multiply final use from now on (of one good, or all)."""
    st, s = world.structure, world.state
    rows = np.ones(len(st.u_slot), dtype=bool) if good is None else st.b_good[st.u_slot] == st.goods.index[good]
    s.demand_scale[rows] *= factor


def cut_mines(world: World, share: float) -> None:
    """Take a share of every mine's capacity away for good (nameplate and base rate)."""
    st, s = world.structure, world.state
    mines = np.array([x == "mine" for x in st.site_stage], dtype=bool)
    s.site_nameplate[mines] *= 1.0 - share
    rows = mines[st.r_site]
    s.plan[rows] *= 1.0 - share
