"""The shape every policy instrument has.

A file of this folder holds one instrument whole: its command (a model with the terms), who may send it, what is
checked, what it changes each week, and the words it is reported in.  One line in `__init__` puts it in the list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from env.body import Body
from env.world import Bools, Floats

if TYPE_CHECKING:
    from env.books import Ledger
    from env.world import World


@dataclass(slots=True)
class Rule:
    """An instrument in force: who set it, its terms (the command), when it runs, what it has done so far."""

    id: str
    kind: str
    actor: str
    terms: Any
    start: int
    end: int | None = None
    totals: dict[str, float] = field(default_factory=dict)

    def active(self, week: int) -> bool:
        """In force in this week."""
        return self.start <= week and (self.end is None or week < self.end)


class Handler:
    """Hooks of one kind of instrument; each does nothing unless a subclass says so."""

    #: the command that puts it in force; its `kind` is the instrument's
    terms: type[Body]
    #: kinds of party that may send the command
    sent_by: tuple[str, ...] = ("state",)
    #: True for what is offered to somebody first and in force only when accepted
    offered = False

    @property
    def kind(self) -> str:
        """Name of the instrument and of its command."""
        return str(self.terms.model_fields["kind"].default)

    def refuse(self, world: World, actor: str, terms: Any) -> str:
        """Reason why this actor cannot have these terms; empty when it can."""
        return refuse_goods(world, getattr(terms, "goods", []))

    def about(self, world: World, terms: Any) -> list[str]:
        """Topics of its news (`good:dy_oxide`): later events about the same goods name it as a cause."""
        mask = goods_mask(world, getattr(terms, "goods", []))
        return [f"good:{g}" for g, hit in zip(world.structure.goods.codes, mask, strict=True) if hit]

    def words(self, actor: str, terms: Any) -> str:
        """Its news in plain words."""
        return f"{actor}: {self.kind}"

    def target(self, terms: Any) -> str:
        """Place the act is aimed at, if any."""
        return str(getattr(terms, "origin", None) or getattr(terms, "destination", None) or "")

    def announced(self, world: World, actor: str, terms: Any) -> None:
        """What the news alone does, before anything is in force."""

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """What a rule is about: a later rule with the same scope replaces it."""
        return (rule.kind, rule.actor)

    def start(self, world: World, rule: Rule) -> None:
        """Called once when the rule begins."""

    def tariff(self, world: World, rule: Rule, out: Floats) -> None:
        """Add to import tariffs (G, N importer, N origin)."""

    def export_tax(self, world: World, rule: Rule, out: Floats) -> None:
        """Add to export taxes (G, N)."""

    def cap(self, world: World, rule: Rule, out: Floats) -> None:
        """Lower lane caps (G, N, D) kg this week."""

    def output(self, world: World, rule: Rule, out: Floats) -> None:
        """Lower limits on site output (site,), share of the base rate."""

    def weekly(self, world: World, rule: Rule) -> None:
        """Called every week while in force, before orders are made."""

    def settle(self, world: World, rule: Rule, ledger: Ledger) -> None:
        """Book what the rule costs, at settlement."""


def goods_mask(world: World, names: list[str]) -> Bools:
    """Goods named by code, by class (`oxide`, `magnet` ...), by class and group (`oxide light`) or `all` (G,)."""
    st = world.structure
    mask = np.zeros(len(st.goods), dtype=bool)
    for name in names:
        if name in ("all", "all goods"):
            mask[:] = True
        elif name in st.goods.index:
            mask[st.goods.index[name]] = True
        else:
            stage, _, group = name.partition(" ")
            for g, good_stage in enumerate(st.good_stage):
                if good_stage == stage and (not group or st.oxide_group[g] == group):
                    mask[g] = True
    return mask


def refuse_goods(world: World, names: list[str]) -> str:
    """Reason when a name is neither a good nor a class of goods."""
    st = world.structure
    classes = set(st.good_stage) | {f"{s} {g}" for s, g in zip(st.good_stage, st.oxide_group, strict=True)}
    for name in names:
        if name not in st.goods.index and name not in classes | {"all", "all goods"}:
            return f"unknown good or class {name!r}"
    return ""


def refuse_good(world: World, code: str) -> str:
    """Reason when a code is no good."""
    return "" if code in world.structure.goods.index else f"unknown good {code!r}"


def refuse_node(world: World, code: str | None) -> str:
    """Reason when a code is no market node (None and ALL pass)."""
    return "" if code in (None, "ALL") or code in world.structure.nodes.index else f"unknown market node {code!r}"


def node_of(world: World, actor: str) -> int:
    """Market node of a party."""
    return int(world.structure.party_node[world.structure.parties.index[actor]])
