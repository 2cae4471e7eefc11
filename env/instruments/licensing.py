"""Export control by licence: what a list catches, and how willing the office is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from env.instruments.base import Handler, Rule, node_of
from env.licences import office_of

if TYPE_CHECKING:
    from env.world import World


class ControlListRule(Handler):
    """Goods that contain a listed element need a licence to leave."""

    kind = "set_control_list"

    def start(self, world: World, rule: Rule) -> None:
        """Open the office, work out the goods caught, start customs tests of look-alikes."""
        office_of(world, node_of(world, rule.actor), create=True).set_list(
            world, rule.terms.elements, rule.terms.threshold, rule.terms.customs_tests
        )


class LicenceDialRule(Handler):
    """Share of the office's capacity by destination and class."""

    kind = "set_licence_dial"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One dial per destination and class."""
        return (rule.kind, rule.actor, rule.terms.destination, rule.terms.end_use_class)

    def start(self, world: World, rule: Rule) -> None:
        """Turn the dial."""
        office = office_of(world, node_of(world, rule.actor), create=True)
        office.set_dial(world, rule.terms.destination, rule.terms.end_use_class, rule.terms.share)
        if rule.terms.accept_reports:
            office.accept_reports(world.week)
