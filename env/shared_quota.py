"""Export quotas counted in tonnes over several goods: one shadow price for all of them.

A kilogram of cerium and a kilogram of neodymium use the same quota, so each good's masked lanes carry the same
USD/kg on top of their cost; the price is found so that what leaves is what the period still allows this week.
The rent goes to the exporters, who hold the quota.  Contracts draw on the quota first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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


MOST_ROUNDS = 40  # of quotas that share lanes


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


def clear_with_quotas(world: World, desk: Desk, term: Deals) -> tuple[Deals, Desk]:
    """Clear the spot market; goods under a shared quota are cleared together at its shadow price.

    Returns the deals and the desk with the quota prices in its lane costs, as explanations need it.  Where two quotas
    share lanes, each is cleared with the price of the others on its lanes, in turn until no price moves.
    """
    rules = export_quotas(world)
    if not rules:
        return market.clear_spot(world, desk), desk
    st, s = world.structure, world.state
    books = market.books_of(world, desk)
    masks = [_mask(world, rule) for rule in rules]
    # quotas meet on a good, even where their lanes are different ones: what one exporter keeps the other is asked for
    overlap = bool((np.sum([goods for goods, _ in masks], axis=0) > 1).any())
    results: dict[int, tuple[Any, ...]] = {}
    allowed = [np.inf] * len(rules)
    for _ in range(MOST_ROUNDS if overlap else 1):
        moved = 0.0
        for i, (rule, (goods, lanes)) in enumerate(zip(rules, masks, strict=True)):
            members = [g for g in books if goods[g]]
            if not members:
                continue
            allowance = HANDLERS["set_quota"].weekly_allowance(world, rule)  # type: ignore[attr-defined]
            counted = goods[term.good] & lanes[st.s_node[term.s_slot], st.b_dest[term.b_slot]]
            left = max(0.0, allowance - float(term.kg[counted].sum()))
            allowed[i] = left
            others = [(r, m) for k, (r, m) in enumerate(zip(rules, masks, strict=True)) if k != i]
            dear = [Book(*_with_prices(books[g], g, others), s.dual_guess[g]) for g in members]
            before = rule.totals.get("price", 0.0)
            price, cleared, _ = clear_shared_cap(dear, [lanes] * len(members), left, before)
            rule.totals["price"] = price
            moved = max(moved, abs(price - before))
            for g, result in zip(members, cleared, strict=True):
                results[g] = tuple(result)
        if moved < 1e-6:
            break
    priced = list(zip(rules, masks, strict=True))
    cap = desk.cap
    if overlap:
        cap = _held_to(rules, masks, allowed, results, desk.cap)
        if cap is not desk.cap:
            for g in results:
                held = _with_prices(books[g], g, priced)
                results[g] = tuple(clear_book(*held[:7], cap[g], s.dual_guess[g]))
    rents, cost = {}, desk.cost.copy()
    for g in results:
        rents[g] = _quota_price(g, priced)
        cost[g] += rents[g][:, :: len(CLASSES)]
    for g, book in books.items():
        if g not in results:
            results[g] = clear_book(*book, s.dual_guess[g])
    deals = market.deals_of(world, dict(sorted(results.items())), rents)
    return deals, replace(desk, cost=cost, cap=cap)


def _held_to(
    rules: list[Rule],
    masks: list[tuple[Bools, Bools]],
    allowed: list[float],
    results: dict[int, tuple[Any, ...]],
    cap: Floats,
) -> Floats:
    """Lane caps that keep every quota where prices alone do not: exporters that are equals to their buyers tie.

    The same array when all quotas are kept.
    """
    used = [sum(float(r[2][lanes].sum()) for g, r in results.items() if goods[g]) for goods, lanes in masks]
    if all(kg <= most * (1.0 + 1e-9) for kg, most in zip(used, allowed, strict=True)):
        return cap
    out = cap.copy()
    for kg, most, (goods, lanes) in zip(used, allowed, masks, strict=True):
        part = min(1.0, most / kg) if kg > 0.0 else 1.0
        for g, result in results.items():
            if goods[g]:
                out[g] = np.where(lanes, np.minimum(out[g], result[2] * part), out[g])
    return out


def _quota_price(g: int, rules: list[tuple[Rule, tuple[Bools, Bools]]]) -> Floats:
    """What the quotas add to the lanes of good `g` (N, D) USD/kg."""
    price = np.zeros(rules[0][1][1].shape)
    for rule, (goods, lanes) in rules:
        if goods[g]:
            price += np.where(lanes, rule.totals.get("price", 0.0), 0.0)
    return price


def _with_prices(book: market.Book, g: int, rules: list[tuple[Rule, tuple[Bools, Bools]]]) -> market.Book:
    """A book with the prices of these quotas on its lanes."""
    return (*book[:6], book[6] + _quota_price(g, rules), book[7]) if rules else book


def draw_quotas(world: World, shipped: list[Shipments]) -> None:
    """Take what left from the quotas of the period."""
    n = len(CLASSES)
    for rule in export_quotas(world):
        goods, lanes = _mask(world, rule)
        for rows in shipped:
            kg = rows.kg[goods[rows.good] & lanes[rows.origin, rows.dest * n]]
            rule.totals["left_kg"] -= float(kg.sum())
            rule.totals["used_kg"] = rule.totals.get("used_kg", 0.0) + float(kg.sum())
