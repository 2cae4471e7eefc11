"""SOE price leverage: state enterprises at home do not ask more than a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from env.body import Body, Price
from env.instruments.base import Handler, Rule, node_of, refuse_good

if TYPE_CHECKING:
    from env.world import World


class SetPriceTarget(Body):
    """A state keeps its enterprises from asking more than a price at home; 0 lifts it."""

    kind: Literal["set_price_target"] = "set_price_target"
    good: str
    price_usd_per_kg: Price
    weeks: Annotated[int, Field(ge=1, le=520)] = 52


class PriceTarget(Handler):
    """Caps the asks of the actor's enterprises; the loss is theirs and shows in their books."""

    terms = SetPriceTarget

    def refuse(self, world: World, actor: str, terms: SetPriceTarget) -> str:
        """The good must exist."""
        return refuse_good(world, terms.good)

    def about(self, world: World, terms: SetPriceTarget) -> list[str]:
        """The good."""
        return [f"good:{terms.good}"]

    def words(self, actor: str, terms: SetPriceTarget) -> str:
        """In plain words."""
        return f"{actor}: state enterprises ask at most {terms.price_usd_per_kg:g} USD/kg for {terms.good}"

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
