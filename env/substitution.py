"""Technology choice: dear magnets lose use to other motors, other materials and leaner grades, with a lag.

The share that would like to switch follows a logit in relative system cost, measured from the base year so that
nothing moves at base prices; it is reached with the substitute's lag and mostly stays when prices fall back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from env.world import Floats

if TYPE_CHECKING:
    from env.world import World


def switch(world: World) -> None:
    """One week of substitution: shares move towards what felt prices call for."""
    st, s, p = world.structure, world.state, world.params
    if not len(st.x_use):
        return
    base = s.ref0_dest[st.b_good[st.u_slot], st.b_node[st.u_slot]]
    dearer = s.price_felt / base - 1.0
    part = p["substitution.magnet_share"]
    old = 1.0 + part * dearer[st.x_use]
    new = st.x_cost + part * np.where(st.x_to >= 0, dearer[st.x_to], 0.0)
    theta = p["substitution.theta"]
    wish = 1.0 / (1.0 + np.exp(np.clip(theta * (new - old), -50.0, 50.0)))
    today = 1.0 / (1.0 + np.exp(theta * (st.x_cost - 1.0)))
    target = st.x_max * np.clip((wish - today) / (1.0 - today), 0.0, 1.0)
    gap = target - s.switched
    # what has been redesigned comes back slowly, and only in part
    back = 1.0 - p["thrift.irreversible"]
    s.switched += np.where(gap > 0.0, gap, gap * back) / st.x_lag_weeks


def after_switching(world: World, use: Floats) -> Floats:
    """Use by row (U,) after substitution: what left is gone, what changed grade is wanted of the other grade."""
    st, s = world.structure, world.state
    if not len(st.x_use):
        return use
    gone = np.bincount(st.x_use, weights=s.switched, minlength=len(use))
    scale = np.divide(0.95, gone, out=np.ones_like(gone), where=gone > 0.95)
    moved = use[st.x_use] * s.switched * scale[st.x_use]
    out = use * (1.0 - np.minimum(gone, 0.95))
    stays = st.x_to >= 0
    return out + np.bincount(st.x_to[stays], weights=moved[stays], minlength=len(use))
