"""State stockpiles buy and sell like anybody else, on the spot market, at a limit price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from env.contracts import find_slot
from env.instruments.base import Handler, Rule

if TYPE_CHECKING:
    from env.world import World


def slot_of(world: World, actor: str, good: str, *, sells: bool) -> int:
    """The agency slot of a party for a good; -1 when it keeps no such store."""
    st = world.structure
    node = st.nodes.codes[int(st.party_node[st.parties.index[actor]])]
    return find_slot(st, actor, good, node, f"{actor}@{node}", sells=sells) if f"{actor}@{node}" in st.holders else -1


class Stockpile(Handler):
    """Weekly bid of a stockpile."""

    kind = "stockpile_buy"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One buying programme per good."""
        return (rule.kind, rule.actor, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """Put the bid on the desk."""
        slot = slot_of(world, rule.actor, rule.terms.good, sells=False)
        world.state.manual_bid[slot] = (rule.terms.tonnes_per_week * 1e3, rule.terms.limit_usd_per_kg, 1.0)


class Release(Handler):
    """Weekly offer out of a stockpile."""

    kind = "stockpile_release"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One release per good."""
        return (rule.kind, rule.actor, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """Put the offer on the desk."""
        slot = slot_of(world, rule.actor, rule.terms.good, sells=True)
        world.state.manual_ask[slot] = (rule.terms.tonnes_per_week * 1e3, rule.terms.limit_usd_per_kg, 1.0)
