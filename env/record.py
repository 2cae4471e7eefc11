"""What happened, week by week: compact arrays while a run goes on, full tables when somebody asks.

Tables are dictionaries of columns (numpy arrays, tonnes and USD); pandas and Parquet live outside `env`.
Rows of burn-in weeks are kept only where they are still at sea at the start.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from env.axes import CLASSES
from env.books import REASONS, inventory
from env.calendar import quarter, week_date
from env.quotes import ASK, CONTRACT, DELIVERED, DOMESTIC, FOB, KINDS
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.books import Ledger
    from env.demand import Use
    from env.operate import Production
    from env.trade import Shipments
    from env.world import Structure, World

Columns = dict[str, Any]
MAX_TRANSIT = 12
TAX_BASIS = ("domestic", "export", "import", "import", "import")
SHARE_STAGES = ("mining", "separation", "metal", "magnet")
TABLES = (
    "prices", "shares", "dependence", "flows", "stocks", "process", "use", "payments", "books", "contracts", "licences",
    "projects",
)  # fmt: skip
FLOW_TYPES = (
    ("week", np.int16), ("good", np.int16), ("origin", np.int8), ("dest", np.int8), ("seller", np.int16), ("buyer", np.int16),
    ("kg", np.float64), ("price", np.float64), ("contract", np.int32), ("licence", np.int32), ("duty", np.float64), ("arrives", np.int16),
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Week:
    """Everything of one recorded week."""

    week: int
    started: Floats
    finished: Floats
    recovery: Floats
    tailings: Floats
    wanted: Floats
    used: Floats
    stopped: Floats
    lost: Floats
    stock: Floats
    wip: Floats
    price: Floats
    volume: Floats
    reliance: Floats
    on_china: Floats
    cover: Floats
    ramp: Floats
    nameplate: Floats


@dataclass(slots=True, eq=False)
class Record:
    """The log of a run.  `keep` names the tables that will be asked for; the others are not collected."""

    structure: Structure
    start: date
    keep: frozenset[str] = frozenset(TABLES)
    weeks: list[Week] = field(default_factory=list)
    flows: list[dict[str, npt.NDArray[Any]]] = field(default_factory=list)
    payments: list[tuple[int, Ints, Ints, Floats, Ints, list[tuple[str, int]]]] = field(default_factory=list)
    licences: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    quarters: list[dict[str, Any]] = field(default_factory=list)
    project_rows: list[tuple[int, str, int, int, str, float, float, float, float]] = field(default_factory=list)
    opening: dict[str, Floats] = field(default_factory=dict)
    pairs: tuple[Ints, Ints] | None = None
    price_cells: tuple[Ints, Ints, Ints] | None = None
    cells: tuple[Ints, Ints] = field(default_factory=lambda: (np.zeros(0, np.int64), np.zeros(0, np.int64)))
    largest_gap: dict[str, float] = field(default_factory=lambda: {"mass": 0.0, "money": 0.0, "books": 0.0})

    def fork(self) -> Record:
        """A record that shares the past and grows on its own."""
        twin = copy.copy(self)
        for name in ("weeks", "flows", "payments", "licences", "events", "commands", "quarters", "project_rows"):
            setattr(twin, name, list(getattr(self, name)))
        twin.largest_gap = dict(self.largest_gap)
        twin.opening = dict(self.opening)
        return twin

    def open(self, world: World) -> None:
        """Take the opening balance, before the first recorded week."""
        st, s = self.structure, world.state
        self.pairs = _pairs(st)
        self.price_cells = _price_cells(st)
        self.cells = _dependence_cells(st)
        self.opening = {
            "stock": s.stock[self.pairs].copy(), "wip": s.wip.sum(axis=1), "cash": s.cash.copy(), "debt": s.debt.copy(),
            "wip_ring": s.wip.copy(), "inventory": inventory(world), "plant": s.plant.copy(), "equity_in": s.equity_in.copy(),
            "retained": s.retained.copy(),
        }  # fmt: skip
        first = world.week
        self.flows = [f for f in self.flows if len(f["arrives"]) and int(f["arrives"].max()) >= first]
        self.events = [e for e in self.events if e["week"] >= first]
        self.quarters.append(_book_row(world, quarter(world.date - timedelta(weeks=1)), opening=True))
        s.quarter_book[...] = 0.0

    def week(
        self, world: World, made: Production, used: Use, shipped: list[Shipments], decided: list[dict[str, Any]], ledger: Ledger,
        rows: tuple[Any, ...],
    ) -> None:  # fmt: skip
        """Write one week down.  During burn-in only shipments are kept."""
        w = world.week
        if "flows" in self.keep:
            for part in shipped:
                if len(part.kg):
                    self.flows.append(_flow_columns(w, part))
        self.licences += decided
        if w < 0:
            return
        st, s = self.structure, world.state
        if self.pairs is None or self.price_cells is None:
            raise RuntimeError("the record was not opened before the first week")
        if "payments" in self.keep:
            refs = [(ref, len(x)) for ref, x in zip(ledger.ref, ledger.usd, strict=True)]
            payer, payee, usd, reason = rows
            self.payments.append((w, payer.astype(np.int16), payee.astype(np.int16), usd, reason.astype(np.int8), refs))
        reliance, on_china, cover = _dependence(world)
        sites = [p.site for p in s.projects]
        self.weeks.append(
            Week(
                w, made.started, made.finished, s.site_recovery.copy(), made.tailings, used.wanted, used.used, used.stopped, used.lost,
                s.stock[self.pairs], s.wip.sum(axis=1), s.index_price[self.price_cells], s.week_volume[self.price_cells],
                reliance, on_china, cover, s.site_ramp[sites], s.site_nameplate[sites],
            )
        )  # fmt: skip
        if "projects" in self.keep:
            for p in s.projects:
                self.project_rows.append(
                    (w, p.id, p.owner, p.site, p.stage, float(s.site_nameplate[p.site] if not p.add_kg_week else p.add_kg_week),
                     float(s.site_ramp[p.site]), p.spent_usd, p.budget_usd * (p.overrun if p.overrun == p.overrun else 1.0))
                )  # fmt: skip

    def close_quarter(self, world: World) -> None:
        """Quarterly statement of every party, then the quarter's counters start anew."""
        if world.week > 0:
            self.quarters.append(_book_row(world, quarter(world.date - timedelta(weeks=1))))
        world.state.quarter_book[...] = 0.0

    # ---- tables ------------------------------------------------------------------------------------------
    def table(self, name: str, world: World) -> Columns:
        """Columns of one result table (see docs/results.md)."""
        return getattr(self, f"_{name}")(world)  # type: ignore[no-any-return]

    def _dates(self, weeks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.datetime64(self.start) + weeks.astype("timedelta64[W]").astype("timedelta64[D]")

    def _prices(self, world: World) -> Columns:
        st = self.structure
        kind, good, node = self.price_cells or _price_cells(st)
        price = np.array([w.price for w in self.weeks]).reshape(-1, len(kind))
        volume = np.array([w.volume for w in self.weeks]).reshape(-1, len(kind))
        has = ~np.isnan(price)
        row, col = np.nonzero(has)
        week = np.array([w.week for w in self.weeks])[row]
        vat = np.array([_vat(st, n) for n in range(len(st.nodes))])
        return {
            "date": self._dates(week), "good": _pick(st.goods.codes, good[col]), "place": _pick(st.nodes.codes, node[col]),
            "kind": _pick(KINDS, kind[col]), "price_usd_kg": price[row, col], "tax_basis": _pick(TAX_BASIS, kind[col]),
            "vat_rate": vat[node[col]], "volume_t": volume[row, col] / 1e3,
        }  # fmt: skip

    def _shares(self, world: World) -> Columns:
        st = self.structure
        out: dict[str, list[Any]] = {k: [] for k in ("date", "stage", "group", "place", "tonnes", "share")}
        if not self.weeks:
            return out
        started = np.array([w.started for w in self.weeks]) / 1e3
        stage_of = {"mine": "mining", "separation_light": "separation", "separation_heavy": "separation", "metal": "metal", "magnet": "magnet"}
        heavy = _heavy_share(st)
        groups: dict[tuple[str, str], Floats] = {}
        for r in range(len(st.r_site)):
            stage = st.site_stage[st.r_site[r]]
            if stage not in stage_of:
                continue
            node = st.site_node[st.r_site[r]]
            part = {"light": 1.0 - heavy[r], "heavy": heavy[r]}
            if stage == "separation_heavy":
                part = {"heavy": 1.0}
            elif stage == "separation_light":
                part = {"light": 1.0, "all": 1.0}
            else:
                part["all"] = 1.0
            for group, weight in part.items():
                table = groups.setdefault((stage_of[stage], group), np.zeros((len(self.weeks), len(st.nodes))))
                table[:, node] += started[:, r] * weight
        weeks = self._dates(np.array([w.week for w in self.weeks]))
        for (stage, group), table in groups.items():
            total = table.sum(axis=1, keepdims=True)
            share = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
            for n in range(len(st.nodes)):
                if not table[:, n].any():
                    continue
                out["date"].append(weeks)
                out["stage"] += [stage] * len(weeks)
                out["group"] += [group] * len(weeks)
                out["place"] += [st.nodes.codes[n]] * len(weeks)
                out["tonnes"].append(table[:, n])
                out["share"].append(share[:, n])
        return {k: (np.concatenate(v) if v and not isinstance(v[0], str) else np.array(v, dtype=object)) for k, v in out.items()}

    def _dependence(self, world: World) -> Columns:
        st = self.structure
        good, node = self.cells
        n = len(self.weeks)
        week = np.repeat(np.array([w.week for w in self.weeks], dtype=np.int64), len(good))
        flat = lambda name: np.concatenate([getattr(w, name) for w in self.weeks]) if n else np.zeros(0)  # noqa: E731
        return {
            "date": self._dates(week), "place": _pick(st.nodes.codes, np.tile(node, n)), "good": _pick(st.goods.codes, np.tile(good, n)),
            "import_reliance": flat("reliance"), "on_china": flat("on_china"), "cover_weeks": flat("cover"),
        }  # fmt: skip

    def _flows(self, world: World) -> Columns:
        st = self.structure
        cat = {name: np.concatenate([f[name] for f in self.flows]) if self.flows else np.zeros(0, t) for name, t in FLOW_TYPES}
        last = world.week - 1
        keep = cat["arrives"] >= 0 if len(cat["arrives"]) else np.zeros(0, dtype=bool)
        keep &= (cat["week"] >= 0) | (cat["arrives"] > cat["week"])
        cat = {k: v[keep] for k, v in cat.items()}
        arrived = self._dates(cat["arrives"].astype(np.int64))
        arrived = np.where(cat["arrives"] > last, np.datetime64("NaT"), arrived)
        codes = world.state.contracts.code
        licence = np.array([f"L{i}" if i >= 0 else "" for i in cat["licence"]], dtype=object)
        return {
            "date_shipped": self._dates(cat["week"].astype(np.int64)), "date_arrived": arrived,
            "good": _pick(st.goods.codes, cat["good"]), "origin": _pick(st.nodes.codes, cat["origin"]),
            "destination": _pick(st.nodes.codes, cat["dest"]), "seller": _pick(st.parties.codes, cat["seller"]),
            "buyer": _pick(st.parties.codes, cat["buyer"]), "tonnes": cat["kg"] / 1e3, "price_usd_kg": cat["price"],
            "contract_id": _pick((*codes, ""), cat["contract"]), "licence_id": licence,
            "duty_usd": cat["duty"], "grey": np.zeros(len(cat["kg"]), dtype=bool),
        }  # fmt: skip

    def _stocks(self, world: World) -> Columns:
        st = self.structure
        holder, good = self.pairs or _pairs(st)
        first = [("stock", self.opening.get("stock", np.zeros(len(holder))))]
        stock = np.array([v for _, v in first] + [w.stock for w in self.weeks])
        wip = np.array([self.opening.get("wip", np.zeros(len(st.r_site)))] + [w.wip for w in self.weeks])
        weeks = np.array([-1] + [w.week for w in self.weeks])
        ever = stock.any(axis=0)
        cols = np.flatnonzero(ever)
        row = np.repeat(np.arange(len(weeks)), len(cols))
        col = np.tile(cols, len(weeks))
        # work in progress counts in the goods that went in (or come out, for stages without input)
        r_in, g_in, c_in = _wip_goods(st)
        sub = np.flatnonzero(wip.any(axis=0)[r_in])
        wrow, wcol = np.repeat(np.arange(len(weeks)), len(sub)), np.tile(sub, len(weeks))
        w_kg = wip[wrow, r_in[wcol]] * c_in[wcol]
        pair_holder = np.concatenate([holder[col], st.r_site[r_in[wcol]]])
        pair_good = np.concatenate([good[col], g_in[wcol]])
        kind = np.concatenate([np.zeros(len(col), np.int8), np.ones(len(wcol), np.int8)])
        all_rows = np.concatenate([row, wrow])
        return {
            "date": self._dates(weeks[all_rows]), "holder": _pick(st.holders.codes, pair_holder),
            "party": _pick(st.parties.codes, st.holder_party[pair_holder]),
            "place": _pick(st.nodes.codes, st.holder_node[pair_holder]), "good": _pick(st.goods.codes, pair_good),
            "kind": _pick(("stock", "work in progress"), kind), "tonnes": np.concatenate([stock[row, col], w_kg]) / 1e3,
        }  # fmt: skip

    def _process(self, world: World) -> Columns:
        return _process_table(self)

    def _use(self, world: World) -> Columns:
        st = self.structure
        n = len(st.u_slot)
        week = np.repeat(np.array([w.week for w in self.weeks], dtype=np.int64), n)
        holder = np.tile(st.b_holder[st.u_slot], len(self.weeks))
        good = np.tile(st.b_good[st.u_slot], len(self.weeks))
        flat = lambda name: np.concatenate([getattr(w, name) for w in self.weeks]) if self.weeks else np.zeros(0)  # noqa: E731
        return {
            "date": self._dates(week), "end_use": _pick(st.end_uses.codes, np.tile(st.u_end_use, len(self.weeks))),
            "place": _pick(st.nodes.codes, st.holder_node[holder]), "buyer": _pick(st.parties.codes, st.holder_party[holder]),
            "holder": _pick(st.holders.codes, holder), "good": _pick(st.goods.codes, good), "wanted_t": flat("wanted") / 1e3,
            "used_t": flat("used") / 1e3, "lines_stopped": flat("stopped"), "output_lost_usd": flat("lost"),
        }  # fmt: skip

    def _payments(self, world: World) -> Columns:
        st = self.structure
        week = np.concatenate([np.full(len(p[3]), p[0]) for p in self.payments]) if self.payments else np.zeros(0, np.int64)
        cat = [np.concatenate([p[i] for p in self.payments]) if self.payments else np.zeros(0) for i in (1, 2, 3, 4)]
        ref: list[str] = []
        for p in self.payments:
            for name, count in p[5]:
                ref += [name] * count
        return {
            "date": self._dates(week), "payer": _pick(st.parties.codes, cat[0].astype(np.int64)),
            "payee": _pick(st.parties.codes, cat[1].astype(np.int64)), "usd": cat[2],
            "reason": _pick(REASONS, cat[3].astype(np.int64)), "ref": np.array(ref, dtype=object),
        }  # fmt: skip

    def _books(self, world: World) -> Columns:
        from env.build import BOOK_ITEMS

        st = self.structure
        rows = list(self.quarters)
        if world.week > 0 and world.state.quarter_book.any():
            rows.append(_book_row(world, quarter(world.date - timedelta(weeks=1))))
        out: Columns = {"quarter": [], "firm": []}
        n = len(st.parties)
        for row in rows:
            out["quarter"] += [row["quarter"]] * n
            out["firm"] += list(st.parties.codes)
        items = np.concatenate([r["items"] for r in rows]) if rows else np.zeros((0, len(BOOK_ITEMS)))
        for i, name in enumerate(BOOK_ITEMS):
            out[name] = items[:, i] if name == "revenue" else items[:, i] * (-1.0 if name in ("capex", "dividends", "debt_repaid") else 1.0)
        col = {name: items[:, i] for i, name in enumerate(BOOK_ITEMS)}
        out["ebitda"] = col["revenue"] + col["cost_of_goods"] + col["fixed_cost"] + col["support"] + col["other"]
        out["net"] = out["ebitda"] + col["interest"] + col["depreciation"]
        for name in ("cash", "debt", "equity", "inventory_usd", "plant_usd"):
            out[name] = np.concatenate([r[name] for r in rows]) if rows else np.zeros(0)
        out["quarter"], out["firm"] = np.array(out["quarter"], dtype=object), np.array(out["firm"], dtype=object)
        return out

    def _contracts(self, world: World) -> Columns:
        from env.tables import contract_columns

        return contract_columns(self, world)

    def _licences(self, world: World) -> Columns:
        from env.tables import licence_columns

        return licence_columns(self, world)

    def _projects(self, world: World) -> Columns:
        st = self.structure
        rows = self.project_rows
        col = list(zip(*rows, strict=True)) if rows else [[] for _ in range(9)]
        sites = np.array(col[3], dtype=np.int64)
        return {
            "date": self._dates(np.array(col[0], dtype=np.int64)), "project": np.array(col[1], dtype=object),
            "owner": _pick(st.parties.codes, np.array(col[2], dtype=np.int64)), "place": _pick(st.nodes.codes, st.site_node[sites]),
            "site": _pick(st.sites.codes, sites), "stage": np.array(col[4], dtype=object),
            "nameplate": np.array(col[5], dtype=float) * 52 / 1e3, "ramp": np.array(col[6], dtype=float),
            "spent_usd": np.array(col[7], dtype=float), "budget_usd": np.array(col[8], dtype=float),
        }  # fmt: skip


def _pick(names: tuple[str, ...] | list[str], index: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Names by index, as an object array."""
    return np.array(names, dtype=object)[index.astype(np.int64)]


def _pairs(st: Structure) -> tuple[Ints, Ints]:
    """All (holder, good) pairs that can ever hold stock."""
    pairs = np.unique(np.concatenate([st.s_holder * len(st.goods) + st.s_good, st.b_holder * len(st.goods) + st.b_good]))
    return pairs // len(st.goods), pairs % len(st.goods)


def _price_cells(st: Structure) -> tuple[Ints, Ints, Ints]:
    """(kind, good, node) cells that can have a price: origins with sellers, destinations with buyers."""
    cells = []
    sells = sorted({(int(g), int(n)) for g, n in zip(st.s_good, st.s_node, strict=True)})
    buys = sorted({(int(g), int(n)) for g, n in zip(st.b_good, st.b_node, strict=True)})
    for kind, where in ((DOMESTIC, sells), (FOB, sells), (DELIVERED, buys), (CONTRACT, buys)):
        cells += [(kind, g, n) for g, n in where]
    if "EUU" in st.nodes:
        cells += [(ASK, g, st.nodes.index["EUU"]) for g in range(len(st.goods)) if st.good_stage[g] in ("oxide", "metal")]
    array = np.array(cells, dtype=np.int64).reshape(-1, 3)
    return array[:, 0], array[:, 1], array[:, 2]


def _vat(st: Structure, node: int) -> float:
    rates = [row.vat_rate for row in st.spec.export_taxes if row.exporter == st.nodes.codes[node] and row.valid_to is None]
    return max(rates, default=0.0)


def _flow_columns(week: int, part: Shipments) -> dict[str, npt.NDArray[Any]]:
    values = {
        "week": np.full(len(part.kg), week), "good": part.good, "origin": part.origin, "dest": part.dest, "seller": part.seller,
        "buyer": part.buyer, "kg": part.kg, "price": part.price, "contract": part.contract, "licence": part.licence,
        "duty": part.duty, "arrives": part.arrives,
    }  # fmt: skip
    return {name: values[name].astype(t) for name, t in FLOW_TYPES}


def _dependence_cells(st: Structure) -> tuple[Ints, Ints]:
    rows = sorted({(int(g), int(n)) for g, n in zip(st.b_good, st.b_node, strict=True) if st.stage_index[g] in (2, 3, 5)})
    array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _dependence(world: World) -> tuple[Floats, Floats, Floats]:
    """Import reliance, share from China, weeks of cover, by (good, node) cell: a quarter's smoothed trade."""
    st, s = world.structure, world.state
    good, node = world.record.cells
    n = len(st.nodes)
    flow = s.usual_flow.reshape(len(st.goods), n, n, len(CLASSES)).sum(axis=3)
    total = flow.sum(axis=1)
    home = flow[:, np.arange(n), np.arange(n)]
    china = flow[:, st.nodes.index["CHN"], :] if "CHN" in st.nodes else np.zeros_like(total)
    with np.errstate(invalid="ignore", divide="ignore"):
        reliance = 1.0 - home / total
        on_china = china / total
    key = st.b_good * n + st.b_node
    held = np.bincount(key, weights=s.stock[st.b_holder, st.b_good], minlength=total.size).reshape(total.shape)
    use = np.bincount(key, weights=s.expected_use, minlength=total.size).reshape(total.shape)
    cover = np.divide(held, use, out=np.full_like(held, np.nan), where=use > 1e-9)
    return np.nan_to_num(reliance)[good, node], np.nan_to_num(on_china)[good, node], cover[good, node]


def _heavy_share(st: Structure) -> Floats:
    """Heavy share of a kg of throughput (R,): by the elements of a mine's concentrate or of the good made."""
    heavy = {g.code for g in st.spec.goods if g.stage == "oxide" and g.group == "heavy"}
    is_heavy = np.array([c in heavy for c in st.goods.codes])
    content = st.content
    total = content.sum(axis=1)
    share = np.divide(content[:, is_heavy].sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    return share[st.s_good[st.r_main_slot]] if len(st.r_site) else np.zeros(0)


def _wip_goods(st: Structure) -> tuple[Ints, Ints, Floats]:
    """Recipe, good and kg per kg in which work in progress is counted."""
    recipes, goods, coefs = list(st.ri_recipe), list(st.ri_good), list(st.ri_coef)
    for r in range(len(st.r_site)):
        if st.ri_ptr[r] == st.ri_ptr[r + 1]:
            for k in range(st.ro_ptr[r], st.ro_ptr[r + 1]):
                recipes.append(r)
                goods.append(st.ro_good[k])
                coefs.append(st.ro_coef[k])
    return np.array(recipes, dtype=np.int64), np.array(goods, dtype=np.int64), np.array(coefs, dtype=float)


def _book_row(world: World, label: str, *, opening: bool = False) -> dict[str, Any]:
    s = world.state
    stock = inventory(world)
    return {
        "quarter": label, "items": np.zeros_like(s.quarter_book) if opening else s.quarter_book.copy(), "cash": s.cash.copy(),
        "debt": s.debt.copy(), "inventory_usd": stock, "plant_usd": s.plant.copy(), "equity": s.cash + stock + s.plant - s.debt,
    }  # fmt: skip


def _process_table(record: Record) -> Columns:
    """Rows of every batch: inputs when it starts, outputs and loss when it is done; tailings as batches of their own."""
    st = record.structure
    parts: list[tuple[Ints, Ints, Ints, Floats, Floats, Ints]] = []  # week, recipe, good, kg, loss, start week
    reo = st.reo_per_kg
    in_reo = np.bincount(st.ri_recipe, weights=st.ri_coef * reo[st.ri_good], minlength=len(st.r_site))
    for w in record.weeks:
        started = np.flatnonzero(w.started[st.ri_recipe] > 0)
        if len(started):
            r = st.ri_recipe[started]
            kg = -st.ri_coef[started] * w.started[r]
            parts.append((np.full(len(r), w.week), r, st.ri_good[started], kg, np.zeros(len(r)), np.full(len(r), w.week)))
        done = np.flatnonzero(w.finished[st.ro_recipe] > 0)
        if len(done):
            r = st.ro_recipe[done]
            scale = w.recovery[st.r_site[r]]
            kg = st.ro_coef[done] * scale * w.finished[r]
            first = np.concatenate([[True], r[1:] != r[:-1]])
            out_reo = np.bincount(r, weights=kg * reo[st.ro_good[done]], minlength=len(st.r_site))
            loss = np.where(first, in_reo[r] * w.finished[r] - out_reo[r], 0.0)
            parts.append((np.full(len(r), w.week), r, st.ro_good[done], kg, loss, w.week - st.r_lag[r]))
    cat = [np.concatenate([p[i] for p in parts]) if parts else np.zeros(0) for i in range(6)]
    week, recipe, good, kg, loss, begun = cat
    recipe, good = recipe.astype(np.int64), good.astype(np.int64)
    site = st.r_site[recipe]
    batch = np.array([f"{st.sites.codes[i]}:{st.r_batch[r]}:{int(b)}" for i, r, b in zip(site, recipe, begun, strict=True)], dtype=object)
    deposit = [st.r_batch[r] if st.site_stage[st.r_site[r]] in ("mine", "separation_light", "separation_heavy") else "" for r in range(len(st.r_site))]
    out = {
        "date": record._dates(week.astype(np.int64)), "holder": _pick(st.sites.codes, site),
        "party": _pick(st.parties.codes, st.site_party[site]), "place": _pick(st.nodes.codes, st.site_node[site]),
        "site": _pick(st.sites.codes, site), "stage": _pick(st.site_stage, site), "deposit": _pick(deposit, recipe), "batch": batch,
        "good": _pick(st.goods.codes, good), "tonnes": kg / 1e3, "contained_reo_t": kg * reo[good] / 1e3, "loss_t": loss / 1e3,
    }  # fmt: skip
    gone_week, gone_slot, gone_kg = [], [], []
    for w in record.weeks:
        rows = np.flatnonzero(w.tailings > 0)
        gone_week.append(np.full(len(rows), w.week))
        gone_slot.append(rows)
        gone_kg.append(w.tailings[rows])
    slot = np.concatenate(gone_slot) if gone_slot else np.zeros(0, np.int64)
    if len(slot):
        tw, tk = np.concatenate(gone_week), np.concatenate(gone_kg)
        h, g = st.s_holder[slot], st.s_good[slot]
        extra = {
            "date": record._dates(tw), "holder": _pick(st.holders.codes, h), "party": _pick(st.parties.codes, st.holder_party[h]),
            "place": _pick(st.nodes.codes, st.holder_node[h]), "site": _pick(st.holders.codes, h),
            "stage": np.array(["tailings"] * len(h), dtype=object), "deposit": np.array([""] * len(h), dtype=object),
            "batch": np.array([f"{st.holders.codes[a]}:tailings:{st.goods.codes[b]}:{c}" for a, b, c in zip(h, g, tw, strict=True)], dtype=object),
            "good": _pick(st.goods.codes, g), "tonnes": -tk / 1e3, "contained_reo_t": -tk * reo[g] / 1e3, "loss_t": tk * reo[g] / 1e3,
        }  # fmt: skip
        out = {k: np.concatenate([out[k], extra[k]]) for k in out}
    return out


def date_of(record: Record, week: int) -> date:
    """Monday of a recorded week."""
    return week_date(record.start, week)
