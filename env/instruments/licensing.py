"""Export control by licence: what a list catches, and how willing the office is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from env.body import Body
from env.instruments.base import Handler, Rule, node_of, refuse_node
from env.licences import office_of
from env.spec import PlaceCode, Share

if TYPE_CHECKING:
    from env.world import World


class SetControlList(Body):
    """Exports of goods that contain these elements need a licence (an empty list ends control)."""

    kind: Literal["set_control_list"] = "set_control_list"
    elements: list[str]
    threshold: Share = 0.001
    customs_tests: Share = 0.0


class ControlListRule(Handler):
    """Goods that contain a listed element need a licence to leave."""

    terms = SetControlList

    def refuse(self, world: World, actor: str, terms: SetControlList) -> str:
        """Elements must be in some good."""
        known = {e for g in world.structure.spec.goods for e in g.elements}
        unknown = [e for e in terms.elements if e not in known]
        return f"unknown element {unknown[0]!r} (known: {', '.join(sorted(known))})" if unknown else ""

    def about(self, world: World, terms: SetControlList) -> list[str]:
        """Goods that contain a listed element."""
        return [f"good:{g.code}" for g in world.structure.spec.goods if any(e in terms.elements for e in g.elements)]

    def words(self, actor: str, terms: SetControlList) -> str:
        """In plain words."""
        return f"{actor}: export licences for {', '.join(terms.elements) or 'nothing'}"

    def start(self, world: World, rule: Rule) -> None:
        """Open the office, work out the goods caught, start customs tests of look-alikes."""
        office_of(world, node_of(world, rule.actor), create=True).set_list(
            world, rule.terms.elements, rule.terms.threshold, rule.terms.customs_tests
        )


class SetLicenceDial(Body):
    """How willing the licence office is: share of its capacity for a destination and class of use."""

    kind: Literal["set_licence_dial"] = "set_licence_dial"
    destination: PlaceCode | Literal["ALL"] = "ALL"
    end_use_class: Literal["civil", "dual", "defence"] | Literal["all"] = "all"
    share: Share
    accept_reports: bool = False


class LicenceDialRule(Handler):
    """Share of the office's capacity by destination and class."""

    terms = SetLicenceDial

    def refuse(self, world: World, actor: str, terms: SetLicenceDial) -> str:
        """The destination must exist."""
        return refuse_node(world, terms.destination)

    def words(self, actor: str, terms: SetLicenceDial) -> str:
        """In plain words."""
        return f"{actor}: licence office at {terms.share:.0%} for {terms.destination} ({terms.end_use_class})"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One dial per destination and class."""
        return (rule.kind, rule.actor, rule.terms.destination, rule.terms.end_use_class)

    def start(self, world: World, rule: Rule) -> None:
        """Turn the dial."""
        office = office_of(world, node_of(world, rule.actor), create=True)
        office.set_dial(world, rule.terms.destination, rule.terms.end_use_class, rule.terms.share)
        if rule.terms.accept_reports:
            office.accept_reports(world.week)
