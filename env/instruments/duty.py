"""Export duty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from env.instruments.base import Handler, Rule, goods_mask, node_of

if TYPE_CHECKING:
    from env.world import Floats, World


class ExportDuty(Handler):
    """Share of the domestic price, paid by the buyer abroad to the exporter's treasury."""

    kind = "set_duty"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One duty per actor and list of goods."""
        return (rule.kind, rule.actor, tuple(rule.terms.goods))

    def export_tax(self, world: World, rule: Rule, out: Floats) -> None:
        """Add the rate for all destinations."""
        out[goods_mask(world, rule.terms.goods), node_of(world, rule.actor)] += rule.terms.rate
