"""Embargo: no exports of named goods to a place, as far as it is tight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from env.axes import CLASSES
from env.body import Body, Weeks
from env.instruments.base import Handler, Rule, goods_mask, node_of, refuse_node
from env.spec import PlaceCode, Share

if TYPE_CHECKING:
    from env.world import Bools, Floats, World


class Embargo(Body):
    """No exports of goods to a place (or all places when empty); `lift` ends it."""

    kind: Literal["embargo"] = "embargo"
    goods: list[str] = Field(min_length=1)
    destination: PlaceCode | None = None
    lift: bool = False
    leak: Share = 0.0
    weeks: Weeks = None


class ExportEmbargo(Handler):
    """Closes lanes to a destination; `leak` is the share of usual trade that still goes."""

    terms = Embargo

    def refuse(self, world: World, actor: str, terms: Embargo) -> str:
        """Goods and destination must exist."""
        return super().refuse(world, actor, terms) or refuse_node(world, terms.destination)

    def words(self, actor: str, terms: Embargo) -> str:
        """In plain words."""
        act = "lifts the embargo on" if terms.lift else "stops exports to"
        return f"{actor} {act} {terms.destination or 'all places'}"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One embargo per actor, destination and list of goods."""
        return (rule.kind, rule.actor, rule.terms.destination, tuple(sorted(rule.terms.goods)))

    def start(self, world: World, rule: Rule) -> None:
        """For the goods it names it takes the place of older embargoes on the same place; a lift leaves nothing."""
        s, goods = world.state, world.structure.goods
        named = goods_mask(world, rule.terms.goods)
        kept = []
        for old in s.instruments:
            if old is rule:
                if not rule.terms.lift:
                    kept.append(old)
                continue
            same = old.kind == rule.kind and old.actor == rule.actor and old.start <= world.week
            if same and old.terms.destination == rule.terms.destination:
                before = goods_mask(world, old.terms.goods)
                if (before & named).any():
                    left = [code for code, hit in zip(goods.codes, before & ~named, strict=True) if hit]
                    if not left:
                        continue
                    old = replace(old, terms=old.terms.model_copy(update={"goods": left}))
            kept.append(old)
        s.instruments = kept

    def cap(self, world: World, rule: Rule, out: Floats) -> None:
        """Lane caps fall to the leak."""
        lanes = self.lanes(world, rule)
        out[lanes] = np.minimum(out[lanes], world.state.usual_flow[lanes] * rule.terms.leak)

    def lanes(self, world: World, rule: Rule) -> Bools:
        """Lanes that are closed (G, N, D)."""
        st, n = world.structure, len(CLASSES)
        closed = np.zeros((len(st.goods), len(st.nodes), st.n_dest), dtype=bool)
        if rule.terms.lift:
            return closed
        origin = node_of(world, rule.actor)
        targets = [st.nodes.index[rule.terms.destination]] if rule.terms.destination else range(len(st.nodes))
        to = np.zeros(st.n_dest, dtype=bool)
        for d in targets:
            to[d * n : d * n + n] = d != origin
        closed[:, origin] = goods_mask(world, rule.terms.goods)[:, None] & to
        return closed
