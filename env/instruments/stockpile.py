"""State stockpiles buy and sell like anybody else, on the spot market, at a limit price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from env.body import Body, Price, SomePrice, Tonnes
from env.contracts import find_slot
from env.instruments.base import Handler, Rule, refuse_good

if TYPE_CHECKING:
    from env.world import World


def slot_of(world: World, actor: str, good: str, *, sells: bool) -> int:
    """The agency slot of a party for a good; -1 when it keeps no such store."""
    st = world.structure
    node = st.nodes.codes[int(st.party_node[st.parties.index[actor]])]
    return find_slot(st, actor, good, node, f"{actor}@{node}", sells=sells) if f"{actor}@{node}" in st.holders else -1


def _no_store(world: World, actor: str, good: str, *, sells: bool) -> str:
    return "" if slot_of(world, actor, good, sells=sells) >= 0 else f"{actor} keeps no store of {good}"


class StockpileBuy(Body):
    """Buy for a stockpile on the spot market: tonnes a week up to a limit price."""

    kind: Literal["stockpile_buy"] = "stockpile_buy"
    good: str
    tonnes_per_week: Tonnes
    limit_usd_per_kg: SomePrice
    weeks: Annotated[int, Field(ge=1, le=520)] = 13


class Stockpile(Handler):
    """Weekly bid of a stockpile."""

    terms = StockpileBuy
    sent_by = ("state", "defence", "agency")

    def refuse(self, world: World, actor: str, terms: StockpileBuy) -> str:
        """The good must exist and the actor keep a store of it."""
        return refuse_good(world, terms.good) or _no_store(world, actor, terms.good, sells=False)

    def about(self, world: World, terms: StockpileBuy) -> list[str]:
        """The good."""
        return [f"good:{terms.good}"]

    def words(self, actor: str, terms: StockpileBuy) -> str:
        """In plain words."""
        return f"{actor} buys {terms.tonnes_per_week:g} t of {terms.good} a week for its stockpile"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One buying programme per good."""
        return (rule.kind, rule.actor, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """Put the bid on the desk."""
        slot = slot_of(world, rule.actor, rule.terms.good, sells=False)
        world.state.manual_bid[slot] = (rule.terms.tonnes_per_week * 1e3, rule.terms.limit_usd_per_kg, 1.0)


class StockpileRelease(Body):
    """Sell from a stockpile on the spot market: tonnes a week down to a limit price."""

    kind: Literal["stockpile_release"] = "stockpile_release"
    good: str
    tonnes_per_week: Tonnes
    limit_usd_per_kg: Price = 0.0
    weeks: Annotated[int, Field(ge=1, le=520)] = 13


class Release(Handler):
    """Weekly offer out of a stockpile."""

    terms = StockpileRelease
    sent_by = ("state", "defence", "agency")

    def refuse(self, world: World, actor: str, terms: StockpileRelease) -> str:
        """The good must exist and the actor keep a store of it."""
        return refuse_good(world, terms.good) or _no_store(world, actor, terms.good, sells=True)

    def about(self, world: World, terms: StockpileRelease) -> list[str]:
        """The good."""
        return [f"good:{terms.good}"]

    def words(self, actor: str, terms: StockpileRelease) -> str:
        """In plain words."""
        return f"{actor} releases {terms.tonnes_per_week:g} t of {terms.good} a week for its stockpile"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One release per good."""
        return (rule.kind, rule.actor, rule.terms.good)

    def weekly(self, world: World, rule: Rule) -> None:
        """Put the offer on the desk."""
        slot = slot_of(world, rule.actor, rule.terms.good, sells=True)
        world.state.manual_ask[slot] = (rule.terms.tonnes_per_week * 1e3, rule.terms.limit_usd_per_kg, 1.0)
