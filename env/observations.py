"""What a seat may know: own books, plants, contracts and mail; published prices, news and rules; its limits.

The twelve blocks are computed when they are asked for and hold plain values only (numbers, strings, lists,
dicts), never live objects.  `document()` gives the whole observation as JSON-ready data.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from env.axes import CLASSES, sums
from env.calendar import is_month_start, is_quarter_start
from env.commands import KINDS
from env.contracts import ACTIVE, RULES, STATUS
from env.deals import open_offers
from env.market import recipe_margins
from env.operate import capability
from env.quotes import ASK, CONTRACT, DELIVERED, DOMESTIC, FOB
from env.roles import MAY, MOST_COMMANDS_A_WEEK

if TYPE_CHECKING:
    from env.world import Floats, World

BLOCKS = (
    "me",
    "sites",
    "stocks",
    "orders",
    "contracts",
    "mail",
    "quotes",
    "policy",
    "news",
    "calendar",
    "limits",
    "history",
)
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
        w, st = self._world, self._world.structure
        mine = st.derived.sites_of.get(self._index, ())
        if not mine or w.state.closed[self._index] > 0:  # a firm that is wound up runs nothing
            return []
        shared = w.once("site columns", _site_columns)
        projects = w.once(
            "open projects",
            lambda world: {p.site: p for p in world.state.projects if p.stage not in ("ramp", "cancelled")},
        )
        out = []
        for i in mine:
            row: Block = {
                "site": st.sites.codes[i], "stage": st.site_stage[i], "node": st.nodes.codes[st.site_node[i]],
                **{name: column[i] for name, column in shared.items()}, "project": None,
            }  # fmt: skip
            project = projects.get(i)
            if project is not None:
                row["project"] = {
                    "id": project.id,
                    "stage": project.stage,
                    "decision_due": project.stage == "finance" and not project.decided,
                    "budget_usd": project.budget_usd,
                    "spent_usd": project.spent_usd,
                    "tonnes_per_year": (project.add_kg_week or float(st.nameplate_kg[i])) * 52 / 1e3,
                }
            out.append(row)
        return out

    @cached_property
    def stocks(self) -> list[Block]:
        """What I hold (tonnes) and what is on its way."""
        w = self._world
        st, s = w.structure, w.state
        rows = []
        for h in st.derived.holders_of.get(self._index, ()):
            for g in np.flatnonzero(s.stock[h] > 0):
                rows.append(
                    {"holder": st.holders.codes[h], "good": st.goods.codes[g], "tonnes": float(s.stock[h, g] / 1e3)}
                )
        return rows

    @cached_property
    def orders(self) -> list[Block]:
        """My standing orders for inputs and use: need, stock, target cover, what came last week."""
        w = self._world
        st, s = w.structure, w.state
        slots = st.derived.orders_of.get(self._index)
        if slots is None:
            return []
        slots = slots[s.expected_use[slots] > 0.0]
        g, n, use = st.b_good[slots], st.b_node[slots], s.expected_use[slots]
        columns = {
            "use_t_per_week": use / 1e3, "cover_weeks": s.stock[st.b_holder[slots], g] / use,
            "target_weeks": s.cover_target[slots] * s.order_scale[slots], "base_target_weeks": s.cover_target[slots],
            "on_order_t": s.on_order[slots] / 1e3, "received_t": s.week_received[slots] / 1e3,
            "reference_usd_per_kg": s.ref_dest[g, n], "risk": s.risk[g, n],
        }  # fmt: skip
        names = {
            "good": [st.goods.codes[i] for i in g.tolist()], "node": [st.nodes.codes[i] for i in n.tolist()],
            "class": [CLASSES[i] for i in (st.b_dest[slots] % len(CLASSES)).tolist()],
        }  # fmt: skip
        lists = names | {name: column.tolist() for name, column in columns.items()}
        return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]

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
        """Published prices by good (USD/kg ex VAT): domestic, FOB at the hub; delivered, contract, ask at my place."""
        found: dict[str, Block] = _fresh(self._world, f"quotes:{self._node}", lambda w: _quotes(w, self._node))
        return found

    @cached_property
    def policy(self) -> list[Block]:
        """Rules in force, as everybody can read them."""
        found: list[Block] = _fresh(self._world, "policy", _policy)
        return found

    @cached_property
    def news(self) -> list[Block]:
        """What happened in the last quarter."""
        found: list[Block] = _fresh(self._world, "news", _news)
        return found

    @cached_property
    def calendar(self) -> Block:
        """Today."""
        w = self._world
        return {
            "date": w.date.isoformat(),
            "week": w.week,
            "month_start": is_month_start(w.date),
            "quarter_start": is_quarter_start(w.date),
            "end": w.structure.spec.end.isoformat(),
        }

    @cached_property
    def limits(self) -> Block:
        """What I may ask for."""
        kinds = MAY.get(self._world.structure.party_kind[self._index], ())
        return {
            "commands": list(kinds),
            "most_commands_a_week": MOST_COMMANDS_A_WEEK,
            "deadline": self._world.date.isoformat(),
        }

    @cached_property
    def history(self) -> dict[str, Block]:
        """Published domestic prices of the last weeks, year means, supply and use as published yearly balances."""
        found: dict[str, Block] = _fresh(self._world, "history", _history)
        return found

    @property
    def _node(self) -> int:
        return int(self._world.structure.party_node[self._index])

    def bounds(self) -> dict[str, Any]:
        """JSON schemas of the commands I may send."""
        return {kind: KINDS[kind].model_json_schema() for kind in self.limits["commands"]}


def observe(world: World, party: str) -> Observation:
    """The observation of a party this week; raises KeyError for an unknown party."""
    return Observation(world, party)


def _fresh(world: World, key: str, make: Callable[[World], Any]) -> Any:  # noqa: ANN401 - what `make` returns
    """Published values are worked out once a week; each seat gets its own copy, to write into as it likes.

    They are plain lists, dicts, numbers and texts, which marshal copies several times faster than Python can.
    """
    return marshal.loads(world.once(key, lambda w: marshal.dumps(make(w))))  # noqa: S302 - bytes of our own


def _site_columns(world: World) -> dict[str, list[Any]]:
    """What `sites` says of every site, as plain lists; figures a kg are means over recipes by planned throughput."""
    st, s = world.structure, world.state
    weight = _recipe_weights(world)

    def per_kg(values: Floats) -> list[float]:
        means: list[float] = _by_site(world, values * weight).tolist()
        return means

    made = _by_site(world, s.flow[st.r_main_slot])
    held = _by_site(world, s.stock[st.s_holder[st.r_main_slot], st.s_good[st.r_main_slot]])
    return {
        "running": (s.site_on >= 1.0).tolist(),
        "restarting": (s.site_restart_week >= 0).tolist(),
        "ramp": s.site_ramp.tolist(),
        "nameplate_t": (s.site_nameplate * 52 / 1e3).tolist(),
        "capability_t_per_week": (capability(world) / 1e3).tolist(),
        "throughput_t_per_week": (_by_site(world, s.plan) / 1e3).tolist(),
        "margin_usd_per_kg": per_kg(s.margin),
        "margin_now_usd_per_kg": per_kg(recipe_margins(world)),
        "usual_margin_usd_per_kg": per_kg(s.margin_base),
        "turnover_usd_per_kg": per_kg(_turnover(world)),
        "fixed_cost_usd_per_week": st.fixed_cost_week.tolist(),
        "planned_share": [None if np.isnan(x) else x for x in s.plan_override.tolist()],
        "stock_weeks": np.divide(held, made, out=np.zeros_like(made), where=made > 0).tolist(),
    }


def _by_site(world: World, values: Floats) -> Floats:
    """Sum of recipe values (R,) by site."""
    st = world.structure
    return sums(st.r_site, values, len(st.sites))


def _recipe_weights(world: World) -> Floats:
    """Weight of each recipe within its site (R,): by plan, else by base rate, else equal."""
    st, s = world.structure, world.state
    planned, base = _by_site(world, s.plan)[st.r_site] > 0, _by_site(world, st.r_base_kg)[st.r_site] > 0
    weight = np.where(planned, s.plan, np.where(base, st.r_base_kg, 1.0))
    return weight / np.maximum(_by_site(world, weight)[st.r_site], 1e-12)


def _turnover(world: World) -> Floats:
    """Turnover of a kg of throughput (R,) USD."""
    st, s = world.structure, world.state
    return sums(st.ro_recipe, st.ro_coef * s.sale_price[st.ro_slot], len(st.r_site))


def _quotes(world: World, node: int) -> dict[str, Block]:
    st, s = world.structure, world.state
    out = {}
    g = np.arange(len(st.goods))
    price = s.index_price
    columns = {
        "domestic": price[DOMESTIC, g, st.hub], "fob": price[FOB, g, st.hub], "delivered": price[DELIVERED, :, node],
        "contract": price[CONTRACT, :, node], "ask": price[ASK, :, node],
    }  # fmt: skip
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    for code, row in zip(st.goods.codes, rows, strict=True):
        out[code] = {k: (None if v != v else v) for k, v in zip(columns, row, strict=True)}  # NaN = no price
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
        row = {
            "domestic_last_9_weeks": [float(x) for x in s.hub_history[:, g]],
            "domestic_year_mean": float(s.year_mean[g]),
        }
        if st.stage_index[g] == 2:
            ratio = (
                s.use_trend[g] / s.supply_trend[g] / s.balance_base[g]
                if s.supply_trend[g] > 0 and s.balance_base[g] > 0
                else 1.0
            )
            row["use_over_supply"] = float(ratio)
        out[code] = row
    return out
