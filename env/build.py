"""From a `WorldSpec` to a `World` in its first week: axes, recipes, slots, lanes, opening stocks and books."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from env import cover
from env.axes import CLASSES, OUTSIDE, Axis, dest_index, sums
from env.calendar import first_week_from
from env.compact import Flows
from env.contracts import ACTIVE, FIXED, ContractTable
from env.derived import derive
from env.licences import LicenceOffice
from env.params import DEFAULTS
from env.policy import refresh_policy
from env.projects import opening_projects
from env.quotes import KINDS, opening_prices
from env.record import Record
from env.spec import RecipeSpec, SiteSpec, UseSpec, WorldSpec
from env.world import Floats, Ints, State, Structure, World

STAGES = ("concentrate", "seg", "oxide", "metal", "swarf", "magnet")
RESPONSE = {
    "firm": "mines.supply_elasticity",
    "clay": "mines.clay_elasticity",
    "loose": "mines.undocumented_elasticity",
}
LEARNING_STAGES = ("separation_light", "separation_heavy", "metal", "magnet")
PULL_STAGES = ("metal", "magnet")
MAX_LAG = 10
MAX_SEA = 12
AGENCY_KINDS = ("state", "defence", "agency")
BOOK_ITEMS = (
    "revenue", "cost_of_goods", "variable_cost", "fixed_cost", "freight_and_duty", "interest", "support", "other",
    "depreciation", "capex", "dividends", "equity_raised", "debt_drawn", "debt_repaid",
)  # fmt: skip


class _Holders:
    """Everyone who can hold stock, in a fixed order: sites, uses, traders, agencies."""

    def __init__(self, spec: WorldSpec, parties: Axis, nodes: Axis) -> None:
        self.codes: list[str] = []
        self.party: list[int] = []
        self.node: list[int] = []
        self.user_class: list[int] = []
        self.kind: list[str] = []
        self.sites: list[SiteSpec] = sorted(spec.sites, key=lambda s: s.code)
        self.uses: list[UseSpec] = sorted(spec.uses, key=lambda u: u.code)
        for site in self.sites:
            self._add(site.code, parties.index[site.party], nodes.index[site.node], 0, "site")
        for use in self.uses:
            self._add(use.code, parties.index[use.party], nodes.index[use.node], CLASSES.index(use.user_class), "use")
        self.trader_goods: dict[str, list[str]] = defaultdict(list)
        for row in sorted(spec.traders, key=lambda t: (t.party, t.node, t.good)):
            code = f"{row.party}@{row.node}"
            if code not in self.trader_goods:
                self._add(code, parties.index[row.party], nodes.index[row.node], 0, "trader")
            self.trader_goods[code].append(row.good)
        place_node = {p.code: p.node for p in spec.places} | {n.code: n.code for n in spec.nodes}
        self.agencies: list[str] = []
        with_stock = {s.holder for s in spec.stocks}
        for party in sorted(spec.parties, key=lambda p: p.code):
            node = place_node.get(party.place)
            principal = party.kind in ("defence", "agency") or (party.kind == "state" and party.place in nodes)
            if node is not None and node in nodes and (party.code in with_stock or principal):
                self.agencies.append(party.code)
                user_class = 2 if party.kind == "defence" else 0
                self._add(f"{party.code}@{node}", parties.index[party.code], nodes.index[node], user_class, "agency")

    def _add(self, code: str, party: int, node: int, user_class: int, kind: str) -> None:
        self.codes.append(code)
        self.party.append(party)
        self.node.append(node)
        self.user_class.append(user_class)
        self.kind.append(kind)


def build_world(spec: WorldSpec, seed: int = 0) -> World:
    """The world one week before its first tick (burn-in included, so the week may be negative)."""
    structure = build_structure(spec)
    state = _opening_state(structure)
    start = spec.start
    world = World(structure, state, seed, start, Record(structure, start))
    state.week = -spec.burn_in_weeks
    world.record.flows = _opening_flows(structure, state)
    world.pending = sorted(
        ((first_week_from(start, e.date), i, e) for i, e in enumerate(spec.events)), key=lambda row: row[:2]
    )
    refresh_policy(world)
    opening_prices(world)
    return world


def who_trades(spec: WorldSpec) -> tuple[set[tuple[str, str, str, str]], set[tuple[str, str, str, str]]]:
    """Who sells and who buys what where: (party, node, holder, good), with the holder named or empty."""
    goods = Axis(tuple(g.code for g in spec.goods))
    nodes = Axis(tuple(sorted(n.code for n in spec.nodes)))
    parties = Axis((OUTSIDE, *sorted(p.code for p in spec.parties)))
    h = _Holders(spec, parties, nodes)
    sells, buys = (
        {
            (parties.codes[h.party[i]], nodes.codes[h.node[i]], holder, goods.codes[g])
            for i, g, *_ in rows
            for holder in ("", h.codes[i])
        }
        for rows in _slots(spec, h, goods, nodes)
    )
    return sells, buys


def build_structure(spec: WorldSpec) -> Structure:
    """All that does not change."""
    goods = Axis(tuple(g.code for g in spec.goods))
    nodes = Axis(tuple(sorted(n.code for n in spec.nodes)))
    parties = Axis((OUTSIDE, *sorted(p.code for p in spec.parties)))
    party_spec = {p.code: p for p in spec.parties}
    place_node = {p.code: p.node for p in spec.places}
    h = _Holders(spec, parties, nodes)
    sites, uses = h.sites, h.uses
    n_goods = len(goods)
    recipes = [(i, r) for i, s in enumerate(sites) for r in s.recipes]
    base_price = np.array([g.base_price_usd_per_kg for g in spec.goods])
    ri_ptr, ri_good, ri_coef, ro_ptr, ro_good, ro_coef, ro_value = [0], [], [], [0], [], [], []
    for _, r in recipes:
        for good, q in sorted(r.inputs_kg_per_kg.items()):
            if q > 0:
                ri_good.append(goods.index[good])
                ri_coef.append(q)
        ri_ptr.append(len(ri_good))
        worth = sum(q * base_price[goods.index[g]] for g, q in r.outputs_kg_per_kg.items()) or 1.0
        for good, q in sorted(r.outputs_kg_per_kg.items()):
            if q > 0:
                ro_good.append(goods.index[good])
                ro_coef.append(q)
                ro_value.append(q * base_price[goods.index[good]] / worth)
        ro_ptr.append(len(ro_good))
    sells, buys = _slots(spec, h, goods, nodes)
    u_rows = [i for i, b in enumerate(buys) if b[3] == 1]
    use_of_holder = {h.codes.index(u.code): u for u in uses}
    end_uses = Axis(tuple(sorted({u.end_use for u in uses})))
    growth_field = "growth_low_pct_per_year" if spec.demand_variant == "low" else "growth_pct_per_year"
    content, payable = np.zeros((n_goods, n_goods)), np.zeros((n_goods, n_goods))
    element_oxide = {e: g.code for g in spec.goods if g.stage == "oxide" for e in g.elements}
    for i, g in enumerate(spec.goods):
        for good, q in g.payable_content.items():
            payable[i, goods.index[good]] = q * g.payable_share
        for element, q in g.elements.items():
            if element in element_oxide:
                content[i, goods.index[element_oxide[element]]] += q
    transit, freight, lane_open = _lanes(spec, sites, goods, nodes)
    sell_slot = {(r[0], r[1]): i for i, r in enumerate(sells)}
    buy_slot = {(r[0], r[1]): i for i, r in enumerate(buys)}
    r_site = [i for i, _ in recipes]
    ri_recipe = np.repeat(np.arange(len(recipes)), np.diff(ri_ptr))
    ro_recipe = np.repeat(np.arange(len(recipes)), np.diff(ro_ptr))
    ro_slot = np.array([sell_slot[r_site[r], g] for r, g in zip(ro_recipe, ro_good, strict=True)], dtype=np.int64)
    ri_slot = np.array([buy_slot[r_site[r], g] for r, g in zip(ri_recipe, ri_good, strict=True)], dtype=np.int64)
    main_slot = np.array(
        [ro_slot[ro_ptr[r] + int(np.argmax(ro_value[ro_ptr[r] : ro_ptr[r + 1]]))] for r in range(len(recipes))],
        dtype=np.int64,
    )
    s_rows = np.array([r[:3] for r in sells], dtype=np.int64).reshape(-1, 3)
    b_rows = np.array([r[:3] for r in buys], dtype=np.int64).reshape(-1, 3)
    st = Structure(
        spec=spec,
        params=DEFAULTS | spec.parameters,
        goods=goods,
        nodes=nodes,
        parties=parties,
        sites=Axis(tuple(s.code for s in sites)),
        holders=Axis(tuple(h.codes)),
        end_uses=end_uses,
        party_kind=["outside", *(party_spec[p].kind for p in parties.codes[1:])],
        party_node=np.array(
            [
                0,
                *(
                    nodes.index.get(place_node.get(party_spec[p].place, party_spec[p].place), 0)
                    for p in parties.codes[1:]
                ),
            ]
        ),
        party_rate=np.array([0.0, *(party_spec[p].interest_rate for p in parties.codes[1:])]),
        party_soft=np.array([False, *(party_spec[p].soft_budget for p in parties.codes[1:])]),
        good_stage=[g.stage for g in spec.goods],
        stage_index=np.array([STAGES.index(g.stage) for g in spec.goods]),
        base_price=base_price,
        conversion_cost=np.array([g.conversion_cost_usd_per_kg for g in spec.goods]),
        payable=payable,
        content=content,
        oxide=np.array([i for i, g in enumerate(spec.goods) if g.stage == "oxide"]),
        oxide_group=[g.group for g in spec.goods],
        finishing_cost=np.array([g.finishing_cost_usd_per_kg for g in spec.goods]),
        export_cost=np.array([g.export_cost_share for g in spec.goods]),
        steepness=np.array([g.ladder_steepness for g in spec.goods]),
        ask_sensitivity=np.array([g.ask_sensitivity for g in spec.goods]),
        reo_per_kg=np.array([g.reo_kg_per_kg for g in spec.goods]),
        holder_party=np.array(h.party, dtype=np.int64),
        holder_node=np.array(h.node, dtype=np.int64),
        holder_class=np.array(h.user_class, dtype=np.int64),
        holder_kind=h.kind,
        holder_site=np.array([i if k == "site" else -1 for i, k in enumerate(h.kind)], dtype=np.int64),
        site_stage=[s.stage for s in sites],
        site_party=np.array([parties.index[s.party] for s in sites], dtype=np.int64),
        site_node=np.array([nodes.index[s.node] for s in sites], dtype=np.int64),
        nameplate_kg=np.array([s.nameplate_t * 1e3 / 52 for s in sites]),
        variable_cost=np.array([s.variable_cost_usd_per_kg for s in sites]),
        fixed_cost_week=np.array([s.fixed_cost_usd_per_year / 52 for s in sites]),
        site_young=np.array([0.0 < s.ramp < 1.0 for s in sites], dtype=bool),
        supply_elasticity=np.array([(DEFAULTS | spec.parameters)[RESPONSE[s.response]] for s in sites]),
        r_site=np.array([i for i, _ in recipes], dtype=np.int64),
        r_batch=[r.batch for _, r in recipes],
        r_base_kg=np.array([r.base_t * 1e3 / 52 for _, r in recipes]),
        r_lag=np.array([sites[i].lag_weeks for i, _ in recipes], dtype=np.int64),
        ri_ptr=np.array(ri_ptr, dtype=np.int64),
        ri_good=np.array(ri_good, dtype=np.int64),
        ri_coef=np.array(ri_coef, dtype=float),
        ro_ptr=np.array(ro_ptr, dtype=np.int64),
        ro_good=np.array(ro_good, dtype=np.int64),
        ro_coef=np.array(ro_coef, dtype=float),
        ro_value_share=np.array(ro_value, dtype=float),
        ri_recipe=ri_recipe,
        ro_recipe=ro_recipe,
        ro_slot=ro_slot,
        ri_slot=ri_slot,
        r_main_slot=main_slot,
        r_pull=np.array([sites[i].stage in PULL_STAGES for i, _ in recipes], dtype=bool),
        s_holder=s_rows[:, 0].copy(),
        s_good=s_rows[:, 1].copy(),
        s_node=s_rows[:, 2].copy(),
        s_ptr=np.searchsorted(s_rows[:, 1], np.arange(n_goods + 1)),
        s_role=np.array([r[3] for r in sells], dtype=np.int64),
        b_holder=b_rows[:, 0].copy(),
        b_good=b_rows[:, 1].copy(),
        b_dest=b_rows[:, 2].copy(),
        b_node=b_rows[:, 2] // len(CLASSES),
        b_ptr=np.searchsorted(b_rows[:, 1], np.arange(n_goods + 1)),
        b_role=np.array([r[3] for r in buys], dtype=np.int64),
        sell_slot=sell_slot,
        buy_slot=buy_slot,
        u_slot=np.array(u_rows, dtype=np.int64),
        u_end_use=np.array([end_uses.index[use_of_holder[buys[i][0]].end_use] for i in u_rows], dtype=np.int64),
        u_growth=np.array(
            [
                0.0 if spec.constant_demand or spec.still else getattr(use_of_holder[buys[i][0]], growth_field) / 100
                for i in u_rows
            ]
        ),
        u_elasticity=np.array([use_of_holder[buys[i][0]].elasticity for i in u_rows]),
        u_margin=np.array([use_of_holder[buys[i][0]].margin_lost_usd_per_kg for i in u_rows]),
        u_base_kg=np.array([use_of_holder[buys[i][0]].goods_t[goods.codes[buys[i][1]]] * 1e3 / 52 for i in u_rows]),
        **_substitution_rows(u_rows, buys, use_of_holder, goods),
        transit_weeks=transit,
        freight=freight,
        lane_open=lane_open,
        opening_ramp=np.array([s.ramp for s in sites]),
        hub=_hubs(spec, recipes, sites, goods, nodes),
    )
    st.derived = derive(st)
    return st


def _substitution_rows(
    u_rows: list[int], buys: list[tuple[int, int, int, int]], use_of_holder: dict[int, UseSpec], goods: Axis
) -> dict[str, Any]:
    """Substitution rows of all uses, as arrays for the structure."""
    row_of = {(buys[b][0], buys[b][1]): u for u, b in enumerate(u_rows)}
    x_use, x_to, x_cost, x_max, x_lag = [], [], [], [], []
    for u, b in enumerate(u_rows):
        holder, good = buys[b][0], buys[b][1]
        for sub in use_of_holder[holder].substitutes:
            if goods.codes[good] in sub.goods:
                x_use.append(u)
                x_to.append(row_of.get((holder, goods.index[sub.to_good]), -1) if sub.to_good else -1)
                x_cost.append(sub.relative_cost)
                x_max.append(sub.max_share)
                x_lag.append(sub.lag_years * 52.0)
    return {
        "x_use": np.array(x_use, dtype=np.int64),
        "x_to": np.array(x_to, dtype=np.int64),
        "x_cost": np.array(x_cost, dtype=float),
        "x_max": np.array(x_max, dtype=float),
        "x_lag_weeks": np.array(x_lag, dtype=float),
    }


def _hubs(
    spec: WorldSpec, recipes: list[tuple[int, RecipeSpec]], sites: list[SiteSpec], goods: Axis, nodes: Axis
) -> Ints:
    """Leading node of each good: where most feed is used, or where most of any other good is made (else used)."""
    made, used = np.zeros((len(goods), len(nodes))), np.zeros((len(goods), len(nodes)))
    for i, r in recipes:
        node = nodes.index[sites[i].node]
        for good, q in r.outputs_kg_per_kg.items():
            made[goods.index[good], node] += q * r.base_t
        for good, q in r.inputs_kg_per_kg.items():
            used[goods.index[good], node] += q * r.base_t
    for use in spec.uses:
        for good, t in use.goods_t.items():
            used[goods.index[good], nodes.index[use.node]] += t
    feed = np.array([g.stage in ("concentrate", "seg", "swarf") for g in spec.goods])
    first = np.where(feed[:, None], used, made)
    second = np.where(feed[:, None], made, used)
    return np.asarray(np.argmax(np.where(first.max(axis=1, keepdims=True) > 0, first, second), axis=1), dtype=np.int64)


def _slots(
    spec: WorldSpec, h: _Holders, goods: Axis, nodes: Axis
) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
    """Who may sell and who may buy what: rows (holder, good, node or destination, role), sorted by good."""
    sells: list[tuple[int, int, int, int]] = []
    buys: list[tuple[int, int, int, int]] = []
    stored = [g.code for g in spec.goods if g.stage in ("oxide", "metal", "magnet")]
    index = {code: i for i, code in enumerate(h.codes)}
    for i, site in enumerate(h.sites):
        node = h.node[i]
        for good in sorted({g for r in site.recipes for g, q in r.outputs_kg_per_kg.items() if q > 0}):
            sells.append((i, goods.index[good], node, 0))
        for good in sorted({g for r in site.recipes for g, q in r.inputs_kg_per_kg.items() if q > 0}):
            buys.append((i, goods.index[good], dest_index(node, 0), 0))
    for use in h.uses:
        i = index[use.code]
        for good in sorted(use.goods_t):
            buys.append((i, goods.index[good], dest_index(h.node[i], h.user_class[i]), 1))
    for code, trader_goods in h.trader_goods.items():
        i = index[code]
        for good in trader_goods:
            sells.append((i, goods.index[good], h.node[i], 2))
            buys.append((i, goods.index[good], dest_index(h.node[i], 0), 2))
    for i, kind in enumerate(h.kind):
        if kind == "agency":
            for good in stored:
                sells.append((i, goods.index[good], h.node[i], 3))
                buys.append((i, goods.index[good], dest_index(h.node[i], h.user_class[i]), 3))
    key = lambda r: (r[1], r[0])  # noqa: E731
    return sorted(sells, key=key), sorted(buys, key=key)


def _lanes(spec: WorldSpec, sites: list[SiteSpec], goods: Axis, nodes: Axis) -> tuple[np.ndarray, Floats, np.ndarray]:
    """Transit weeks (N, N), freight USD/kg by stage (6, N, N), and which goods may use a lane (G, N, N)."""
    n = len(nodes)
    transit = np.zeros((n, n), dtype=np.int64)
    freight = np.zeros((len(STAGES), n, n))
    exists = np.eye(n, dtype=bool)
    for lane in spec.lanes:
        o, d = nodes.index[lane.origin], nodes.index[lane.destination]
        exists[o, d] = True
        transit[o, d] = max(1, int(np.ceil(lane.transit_weeks)))
        for s, stage in enumerate(STAGES):
            freight[s, o, d] = lane.freight_usd_per_t.get(stage, 0.0) / 1e3  # type: ignore[call-overload]
    lane_open = np.zeros((len(goods), n, n), dtype=bool)
    takers: dict[str, set[int]] = defaultdict(set)
    for site in sites:
        for recipe in site.recipes:
            for good in recipe.inputs_kg_per_kg:
                takers[good].add(nodes.index[site.node])
    for g, row in enumerate(spec.goods):
        lane_open[g] = exists
        if row.stage in ("concentrate", "seg", "swarf"):
            # feed moves only where a plant can take it
            closed = [d for d in range(n) if d not in takers[row.code]]
            lane_open[g][:, closed] = False
    return transit, freight, lane_open


def _opening_state(st: Structure) -> State:
    """Stocks at target cover, pipelines and work in progress filled, books opened, contracts in force."""
    spec = st.spec
    n_g, n_n, n_s, n_b = len(st.goods), len(st.nodes), len(st.s_holder), len(st.b_holder)
    n_h, n_p, n_r, n_site = len(st.holders), len(st.parties), len(st.r_site), len(st.sites)
    s = State()
    sites = sorted(spec.sites, key=lambda x: x.code)
    s.plan = st.r_base_kg.copy()
    s.run_rate = s.plan.copy()
    s.plan_override = np.full(n_site, np.nan)
    s.site_on = np.array([1.0 if x.status == "operating" else 0.0 for x in sites])
    s.site_restart_week = np.full(n_site, -1, dtype=np.int64)
    s.site_ramp = np.array([x.ramp if x.status != "planned" else 0.0 for x in sites])
    s.site_limit = np.ones(n_site)
    s.site_nameplate = st.nameplate_kg.copy()
    s.site_recovery = np.ones(n_site)
    s.site_cost = st.variable_cost.copy()
    s.ramp_from = np.full((n_site, 4), np.nan)
    s.outage_left = np.zeros(n_site)
    held = [[st.goods.index[g] for g in x.held_goods] for x in sites] + [[]] * (n_h - n_site)
    s.hold = np.array([float(g in held[h]) for h, g in zip(st.s_holder, st.s_good, strict=True)])
    s.order_scale = np.ones(n_b)
    s.manual_bid, s.manual_ask = np.zeros((n_b, 3)), np.zeros((n_s, 3))
    # steady flows
    s.flow, s.sales = np.zeros(n_s), np.zeros(n_s)
    s.expected_use = np.zeros(n_b)
    for r in range(n_r):
        holder = int(st.r_site[r])
        for k in range(st.ro_ptr[r], st.ro_ptr[r + 1]):
            s.flow[st.sell_slot[holder, int(st.ro_good[k])]] += st.ro_coef[k] * s.plan[r]
        for k in range(st.ri_ptr[r], st.ri_ptr[r + 1]):
            s.expected_use[st.buy_slot[holder, int(st.ri_good[k])]] += st.ri_coef[k] * s.plan[r]
    s.expected_use[st.u_slot] = st.u_base_kg
    s.soe_cap, s.support = np.full(n_s, np.nan), np.zeros(n_s)
    s.wants = sums(st.b_good, s.expected_use, n_g)
    total = np.bincount(st.s_good, weights=s.flow, minlength=n_g)
    # of a surplus co-product only what is used sells
    sold = np.clip(np.divide(s.wants, total, out=np.ones(n_g), where=total > 0), 0.0, 1.0)
    s.sales = s.flow * np.where(st.stage_index == 2, sold, 1.0)[st.s_good]
    s.share = np.divide(s.flow, total[st.s_good], out=np.zeros(n_s), where=total[st.s_good] > 0)
    # target covers
    s.cover_target = np.zeros(n_b)
    s.s_cover_target = np.zeros(n_s)
    for b in range(n_b):
        holder, good = int(st.b_holder[b]), st.goods.codes[st.b_good[b]]
        if st.b_role[b] == 0:
            site = sites[holder]
            s.cover_target[b] = cover.input_weeks(site.stage, site.node, good)
    use_cover = {u.code: u.cover_weeks for u in spec.uses}
    for b in st.u_slot:
        s.cover_target[b] = use_cover[st.holders.codes[st.b_holder[b]]]
    for k in range(n_s):
        holder, good = int(st.s_holder[k]), st.goods.codes[st.s_good[k]]
        if st.s_role[k] == 0:
            site = sites[holder]
            s.s_cover_target[k] = cover.output_weeks(site.stage, site.node, good)
    s.contracts = ContractTable.opening(st)
    # opening stocks
    s.stock = np.zeros((n_h, n_g))
    s.cost = np.zeros((n_h, n_g))
    np.add.at(s.stock, (st.b_holder, st.b_good), s.expected_use * s.cover_target)
    np.add.at(s.stock, (st.s_holder, st.s_good), s.flow * s.s_cover_target)
    s.wip = np.zeros((n_r, MAX_LAG))
    for r in range(n_r):
        for lag in range(st.r_lag[r]):
            s.wip[r, (lag - spec.burn_in_weeks) % MAX_LAG] += s.plan[r]
    ring = max(MAX_SEA, int(st.transit_weeks.max(initial=0)) + 2)
    s.sea = np.zeros((n_b, ring))
    s.transit_mean = np.zeros(n_b)
    for _, _, b, weeks, kg in _under_way(st, s):
        if s.expected_use[b] > 0.0:
            s.transit_mean[b] += weeks * kg / s.expected_use[b]
        for k in range(weeks):
            s.sea[b, (k - spec.burn_in_weeks) % ring] += kg
    party_holder = {code: st.holders.index[f"{code}@{row.node}"] for row in spec.stocks for code in [row.holder]
                    if f"{row.holder}@{row.node}" in st.holders.index}  # fmt: skip
    for row in spec.stocks:
        holder = st.holders.index.get(row.holder, party_holder.get(row.holder, -1))
        s.stock[holder, st.goods.index[row.good]] += row.tonnes * 1e3
    for trader in spec.traders:
        holder = st.holders.index[f"{trader.party}@{trader.node}"]
        s.stock[holder, st.goods.index[trader.good]] += trader.target_t * 1e3
        slot = st.buy_slot[holder, st.goods.index[trader.good]]
        s.expected_use[slot] = 0.0
        s.cover_target[slot] = trader.target_t * 1e3  # for traders the target is in kg
    s.on_order = s.sea.sum(axis=1)
    s.cost = s.stock * st.base_price[None, :] * 0.9
    s.wip_cost = s.wip * _throughput_value(st)[:, None]
    s.sea_cost = s.sea * st.base_price[st.b_good][:, None]
    s.margin = np.ones(n_r)
    # uses
    n_u = len(st.u_slot)
    s.intensity, s.intensity_floor = np.ones(n_u), np.ones(n_u)
    s.structural_use, s.running_level = st.u_base_kg.copy(), st.u_base_kg.copy()
    s.switched = np.zeros(len(st.x_use))
    s.week_stopped = np.full(n_u, -np.inf)
    s.use_noise, s.demand_scale, s.stopped_weeks = np.zeros(n_u), np.ones(n_u), np.zeros(n_u)
    # prices (levels come from opening_prices)
    s.risk, s.alarm = np.zeros((n_g, n_n)), np.zeros((n_g, n_n))
    s.index_price = np.full((len(KINDS), n_g, n_n), np.nan)
    s.index_volume = np.zeros((len(KINDS), n_g, n_n))
    s.unmet = np.zeros((n_g, n_n))
    s.usual_flow = np.zeros((n_g, n_n, st.n_dest))
    s.week_flow = np.zeros_like(s.usual_flow)
    s.week_need = s.expected_use.copy()
    s.week_earned, s.week_received, s.week_arrived = np.zeros(n_s), np.zeros(n_b), np.zeros(n_b)
    s.week_volume = np.zeros((len(KINDS), n_g, n_n))
    s.week_made, s.week_sold, s.week_used_own = np.zeros(n_s), np.zeros(n_s), np.zeros(n_s)
    s.rent = np.zeros((n_g, n_n, n_n))
    # policy
    s.tariff, s.export_tax = np.zeros((n_g, n_n, n_n)), np.zeros((n_g, n_n))
    s.knowhow = np.ones((n_n, len(LEARNING_STAGES)))
    for key, value in spec.knowhow.items():
        node, stage = key.split(".")
        if node in st.nodes and stage in LEARNING_STAGES:
            s.knowhow[st.nodes.index[node], LEARNING_STAGES.index(stage)] = value
    s.made_total = np.zeros_like(s.knowhow)
    for i in range(n_site):
        if st.site_stage[i] in LEARNING_STAGES:
            rate = sum(st.r_base_kg[r] for r in range(n_r) if st.r_site[r] == i) * 52
            s.made_total[st.site_node[i], LEARNING_STAGES.index(st.site_stage[i])] += 10 * rate
    s.licences = LicenceOffice.closed(st)
    s.projects = opening_projects(st)
    # books: plants at replacement value of the base year's output, opening equity as the balancing item
    s.cash, s.debt, s.plant = np.zeros(n_p), np.zeros(n_p), np.zeros(n_p)
    for row_p in spec.parties:
        i = st.parties.index[row_p.code]
        s.cash[i], s.debt[i] = row_p.cash_usd, row_p.debt_usd
    np.add.at(s.plant, st.site_party, st.fixed_cost_week * 52 * 5.0 * (s.site_on > 0))
    for project in s.projects:
        s.plant[project.owner] += project.spent_usd
    for trader in spec.traders:
        s.cash[st.parties.index[trader.party]] += trader.capital_usd
    s.quarter_book = np.zeros((n_p, len(BOOK_ITEMS)))
    s.retained, s.dry_weeks, s.restructuring = np.zeros(n_p), np.zeros(n_p), np.zeros(n_p)
    s.failures, s.closed = np.zeros(n_p), np.zeros(n_p)
    s.equity_in = s.cash - s.debt + s.plant + _inventory_by_party(st, s)
    s.sales_year = np.zeros(n_p)
    np.add.at(s.sales_year, st.holder_party[st.s_holder], s.flow * 52 * st.base_price[st.s_good])
    np.add.at(
        s.sales_year,
        st.holder_party[st.b_holder[st.u_slot]],
        st.u_base_kg * 52 * (1.3 * st.base_price[st.b_good[st.u_slot]] + st.u_margin),
    )
    s.next_ids = {"contract": 1, "licence": 1, "event": 1, "batch": 1}
    return s


def _under_way(st: Structure, s: State) -> list[tuple[int, int, int, int, float]]:
    """What is at sea when the world opens: contract (-1: none), sell slot, buy slot, weeks of sea, kg a week of them.

    A buyer's use comes under its contracts in force; without any, from the largest maker, if nobody makes it at home.
    """
    c, rows = s.contracts, []
    active = np.flatnonzero(c.status == ACTIVE)
    total = sums(c.buyer_slot[active], c.kg[active], len(st.b_holder))
    for i in active:
        k, b = int(c.seller_slot[i]), int(c.buyer_slot[i])
        if total[b] > 0.0:
            rows.append((int(i), k, b, float(s.expected_use[b] * c.kg[i] / total[b])))
    for free in np.flatnonzero((total <= 0.0) & (s.expected_use > 0.0) & (st.b_role <= 1)):
        b = int(free)
        g, node = int(st.b_good[b]), int(st.b_node[b])
        slots = np.arange(st.s_ptr[g], st.s_ptr[g + 1])
        makes = np.where(st.lane_open[g, st.s_node[slots], node], s.flow[slots], 0.0)
        if len(slots) and makes.max() > 0.0 and not (makes[st.s_node[slots] == node] > 0.0).any():
            rows.append((-1, int(slots[np.argmax(makes)]), b, float(s.expected_use[b])))
    sailing = st.derived.sea_weeks
    return [(i, k, b, int(sailing[st.s_node[k], st.b_node[b]]), kg) for i, k, b, kg in rows
            if sailing[st.s_node[k], st.b_node[b]] > 0 and kg > 0.0]  # fmt: skip


def _opening_flows(st: Structure, s: State) -> list[Flows]:
    """What is at sea when the world opens, as shipments of the weeks before, at the prices of the base."""
    rows = _under_way(st, s)
    out = []
    for age in range(1, max((row[3] for row in rows), default=0) + 1):
        contract, s_slot, b_slot, _, kg = (np.array(x) for x in zip(*(r for r in rows if r[3] >= age), strict=True))
        price = st.base_price[st.s_good[s_slot]].copy()
        signed = contract >= 0
        row, c = contract[signed], s.contracts
        price[signed] = np.where(c.rule[row] == FIXED, c.fixed_price[row], c.factor[row] * price[signed])
        out.append(Flows.opening(st, -st.spec.burn_in_weeks - age, s_slot, b_slot, kg, price, contract))
    return out[::-1]


def _throughput_value(st: Structure) -> Floats:
    """Base value of one kg of throughput of each recipe: its inputs at base prices plus variable cost (USD/kg)."""
    value = st.variable_cost[st.r_site].copy()
    for r in range(len(st.r_site)):
        for k in range(st.ri_ptr[r], st.ri_ptr[r + 1]):
            value[r] += st.ri_coef[k] * st.base_price[st.ri_good[k]]
    return value


def _inventory_by_party(st: Structure, s: State) -> Floats:
    """Inventory at cost by party: stock, work in progress, goods at sea (USD)."""
    n = len(st.parties)
    total = sums(st.holder_party, s.cost.sum(axis=1), n)
    total += sums(st.site_party[st.r_site], s.wip_cost.sum(axis=1), n)
    return total + sums(st.holder_party[st.b_holder], s.sea_cost.sum(axis=1), n)
