"""The shape every policy instrument has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from env.world import Bools, Floats

if TYPE_CHECKING:
    from env.books import Ledger
    from env.world import World

GOOD_CLASSES = {"concentrate": (0,), "seg": (1,), "oxide": (2,), "metal": (3,), "swarf": (4,), "magnet": (5,)}


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

    kind: str = ""
    supersedes = True  # a new rule on the same object replaces the old one

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
    import numpy as np

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


def knows_goods(world: World, names: list[str]) -> list[str]:
    """Names that are neither a good nor a class of goods."""
    st = world.structure
    classes = (
        set(st.good_stage)
        | {f"{s} {g}" for s, g in zip(st.good_stage, st.oxide_group, strict=True)}
        | {"all", "all goods"}
    )
    return [n for n in names if n not in st.goods.index and n not in classes]


def node_of(world: World, actor: str) -> int:
    """Market node of a party."""
    return int(world.structure.party_node[world.structure.parties.index[actor]])
