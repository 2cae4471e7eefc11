"""Import tariff, on top of the dated tariff table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from env.body import Body, Rate, Weeks
from env.instruments.base import Handler, Rule, goods_mask, node_of, refuse_node
from env.spec import PlaceCode

if TYPE_CHECKING:
    from env.world import Floats, World


NOTICED, MOST_FEAR = 0.05, 0.3


class SetTariff(Body):
    """Import tariff (share of customs value) on goods or a class of goods from a place; 0 lifts it."""

    kind: Literal["set_tariff"] = "set_tariff"
    goods: list[str] = Field(min_length=1)
    origin: PlaceCode
    rate: Rate
    weeks: Weeks = None


class Tariff(Handler):
    """Share of customs value, paid by the buyer to the importer's treasury."""

    terms = SetTariff

    def refuse(self, world: World, actor: str, terms: SetTariff) -> str:
        """Goods and origin must exist."""
        return super().refuse(world, actor, terms) or refuse_node(world, terms.origin)

    def words(self, actor: str, terms: SetTariff) -> str:
        """In plain words."""
        return f"{actor}: tariff {terms.rate:.0%} on {', '.join(terms.goods)} from {terms.origin}"

    def announced(self, world: World, actor: str, terms: SetTariff) -> None:
        """Trade conflict makes buyers outside a place fear for their supply from it."""
        if terms.rate <= NOTICED:
            return
        mask = goods_mask(world, terms.goods)
        others = np.arange(len(world.structure.nodes)) != world.structure.nodes.index[terms.origin]
        risk = world.state.risk
        fear = np.maximum(risk[np.ix_(mask, others)], min(MOST_FEAR, terms.rate))
        risk[np.ix_(mask, others)] = fear

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One tariff per actor, origin and list of goods."""
        return (rule.kind, rule.actor, rule.terms.origin, tuple(rule.terms.goods))

    def tariff(self, world: World, rule: Rule, out: Floats) -> None:
        """Add the rate on the lane."""
        if rule.terms.origin not in world.structure.nodes:
            return
        out[
            goods_mask(world, rule.terms.goods),
            node_of(world, rule.actor),
            world.structure.nodes.index[rule.terms.origin],
        ] += rule.terms.rate
