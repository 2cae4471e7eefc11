"""Import tariff, on top of the dated tariff table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from env.instruments.base import Handler, Rule, goods_mask, node_of

if TYPE_CHECKING:
    from env.world import Floats, World


class Tariff(Handler):
    """Share of customs value, paid by the buyer to the importer's treasury."""

    kind = "set_tariff"

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
