"""Quotas: on exports (several goods share one), on mining, on smelting and separation.

An export quota lets out what is left of the period, spread over the weeks that remain; goods compete for it
at one shadow price (`env.shared_quota`).  Mining and smelting quotas limit the output of sites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from env.axes import sums
from env.body import Body, Tonnes, Weeks
from env.calendar import WEEKS_PER_YEAR
from env.instruments.base import Handler, Rule, goods_mask, node_of, refuse_node
from env.spec import PlaceCode
from env.world import Bools

if TYPE_CHECKING:
    from env.world import Floats, World


class SetQuota(Body):
    """Quota in tonnes a year: on exports (several goods share one quota), mining or smelting at home.

    `destination` limits an export quota to one place; `sites` a mining or smelting quota to named sites.
    """

    kind: Literal["set_quota"] = "set_quota"
    scope: Literal["export", "mining", "smelting"] = "export"
    goods: list[str] = Field(default_factory=list)
    sites: list[str] = Field(default_factory=list)
    destination: PlaceCode | None = None
    tonnes_per_year: Tonnes
    phase_in_weeks: Annotated[int, Field(ge=0, le=260)] = 0
    weeks: Weeks = None


class Quota(Handler):
    """Tonnes a year by scope."""

    terms = SetQuota

    def refuse(self, world: World, actor: str, terms: SetQuota) -> str:
        """Goods, destination and sites must exist; sites must lie in the actor's jurisdiction."""
        st = world.structure
        for code in terms.sites:
            if code not in st.sites.index:
                return f"unknown site {code!r}"
            if st.site_node[st.sites.index[code]] != node_of(world, actor):
                return f"site {code} is not in the jurisdiction of {actor}"
        if terms.scope == "export" and terms.sites:
            return "an export quota names goods, not sites"
        return super().refuse(world, actor, terms) or refuse_node(world, terms.destination)

    def about(self, world: World, terms: SetQuota) -> list[str]:
        """The goods named, or what the sites named make, or all."""
        st = world.structure
        if terms.sites and not terms.goods:
            mine = np.isin(st.s_holder, [st.sites.index[code] for code in terms.sites])
            return [f"good:{st.goods.codes[g]}" for g in np.unique(st.s_good[mine])]
        return super().about(world, terms if terms.goods else terms.model_copy(update={"goods": ["all"]}))

    def words(self, actor: str, terms: SetQuota) -> str:
        """In plain words."""
        return f"{actor}: {terms.scope} quota {terms.tonnes_per_year:,.0f} t a year"

    def scope(self, rule: Rule) -> tuple[object, ...]:
        """One quota per actor, scope, destination and object."""
        t = rule.terms
        return (rule.kind, rule.actor, t.scope, t.destination, tuple(t.goods), tuple(t.sites))

    def start(self, world: World, rule: Rule) -> None:
        """A new period opens with its whole quota; phased limits remember where they start from."""
        rule.totals.setdefault("used_kg", 0.0)
        rule.totals["left_kg"] = rule.terms.tonnes_per_year * 1e3
        rule.totals["period_end"] = world.week + WEEKS_PER_YEAR
        sites = self.sites(world, rule)
        base = float(_base_rate(world)[sites].sum())
        rule.totals["from_share"] = self._now(world, sites) / base if base > 0 else 1.0

    def _now(self, world: World, sites: Bools) -> float:
        """kg a week the sites run at, no more than the limits in force allow."""
        st, s = world.structure, world.state
        plan = np.bincount(st.r_site, weights=s.plan, minlength=len(st.sites))
        ruled = sites & np.isfinite(s.site_limit)
        plan[ruled] = np.minimum(plan[ruled], s.site_limit[ruled] * _base_rate(world)[ruled])
        return float(plan[sites].sum())

    def sites(self, world: World, rule: Rule) -> Bools:
        """Sites a mining or smelting quota holds for (site,)."""
        st, t = world.structure, rule.terms
        if t.sites:
            return np.array([code in t.sites for code in st.sites.codes], dtype=bool)
        stages = {"mining": ("mine",), "smelting": ("separation_light", "separation_heavy")}.get(t.scope, ())
        here = st.site_node == node_of(world, rule.actor)
        legal = np.array([not st.sites.codes[i].startswith("MIN_CHN_UND") for i in range(len(st.sites))], dtype=bool)
        right = np.array([x in stages for x in st.site_stage], dtype=bool)
        return np.asarray(here & legal & right, dtype=np.bool_)

    def output(self, world: World, rule: Rule, out: Floats) -> None:
        """Share of the base rate the sites may run at."""
        if rule.terms.scope == "export":
            return
        sites = self.sites(world, rule)
        base = float(_base_rate(world)[sites].sum())
        if base <= 0.0:
            return
        share = rule.terms.tonnes_per_year * 1e3 / WEEKS_PER_YEAR / base
        if rule.terms.phase_in_weeks:
            done = min(1.0, (world.week - rule.start) / rule.terms.phase_in_weeks)
            share = rule.totals.get("from_share", 1.0) + done * (share - rule.totals.get("from_share", 1.0))
        out[sites] = np.minimum(out[sites], share)

    def weekly(self, world: World, rule: Rule) -> None:
        """A new year opens a new quota."""
        if world.week >= rule.totals["period_end"]:
            rule.totals["left_kg"] = rule.terms.tonnes_per_year * 1e3
            rule.totals["period_end"] += WEEKS_PER_YEAR

    def mask(self, world: World, rule: Rule) -> tuple[Bools, int, int | None]:
        """Goods, origin and destination an export quota counts."""
        st = world.structure
        goods = goods_mask(world, rule.terms.goods or ["all"])
        d = st.nodes.index[rule.terms.destination] if rule.terms.destination else None
        return goods, node_of(world, rule.actor), d

    def weekly_allowance(self, world: World, rule: Rule) -> float:
        """kg that may leave this week: what is left over the weeks left, with half a month's start."""
        weeks_left = max(1.0, rule.totals["period_end"] - world.week)
        return max(0.0, rule.totals["left_kg"]) / weeks_left


def _base_rate(world: World) -> Floats:
    """Base throughput of every site (site,) kg a week."""
    st = world.structure
    return sums(st.r_site, st.r_base_kg, len(st.sites))
