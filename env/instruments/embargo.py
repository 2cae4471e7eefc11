"""Embargo: no exports of named goods to a place, as far as it is tight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from env.axes import CLASSES
from env.instruments.base import Handler, Rule, goods_mask, node_of

if TYPE_CHECKING:
    from env.world import Floats, World


class ExportEmbargo(Handler):
    """Closes lanes to a destination; `leak` is the share of usual trade that still goes."""

    kind = "embargo"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One embargo per actor and destination."""
        return (rule.kind, rule.actor, rule.terms.destination)

    def cap(self, world: World, rule: Rule, out: Floats) -> None:
        """Lane caps fall to the leak."""
        if rule.terms.lift:
            return
        st, n = world.structure, len(CLASSES)
        origin = node_of(world, rule.actor)
        goods = goods_mask(world, rule.terms.goods)
        targets = [st.nodes.index[rule.terms.destination]] if rule.terms.destination else range(len(st.nodes))
        for d in targets:
            if d == origin:
                continue
            usual = world.state.usual_flow[goods, origin, d * n : d * n + n] * rule.terms.leak
            out[goods, origin, d * n : d * n + n] = np.minimum(out[goods, origin, d * n : d * n + n], usual)
