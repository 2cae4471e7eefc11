"""What the rules in force do this week: tariffs by date, taxes, lane caps, limits on output."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from env.derived import SEG_CLASS, SPECIAL
from env.events import note
from env.instruments import HANDLERS, Rule
from env.licences import cap_lanes
from env.world import Bools, Floats

if TYPE_CHECKING:
    from env.spec import ExportTaxSpec, TariffSpec
    from env.world import Structure, World

MOST_TARIFF_FEAR = 0.2
FREE_TRADE = ("USMCA",)


def _in_force(row: TariffSpec | ExportTaxSpec, day: date) -> bool:
    return row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)


def dated_tariffs(st: Structure, day: date) -> Floats:
    """Tariff table on a day (G, N importer, N origin): bases add up; within a basis the closer row wins."""
    n = len(st.nodes)
    total = np.zeros((len(st.goods), n, n))
    bases: dict[tuple[str, str], list[tuple[int, TariffSpec]]] = {}
    for row in st.spec.tariffs:
        if row.importer in st.nodes and _in_force(row, day) and (row.origin == "ALL" or row.origin in st.nodes):
            basis = "MFN" if row.legal_basis.startswith("MFN") or row.legal_basis in FREE_TRADE else row.legal_basis
            specific = (row.origin != "ALL") * 4 + (row.good_class in SPECIAL or row.good_class == SEG_CLASS) * 2
            specific += row.good_class not in ("all", "all goods")
            bases.setdefault((row.importer, basis), []).append((specific, row))
    for (importer, _), rows in sorted(bases.items()):  # sums must not depend on the order of rows
        layer = np.full((len(st.goods), n), np.nan)
        for _, row in sorted(rows, key=lambda x: (x[0], x[1].good_class, x[1].origin, x[1].valid_from, x[1].rate)):
            goods = st.derived.class_goods[row.good_class]
            origins = list(range(n)) if row.origin == "ALL" else [st.nodes.index[row.origin]]
            for o in origins:
                layer[goods, o] = row.rate
        total[:, st.nodes.index[importer]] += np.nan_to_num(layer)
    home = np.arange(n)
    total[:, home, home] = 0.0
    return total


def dated_export_taxes(st: Structure, day: date) -> Floats:
    """Unrefunded VAT plus export duty on a day (G, N exporter)."""
    out = np.zeros((len(st.goods), len(st.nodes)))
    order = sorted(
        st.spec.export_taxes, key=lambda r: (r.exporter, r.good_class, r.valid_from, r.vat_rate, r.duty_rate)
    )
    for row in order:
        if row.exporter in st.nodes and _in_force(row, day):
            goods = st.derived.class_goods[row.good_class]
            out[goods, st.nodes.index[row.exporter]] += max(0.0, row.vat_rate - row.refund_rate) + row.duty_rate
    return out


def refresh_policy(world: World) -> None:
    """Recompute tariffs and export taxes for this week's date."""
    s = world.state
    edge = table_edge(world, world.date)
    if world.dated is None or world.dated[0] != edge:
        world.dated = (
            edge,
            dated_tariffs(world.structure, world.date),
            dated_export_taxes(world.structure, world.date),
        )
    s.tariff, s.export_tax = world.dated[1].copy(), world.dated[2].copy()
    for rule in active_rules(world):
        HANDLERS[rule.kind].tariff(world, rule, s.tariff)
        HANDLERS[rule.kind].export_tax(world, rule, s.export_tax)


def active_rules(world: World) -> list[Rule]:
    """Rules in force this week."""
    return [r for r in world.state.instruments if r.active(world.week)]


def announce_tables(world: World) -> None:
    """News of tariff rows that start this week; buyers on the lane fear for their supply."""
    st, s = world.structure, world.state
    first, last = world.date.toordinal() - 6, world.date.toordinal()
    for day, row in st.derived.news_rows:
        if not first <= day <= last:
            continue
        goods = st.derived.class_goods[row.good_class]
        party = row.importer.lower()
        topics = [f"good:{g}" for g, hit in zip(st.goods.codes, goods, strict=True) if hit and len(goods) > 0][:12]
        words = f"{row.importer}: tariff {row.rate:.0%} on {row.good_class} from {row.origin} ({row.legal_basis})"
        note(
            world,
            "tariff",
            [party] if party in st.parties else [],
            words,
            about=topics,
            data={"rate": row.rate},
            target=row.origin if _raises(st, row) else "",
        )
        if row.origin in st.nodes:
            fear = min(MOST_TARIFF_FEAR, 0.5 * row.rate)
            abroad = np.arange(len(st.nodes)) != st.nodes.index[row.origin]
            s.risk[np.ix_(goods, abroad)] = np.maximum(s.risk[np.ix_(goods, abroad)], 0.5 * fear)
            s.risk[goods, st.nodes.index[row.importer]] = np.maximum(s.risk[goods, st.nodes.index[row.importer]], fear)


def _raises(st: Structure, row: TariffSpec) -> bool:
    """True when a dated row is above the row of the same importer, origin, class and basis that ends as it starts."""
    lane = (row.importer, row.origin, row.good_class, row.legal_basis)
    before = [
        r.rate for r in st.spec.tariffs
        if (r.importer, r.origin, r.good_class, r.legal_basis) == lane
        and r.valid_from < row.valid_from and (r.valid_to is None or r.valid_to >= row.valid_from - timedelta(weeks=1))
    ]  # fmt: skip
    return row.rate > max(before, default=0.0)


def table_edge(world: World, day: date) -> int:
    """How many days on which a dated tariff or tax starts or ends lie behind: equal numbers mean equal tables."""
    return int(np.searchsorted(world.structure.derived.edges, day.toordinal(), side="right"))


def table_changes(world: World) -> bool:
    """True when a dated tariff or tax has started or ended since last week."""
    return table_edge(world, world.date) != table_edge(world, world.date - timedelta(weeks=1))


def start_rule(world: World, actor: str, terms: object, start: int, weeks: int | None) -> Rule:
    """Put an instrument in force; a rule on the same object is replaced."""
    s = world.state
    kind = terms.kind  # type: ignore[attr-defined]
    handler = HANDLERS[kind]
    number = s.next_ids["event"]
    s.next_ids["event"] = number + 1
    rule = Rule(f"R{number}", kind, actor, terms, start, None if weeks is None else start + weeks)
    scope = handler.scope(rule)
    s.instruments = [r for r in s.instruments if HANDLERS[r.kind].scope(r) != scope or not r.active(world.week)]
    s.instruments.append(rule)
    if start <= world.week:
        rule.totals["begun"] = 1.0
        handler.start(world, rule)
    s.policy_stale = 1.0
    return rule


def start_and_end_rules(world: World) -> None:
    """Begin rules that are due, end those that are over, refresh what they add up to."""
    s = world.state
    ended = [r for r in s.instruments if r.end is not None and r.end == world.week]
    begun = [r for r in s.instruments if r.start == world.week and "begun" not in r.totals]
    for rule in begun:
        rule.totals["begun"] = 1.0
        HANDLERS[rule.kind].start(world, rule)
    if ended:
        s.instruments = [r for r in s.instruments if r.end is None or r.end > world.week]
    if ended or begun or s.policy_stale or table_changes(world):
        refresh_policy(world)
        s.policy_stale = 0.0
    if world.week >= 0:
        announce_tables(world)


def take_effect(world: World) -> None:
    """What was ordered this week holds from this week."""
    if world.state.policy_stale:
        refresh_policy(world)
        world.state.policy_stale = 0.0


def weekly_rules(world: World) -> None:
    """What rules do each week before orders: output limits, stockpile bids, price targets."""
    s = world.state
    s.soe_cap[:] = np.nan
    s.support[:] = 0.0
    limit = np.full(len(world.structure.sites), np.inf)
    for rule in active_rules(world):
        HANDLERS[rule.kind].weekly(world, rule)
        HANDLERS[rule.kind].output(world, rule, limit)
    s.site_limit = limit


def embargoed(world: World) -> Bools | None:
    """Lanes an embargo closes (G, N, D); None without one."""
    closed = [HANDLERS["embargo"].lanes(world, r) for r in active_rules(world) if r.kind == "embargo"]  # type: ignore[attr-defined]
    return np.logical_or.reduce(closed) if closed else None


def lane_caps(world: World) -> Floats:
    """Most that may move this week (G, N, D) kg: infinite without a rule."""
    st = world.structure
    cap = np.full((len(st.goods), len(st.nodes), st.n_dest), np.inf)
    for rule in active_rules(world):
        HANDLERS[rule.kind].cap(world, rule, cap)
    cap_lanes(world, cap)
    return cap
