"""SOE price leverage: state enterprises at home do not ask more than a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from env.instruments.base import Handler, Rule, node_of

if TYPE_CHECKING:
    from env.world import World


class PriceTarget(Handler):
    """Caps the asks of the actor's enterprises; the loss is theirs and shows in their books."""

    kind = "set_price_target"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One target per good."""
        return (rule.kind, rule.actor, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """Set the cap for this week."""
        st, s = world.structure, world.state
        if rule.terms.price_usd_per_kg <= 0.0:
            return
        rows = (st.s_good == st.goods.index[rule.terms.good]) & (st.s_node == node_of(world, rule.actor))
        rows &= st.derived.is_soe[st.derived.s_party]
        s.soe_cap[rows] = np.fmin(s.soe_cap[rows], rule.terms.price_usd_per_kg)
