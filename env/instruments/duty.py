"""Export duty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from env.body import Body, Rate, Weeks
from env.instruments.base import Handler, Rule, goods_mask, node_of

if TYPE_CHECKING:
    from env.world import Floats, World


class SetDuty(Body):
    """Export duty (share of the domestic price) on goods or a class; 0 lifts it."""

    kind: Literal["set_duty"] = "set_duty"
    goods: list[str] = Field(min_length=1)
    rate: Rate
    weeks: Weeks = None


class ExportDuty(Handler):
    """Share of the domestic price, paid by the buyer abroad to the exporter's treasury."""

    terms = SetDuty

    def words(self, actor: str, terms: SetDuty) -> str:
        """In plain words."""
        return f"{actor}: export duty {terms.rate:.0%} on {', '.join(terms.goods)}"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One duty per actor and list of goods."""
        return (rule.kind, rule.actor, tuple(rule.terms.goods))

    def export_tax(self, world: World, rule: Rule, out: Floats) -> None:
        """Add the rate for all destinations."""
        out[goods_mask(world, rule.terms.goods), node_of(world, rule.actor)] += rule.terms.rate
