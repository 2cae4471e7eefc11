"""What a seat may know: own books, plants, contracts and mail; published prices, news and rules; its limits.

The twelve blocks are computed when they are asked for and hold plain values only (numbers, strings, lists,
dicts), never live objects.  `document()` gives the whole observation as JSON-ready data.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from env.axes import CLASSES
from env.calendar import is_month_start, is_quarter_start
from env.commands import KINDS
from env.contracts import ACTIVE, RULES, STATUS
from env.deals import open_offers
from env.market import recipe_margins
from env.operate import capability
from env.quotes import ASK, CONTRACT, DELIVERED, DOMESTIC, FOB
from env.roles import MAY, MOST_COMMANDS_A_WEEK

if TYPE_CHECKING:
    from env.world import World

BLOCKS = ("me", "sites", "stocks", "orders", "contracts", "mail", "quotes", "policy", "news", "calendar", "limits", "history")
NEWS_WEEKS = 13
Block = dict[str, Any]


class Observation:
    """The view of one party in one week."""

    def __init__(self, world: World, party: str) -> None:
        self._world = world
        self.party = party
        self._index = world.structure.parties.index[party]

    def document(self) -> dict[str, Any]:
        """All blocks as plain data."""
        return {"party": self.party} | {name: getattr(self, name) for name in BLOCKS}

    @cached_property
    def me(self) -> Block:
        """Who I am and how my books stand (USD)."""
        w, i = self._world, self._index
        st, s = w.structure, w.state
        node = int(st.party_node[i])
        return {
            "party": self.party, "kind": st.party_kind[i], "node": st.nodes.codes[node], "cash_usd": float(s.cash[i]),
            "debt_usd": float(s.debt[i]), "sales_usd_per_year": float(s.sales_year[i]), "plant_usd": float(s.plant[i]),
            "restructuring_weeks": float(s.restructuring[i]), "interest_rate": float(st.party_rate[i]),
        }  # fmt: skip

    @cached_property
    def sites(self) -> list[Block]:
        """My plants and projects: what they do, can do and earn."""
        w = self._world
        st, s = w.structure, w.state
        mine = np.flatnonzero(st.site_party == self._index)
        if not len(mine):
            return []
        able, margin = _once(w, "capability", capability), _once(w, "margins", recipe_margins)
        turnover = _once(w, "turnover", _turnover)
        projects = {p.site: p for p in s.projects if p.stage not in ("ramp", "cancelled")}
        out = []
        for i in mine:
            rows = slice(*_recipe_range(st, int(i)))
            plan, base = s.plan[rows], st.r_base_kg[rows]
            weight = plan if plan.sum() > 0 else base if base.sum() > 0 else np.ones(len(plan))
            weight = weight / max(weight.sum(), 1e-12) if len(weight) else weight
            row = {
                "site": st.sites.codes[i], "stage": st.site_stage[i], "node": st.nodes.codes[st.site_node[i]],
                "running": bool(s.site_on[i] >= 1.0), "restarting": bool(s.site_restart_week[i] >= 0), "ramp": float(s.site_ramp[i]),
                "nameplate_t": float(s.site_nameplate[i] * 52 / 1e3), "capability_t_per_week": float(able[i] / 1e3),
                "throughput_t_per_week": float(plan.sum() / 1e3), "margin_usd_per_kg": float((s.margin[rows] * weight).sum()),
                "margin_now_usd_per_kg": float((margin[rows] * weight).sum()),
                "usual_margin_usd_per_kg": float((s.margin_base[rows] * weight).sum()),
                "turnover_usd_per_kg": float((turnover[rows] * weight).sum()), "fixed_cost_usd_per_week": float(st.fixed_cost_week[i]),
                "planned_share": None if np.isnan(s.plan_override[i]) else float(s.plan_override[i]),
                "stock_weeks": _stock_weeks(w, int(i), rows), "project": None,
            }  # fmt: skip
            project = projects.get(int(i))
            if project is not None:
                row["project"] = {
                    "id": project.id, "stage": project.stage, "decision_due": project.stage == "finance" and not project.decided,
                    "budget_usd": project.budget_usd, "spent_usd": project.spent_usd,
                    "tonnes_per_year": (project.add_kg_week or float(st.nameplate_kg[i])) * 52 / 1e3,
                }  # fmt: skip
            out.append(row)
        return out

    @cached_property
    def stocks(self) -> list[Block]:
        """What I hold (tonnes) and what is on its way."""
        w = self._world
        st, s = w.structure, w.state
        rows = []
        for h in np.flatnonzero(st.holder_party == self._index):
            for g in np.flatnonzero(s.stock[h] > 0):
                rows.append({"holder": st.holders.codes[h], "good": st.goods.codes[g], "tonnes": float(s.stock[h, g] / 1e3)})
        return rows

    @cached_property
    def orders(self) -> list[Block]:
        """My standing orders for inputs and use: need, stock, target cover, what came last week."""
        w = self._world
        st, s = w.structure, w.state
        rows = []
        for b in _slots_of(w, self._index):
            if s.expected_use[b] <= 0.0:
                continue
            g, n = int(st.b_good[b]), int(st.b_node[b])
            use = float(s.expected_use[b])
            rows.append({
                "good": st.goods.codes[g], "node": st.nodes.codes[n], "class": CLASSES[int(st.b_dest[b]) % len(CLASSES)],
                "use_t_per_week": use / 1e3, "cover_weeks": float(s.stock[st.b_holder[b], g]) / use,
                "target_weeks": float(s.cover_target[b] * s.order_scale[b]), "base_target_weeks": float(s.cover_target[b]),
                "on_order_t": float(s.on_order[b] / 1e3), "received_t": float(s.week_received[b] / 1e3),
                "reference_usd_per_kg": float(s.ref_dest[g, n]), "risk": float(s.risk[g, n]),
            })  # fmt: skip
        return rows

    @cached_property
    def contracts(self) -> list[Block]:
        """My contracts, as seller or buyer."""
        w = self._world
        st, c = w.structure, w.state.contracts
        if not len(c):
            return []
        seller = st.holder_party[st.s_holder[c.seller_slot]]
        buyer = st.holder_party[st.b_holder[c.buyer_slot]]
        rows = []
        for i in np.flatnonzero(((seller == self._index) | (buyer == self._index)) & (c.status <= ACTIVE)):
            rows.append({
                "contract": c.code[i], "seller": st.parties.codes[seller[i]], "buyer": st.parties.codes[buyer[i]],
                "good": st.goods.codes[st.s_good[c.seller_slot[i]]], "tonnes_per_year": float(c.kg[i] * 52 / 1e3),
                "price_rule": RULES[c.rule[i]], "status": STATUS[c.status[i]], "end_week": int(c.end[i]),
                "delivered_t": float(c.delivered[i] / 1e3), "short_t": float(c.short[i] / 1e3),
            })  # fmt: skip
        return rows

    @cached_property
    def mail(self) -> list[Block]:
        """Offers on my table and my own open ones."""
        return [
            {"offer": o.id, "from": o.sender, "to": o.to, "weeks_open": self._world.week - o.week,
             "terms": o.terms.model_dump(mode="json", exclude_none=True)}
            for o in open_offers(self._world, self.party)
        ]  # fmt: skip

    @cached_property
    def quotes(self) -> dict[str, Block]:
        """Published prices by good (USD/kg ex VAT): domestic and FOB at the hub, delivered, contract and ask at my place."""
        return _once(self._world, f"quotes:{self._node}", lambda w: _quotes(w, self._node))

    @cached_property
    def policy(self) -> list[Block]:
        """Rules in force, as everybody can read them."""
        return _once(self._world, "policy", _policy)

    @cached_property
    def news(self) -> list[Block]:
        """What happened in the last quarter."""
        return _once(self._world, "news", _news)

    @cached_property
    def calendar(self) -> Block:
        """Today."""
        w = self._world
        return {
            "date": w.date.isoformat(), "week": w.week, "month_start": is_month_start(w.date), "quarter_start": is_quarter_start(w.date),
            "end": w.structure.spec.end.isoformat(),
        }  # fmt: skip

    @cached_property
    def limits(self) -> Block:
        """What I may ask for."""
        kinds = MAY.get(self._world.structure.party_kind[self._index], ())
        return {"commands": list(kinds), "most_commands_a_week": MOST_COMMANDS_A_WEEK, "deadline": self._world.date.isoformat()}

    @cached_property
    def history(self) -> dict[str, Block]:
        """Published domestic prices of the last weeks, year means, supply and use as published yearly balances."""
        return _once(self._world, "history", _history)

    @property
    def _node(self) -> int:
        return int(self._world.structure.party_node[self._index])

    def bounds(self) -> dict[str, Any]:
        """JSON schemas of the commands I may send."""
        return {kind: KINDS[kind].model_json_schema() for kind in self.limits["commands"]}


def observe(world: World, party: str) -> Observation:
    """The observation of a party this week; raises KeyError for an unknown party."""
    return Observation(world, party)


def _once(world: World, key: str, make: Any) -> Any:
    """A published value is the same for all seats of a week: work it out once."""
    if world.memo.get("week") != world.week:
        world.memo = {"week": world.week}
    if key not in world.memo:
        world.memo[key] = make(world)
    return world.memo[key]


def _stock_weeks(world: World, site: int, rows: slice) -> float:
    """Own finished stock of a site's main outputs, in weeks of its usual make."""
    st, s = world.structure, world.state
    slots = st.r_main_slot[rows]
    if not len(slots):
        return 0.0
    made = float(s.flow[slots].sum())
    return float(s.stock[st.s_holder[slots], st.s_good[slots]].sum()) / made if made > 0 else 0.0


def _turnover(world: World) -> Any:
    st, s = world.structure, world.state
    return np.bincount(st.ro_recipe, weights=st.ro_coef * s.sale_price[st.ro_slot], minlength=len(st.r_site))


def _recipe_range(st: Any, site: int) -> tuple[int, int]:
    return int(np.searchsorted(st.r_site, site)), int(np.searchsorted(st.r_site, site + 1))


def _slots_of(world: World, party: int) -> list[int]:
    table = _once(world, "slots", lambda w: _slot_table(w))
    return table.get(party, [])  # type: ignore[no-any-return]


def _slot_table(world: World) -> dict[int, list[int]]:
    st = world.structure
    table: dict[int, list[int]] = {}
    for b in np.flatnonzero(st.b_role <= 1):
        table.setdefault(int(st.holder_party[st.b_holder[b]]), []).append(int(b))
    return table


def _quotes(world: World, node: int) -> dict[str, Block]:
    st, s = world.structure, world.state
    out = {}
    for g, code in enumerate(st.goods.codes):
        hub = int(st.hub[g])
        row = {
            "domestic": s.index_price[DOMESTIC, g, hub], "fob": s.index_price[FOB, g, hub], "delivered": s.index_price[DELIVERED, g, node],
            "contract": s.index_price[CONTRACT, g, node], "ask": s.index_price[ASK, g, node],
        }  # fmt: skip
        out[code] = {k: (None if np.isnan(v) else float(v)) for k, v in row.items()}
    return out


def _policy(world: World) -> list[Block]:
    return [
        {"rule": r.id, "kind": r.kind, "actor": r.actor, "start_week": r.start, "end_week": r.end,
         "terms": r.terms.model_dump(mode="json", exclude_none=True)}
        for r in world.state.instruments if r.active(world.week)
    ]  # fmt: skip


def _news(world: World) -> list[Block]:
    return [
        {"week": w, "event": e, "kind": k, "actors": list(a), "text": t, "target": target}
        for w, e, k, a, t, target in world.state.news if world.week - w <= NEWS_WEEKS
    ]  # fmt: skip


def _history(world: World) -> dict[str, Block]:
    st, s = world.structure, world.state
    out = {}
    for g, code in enumerate(st.goods.codes):
        row = {"domestic_last_9_weeks": [float(x) for x in s.hub_history[:, g]], "domestic_year_mean": float(s.year_mean[g])}
        if st.stage_index[g] == 2:
            ratio = s.use_trend[g] / s.supply_trend[g] / s.balance_base[g] if s.supply_trend[g] > 0 and s.balance_base[g] > 0 else 1.0
            row["use_over_supply"] = float(ratio)
        out[code] = row
    return out
