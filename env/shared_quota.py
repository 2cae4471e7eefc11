"""Export quotas counted in tonnes over several goods: one shadow price for all of them.

A kilogram of cerium and a kilogram of neodymium use the same quota, so each good's masked lanes carry the same
USD/kg on top of their cost; the price is found so that what leaves is what the period still allows this week.
The rent goes to the exporters, who hold the quota.  Contracts draw on the quota first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from env import market
from env.axes import CLASSES
from env.clearing import Book, clear_book, clear_shared_cap
from env.contracts import ContractTable, nominate
from env.instruments import HANDLERS, Rule
from env.market import Deals, Desk
from env.world import Bools, Floats

if TYPE_CHECKING:
    from env.trade import Shipments
    from env.world import World


def export_quotas(world: World) -> list[Rule]:
    """Export quotas in force."""
    return [
        r
        for r in world.state.instruments
        if r.kind == "set_quota" and r.terms.scope == "export" and r.active(world.week)
    ]


def _mask(world: World, rule: Rule) -> tuple[Bools, Bools]:
    """Goods (G,) and lanes (N, D) that count against a quota."""
    st = world.structure
    goods, origin, destination = HANDLERS["set_quota"].mask(world, rule)  # type: ignore[attr-defined]
    lanes = np.zeros((len(st.nodes), st.n_dest), dtype=bool)
    lanes[origin] = True
    n = len(CLASSES)
    lanes[origin, origin * n : origin * n + n] = False
    if destination is not None:
        keep = np.zeros(st.n_dest, dtype=bool)
        keep[destination * n : destination * n + n] = True
        lanes &= keep
    return goods, lanes


def contract_quota_cap(world: World, need: Floats, cap: Floats) -> None:
    """Scale contract lanes so that contracts alone never exceed a quota's weekly allowance."""
    st = world.structure
    c: ContractTable = world.state.contracts
    for rule in export_quotas(world):
        goods, lanes = _mask(world, rule)
        allowance = HANDLERS["set_quota"].weekly_allowance(world, rule)  # type: ignore[attr-defined]
        if not len(c):
            continue
        wish = nominate(world, need)
        g, o, d = st.s_good[c.seller_slot], st.s_node[c.seller_slot], st.b_dest[c.buyer_slot]
        counted = goods[g] & lanes[o, d]
        total = float(wish[counted].sum())
        if total > allowance:
            ratio = allowance / total
            flow = np.zeros_like(cap)
            np.add.at(flow, (g[counted], o[counted], d[counted]), wish[counted] * ratio)
            mask = goods[:, None, None] & lanes[None]
            cap[mask] = np.minimum(cap, flow)[mask]


def clear_with_quotas(world: World, desk: Desk, term: Deals) -> Deals:
    """Clear the spot market; goods under a shared quota are cleared together at its shadow price."""
    rules = export_quotas(world)
    if not rules:
        return market.clear_spot(world, desk)
    st, s = world.structure, world.state
    books = market.books_of(world, desk)
    results, rents = {}, {}
    for rule in rules:
        goods, lanes = _mask(world, rule)
        members = [g for g in books if goods[g] and g not in results]
        if not members:
            continue
        allowance = HANDLERS["set_quota"].weekly_allowance(world, rule)  # type: ignore[attr-defined]
        o, d = st.s_node[term.s_slot], st.b_dest[term.b_slot]
        counted = goods[term.good] & lanes[o, d]
        left = max(0.0, allowance - float(term.kg[counted].sum()))
        price, cleared, _ = clear_shared_cap(
            [Book(*books[g], s.dual_guess[g]) for g in members],
            [lanes] * len(members),
            left,
            rule.totals.get("price", 0.0),
        )
        rule.totals["price"] = price
        for g, result in zip(members, cleared, strict=True):
            results[g] = tuple(result)
            rents[g] = np.where(lanes, price, 0.0)
    for g, book in books.items():
        if g not in results:
            results[g] = clear_book(*book, s.dual_guess[g])
    return market.deals_of(world, dict(sorted(results.items())), rents)


def draw_quotas(world: World, shipped: list[Shipments]) -> None:
    """Take what left from the quotas of the period."""
    n = len(CLASSES)
    for rule in export_quotas(world):
        goods, lanes = _mask(world, rule)
        for rows in shipped:
            kg = rows.kg[goods[rows.good] & lanes[rows.origin, rows.dest * n]]
            rule.totals["left_kg"] -= float(kg.sum())
            rule.totals["used_kg"] = rule.totals.get("used_kg", 0.0) + float(kg.sum())
