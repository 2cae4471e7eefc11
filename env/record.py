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
from env.compact import Flows, Payments, Week
from env.projects import STAGES
from env.quotes import ASK, CONTRACT, DELIVERED, DOMESTIC, FOB, KINDS
from env.tables import contract_columns, licence_columns, pick, process_columns, project_columns, share_columns
from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.books import Ledger
    from env.demand import Use
    from env.licence_book import Decisions
    from env.operate import Production
    from env.trade import Shipments
    from env.world import Structure, World

Columns = dict[str, Any]
TAX_BASIS = ("domestic", "export", "import", "import", "import")
TABLES = (
    "prices", "shares", "dependence", "flows", "stocks", "process", "use", "payments", "books", "contracts", "licences",
    "projects",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Record:
    """The log of a run.  `keep` names the tables that will be asked for; the others are not collected."""

    structure: Structure
    start: date
    keep: frozenset[str] = frozenset(TABLES)
    weeks: list[Week] = field(default_factory=list)
    flows: list[Flows] = field(default_factory=list)
    payments: list[Payments] = field(default_factory=list)
    licences: list[Decisions] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    quarters: list[dict[str, Any]] = field(default_factory=list)
    opening: dict[str, Floats] = field(default_factory=dict)
    pairs: tuple[Ints, Ints] | None = None
    price_cells: tuple[Ints, Ints, Ints] | None = None
    cells: tuple[Ints, Ints] = field(default_factory=lambda: (np.zeros(0, np.int64), np.zeros(0, np.int64)))
    largest_gap: dict[str, float] = field(default_factory=lambda: {"mass": 0.0, "money": 0.0, "books": 0.0})

    def fork(self) -> Record:
        """A record that shares the past and grows on its own."""
        twin = copy.copy(self)
        for name in ("weeks", "flows", "payments", "licences", "events", "commands", "quarters"):
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
            "stock": s.stock[self.pairs].copy(),
            "wip": s.wip.sum(axis=1),
            "cash": s.cash.copy(),
            "debt": s.debt.copy(),
            "wip_ring": s.wip.copy(),
            "inventory": inventory(world),
            "plant": s.plant.copy(),
            "equity_in": s.equity_in.copy(),
            "retained": s.retained.copy(),
        }
        first = world.week
        self.flows = [f for f in self.flows if len(f.kg) and int(f.arrives().max()) >= first]
        self.events = [e for e in self.events if e["week"] >= first]
        told = {e["id"] for e in self.events}
        s.last_event = {topic: number for topic, number in s.last_event.items() if number in told}
        self.quarters.append(_book_row(world, quarter(world.date - timedelta(weeks=1)), opening=True))
        s.quarter_book[...] = 0.0

    def week(
        self,
        world: World,
        made: Production,
        used: Use,
        shipped: list[Shipments],
        decided: list[Decisions],
        ledger: Ledger,
        rows: tuple[Any, ...],
    ) -> None:
        """Write one week down.  During burn-in only shipments are kept."""
        w = world.week
        if "flows" in self.keep:
            self.flows += [Flows.of(self.structure, w, part) for part in shipped if len(part.kg)]
        self.licences += decided
        if w < 0:
            return
        s = world.state
        if self.pairs is None or self.price_cells is None:
            raise RuntimeError("the record was not opened before the first week")
        if "payments" in self.keep:
            self.payments.append(Payments.of(w, ledger, *rows[:3]))
        reliance, on_china, cover = (x.astype(np.float32) for x in _dependence(world))
        self.weeks.append(
            Week(
                w,
                started=made.started,
                finished=made.finished,
                recovery=s.site_recovery,
                tailings=made.tailings,
                wanted=used.wanted,
                used=used.used,
                stopped=used.stopped,
                lost=used.lost,
                stock=s.stock[self.pairs],
                wip=s.wip.sum(axis=1),
                price=s.index_price[self.price_cells],
                volume=s.week_volume[self.price_cells],
                reliance=reliance,
                on_china=on_china,
                cover=cover,
                **self._project_columns(world),
            )
        )

    def _project_columns(self, world: World) -> dict[str, npt.NDArray[Any]]:
        """This week's state of all projects, in their order (new ones come at the end)."""
        s = world.state
        if "projects" not in self.keep:
            return {}
        site = np.array([p.site for p in s.projects], dtype=np.int64)
        added = np.array([p.add_kg_week for p in s.projects], dtype=float)
        return {
            "stage": np.array([STAGES.index(p.stage) for p in s.projects], dtype=np.int8),
            "spent": np.array([p.spent_usd for p in s.projects], dtype=float),
            "ramp": s.site_ramp[site].astype(np.float32),
            "nameplate": np.where(added > 0, added, s.site_nameplate[site]),
        }

    def close_quarter(self, world: World) -> None:
        """Quarterly statement of every party, then the quarter's counters start anew."""
        if world.week > 0:
            self.quarters.append(_book_row(world, quarter(world.date - timedelta(weeks=1))))
        world.state.quarter_book[...] = 0.0

    # ---- tables ------------------------------------------------------------------------------------------
    def table(self, name: str, world: World) -> Columns:
        """Columns of one result table (see docs/results.md)."""
        return getattr(self, f"_{name}")(world)  # type: ignore[no-any-return]

    def dates(self, weeks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Mondays of weeks."""
        return np.datetime64(self.start) + weeks.astype("timedelta64[W]").astype("timedelta64[D]")

    _dates = dates  # its older name

    def _all(self, name: str) -> npt.NDArray[Any]:
        """A weekly array of all weeks, one after another."""
        return np.concatenate([getattr(w, name) for w in self.weeks]) if self.weeks else np.zeros(0)

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
            "date": self.dates(week), "good": pick(st.goods.codes, good[col]), "place": pick(st.nodes.codes, node[col]),
            "kind": pick(KINDS, kind[col]), "price_usd_kg": price[row, col], "tax_basis": pick(TAX_BASIS, kind[col]),
            "vat_rate": vat[node[col]], "volume_t": volume[row, col] / 1e3,
        }  # fmt: skip

    def _shares(self, world: World) -> Columns:
        return share_columns(self)

    def _dependence(self, world: World) -> Columns:
        st = self.structure
        good, node = self.cells
        n = len(self.weeks)
        week = np.repeat(np.array([w.week for w in self.weeks], dtype=np.int64), len(good))
        return {
            "date": self.dates(week),
            "place": pick(st.nodes.codes, np.tile(node, n)),
            "good": pick(st.goods.codes, np.tile(good, n)),
            "import_reliance": self._all("reliance"),
            "on_china": self._all("on_china"),
            "cover_weeks": self._all("cover"),
        }

    def _flows(self, world: World) -> Columns:
        st = self.structure
        parts = [f.columns() for f in (self.flows or [Flows.none(st)])]
        cat = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        last = world.week - 1
        keep = cat["arrives"] >= 0
        keep &= (cat["week"] >= 0) | (cat["arrives"] > cat["week"])
        cat = {k: v[keep] for k, v in cat.items()}
        arrived = self.dates(cat["arrives"].astype(np.int64))
        arrived = np.where(cat["arrives"] > last, np.datetime64("NaT"), arrived)
        codes = world.state.contracts.code
        licence = np.array([f"L{i}" if i >= 0 else "" for i in cat["licence"]], dtype=object)
        return {
            "date_shipped": self.dates(cat["week"].astype(np.int64)), "date_arrived": arrived,
            "good": pick(st.goods.codes, cat["good"]), "origin": pick(st.nodes.codes, cat["origin"]),
            "destination": pick(st.nodes.codes, cat["dest"]), "seller": pick(st.parties.codes, cat["seller"]),
            "buyer": pick(st.parties.codes, cat["buyer"]), "tonnes": cat["kg"] / 1e3, "price_usd_kg": cat["price"],
            "contract_id": pick((*codes, ""), cat["contract"]), "licence_id": licence,
            "duty_usd": cat["duty"], "grey": np.zeros(len(cat["kg"]), dtype=bool),
        }  # fmt: skip

    def _stocks(self, world: World) -> Columns:
        st = self.structure
        holder, good = self.pairs or _pairs(st)
        first = [("stock", self.opening.get("stock", np.zeros(len(holder))))]
        stock = np.array([v for _, v in first] + [w.stock for w in self.weeks])
        wip = np.array([self.opening.get("wip", np.zeros(len(st.r_site)))] + [w.wip for w in self.weeks])
        weeks = np.array([-1] + [w.week for w in self.weeks])
        cols = np.flatnonzero(stock.any(axis=0))
        row = np.repeat(np.arange(len(weeks)), len(cols))
        col = np.tile(cols, len(weeks))
        # work in progress counts in the goods that went in (or come out, for stages without input)
        r_in, g_in, c_in = _wip_goods(st)
        sub = np.flatnonzero((wip != 0.0).any(axis=0)[r_in])
        wrow, wcol = np.repeat(np.arange(len(weeks)), len(sub)), np.tile(sub, len(weeks))
        w_kg = wip[wrow, r_in[wcol]] * c_in[wcol]
        pair_holder = np.concatenate([holder[col], st.r_site[r_in[wcol]]])
        pair_good = np.concatenate([good[col], g_in[wcol]])
        kind = np.concatenate([np.zeros(len(col), np.int8), np.ones(len(wcol), np.int8)])
        all_rows = np.concatenate([row, wrow])
        return {
            "date": self.dates(weeks[all_rows]), "holder": pick(st.holders.codes, pair_holder),
            "party": pick(st.parties.codes, st.holder_party[pair_holder]),
            "place": pick(st.nodes.codes, st.holder_node[pair_holder]), "good": pick(st.goods.codes, pair_good),
            "kind": pick(("stock", "work in progress"), kind), "tonnes": np.concatenate([stock[row, col], w_kg]) / 1e3,
        }  # fmt: skip

    def _process(self, world: World) -> Columns:
        return process_columns(self)

    def _use(self, world: World) -> Columns:
        st = self.structure
        n = len(st.u_slot)
        week = np.repeat(np.array([w.week for w in self.weeks], dtype=np.int64), n)
        holder = np.tile(st.b_holder[st.u_slot], len(self.weeks))
        good = np.tile(st.b_good[st.u_slot], len(self.weeks))
        return {
            "date": self.dates(week),
            "end_use": pick(st.end_uses.codes, np.tile(st.u_end_use, len(self.weeks))),
            "place": pick(st.nodes.codes, st.holder_node[holder]),
            "buyer": pick(st.parties.codes, st.holder_party[holder]),
            "holder": pick(st.holders.codes, holder),
            "good": pick(st.goods.codes, good),
            "wanted_t": self._all("wanted") / 1e3,
            "used_t": self._all("used") / 1e3,
            "lines_stopped": self._all("stopped"),
            "output_lost_usd": self._all("lost"),
        }

    def _payments(self, world: World) -> Columns:
        st = self.structure
        parts = [p.columns() for p in self.payments]
        week, payer, payee, usd, reason = (
            np.concatenate([p[i] for p in parts]) if parts else np.zeros(0, np.int64) for i in range(5)
        )
        return {
            "date": self.dates(week),
            "payer": pick(st.parties.codes, payer),
            "payee": pick(st.parties.codes, payee),
            "usd": usd,
            "reason": pick(REASONS, reason),
            "ref": np.concatenate([np.zeros(0, dtype=object), *(p[5] for p in parts)]),
        }

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
            out[name] = (
                items[:, i]
                if name == "revenue"
                else items[:, i] * (-1.0 if name in ("capex", "dividends", "debt_repaid") else 1.0)
            )
        col = {name: items[:, i] for i, name in enumerate(BOOK_ITEMS)}
        out["ebitda"] = col["revenue"] + col["cost_of_goods"] + col["fixed_cost"] + col["support"] + col["other"]
        out["net"] = out["ebitda"] + col["interest"] + col["depreciation"]
        for name in ("cash", "debt", "equity", "inventory_usd", "plant_usd"):
            out[name] = np.concatenate([r[name] for r in rows]) if rows else np.zeros(0)
        out["quarter"], out["firm"] = np.array(out["quarter"], dtype=object), np.array(out["firm"], dtype=object)
        return out

    def _contracts(self, world: World) -> Columns:
        return contract_columns(self, world)

    def _licences(self, world: World) -> Columns:
        return licence_columns(self, world)

    def _projects(self, world: World) -> Columns:
        return project_columns(self, world)


def _pairs(st: Structure) -> tuple[Ints, Ints]:
    """All (holder, good) pairs that can ever hold stock."""
    pairs = np.unique(
        np.concatenate([st.s_holder * len(st.goods) + st.s_good, st.b_holder * len(st.goods) + st.b_good])
    )
    return pairs // len(st.goods), pairs % len(st.goods)


def _price_cells(st: Structure) -> tuple[Ints, Ints, Ints]:
    """(kind, good, node) cells that can have a price: origins with sellers, destinations with buyers."""
    cells = []
    sells = sorted({(int(g), int(n)) for g, n in zip(st.s_good, st.s_node, strict=True)})
    buys = sorted({(int(g), int(n)) for g, n in zip(st.b_good, st.b_node, strict=True)})
    for kind, where in ((DOMESTIC, sells), (FOB, sells), (DELIVERED, buys), (CONTRACT, buys)):
        cells += [(kind, g, n) for g, n in where]
    if "EUU" in st.nodes:
        cells += [
            (ASK, g, st.nodes.index["EUU"]) for g in range(len(st.goods)) if st.good_stage[g] in ("oxide", "metal")
        ]
    array = np.array(cells, dtype=np.int64).reshape(-1, 3)
    return array[:, 0], array[:, 1], array[:, 2]


def _vat(st: Structure, node: int) -> float:
    rates = [
        row.vat_rate for row in st.spec.export_taxes if row.exporter == st.nodes.codes[node] and row.valid_to is None
    ]
    return max(rates, default=0.0)


def _dependence_cells(st: Structure) -> tuple[Ints, Ints]:
    rows = sorted(
        {(int(g), int(n)) for g, n in zip(st.b_good, st.b_node, strict=True) if st.stage_index[g] in (2, 3, 5)}
    )
    array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _dependence(world: World) -> tuple[Floats, Floats, Floats]:
    """Import reliance, share from China, weeks of cover, by (good, node) cell: a quarter's smoothed trade."""
    st, s = world.structure, world.state
    good, node = world.record.cells
    n = len(st.nodes)
    by_class = [s.usual_flow[:, :, c :: len(CLASSES)] for c in range(len(CLASSES))]
    flow = by_class[0] + by_class[1] + by_class[2]
    total = flow.sum(axis=1)
    home = flow[:, np.arange(n), np.arange(n)]
    china = flow[:, st.nodes.index["CHN"], :] if "CHN" in st.nodes else np.zeros_like(total)
    some = total > 0.0
    reliance = np.where(some, 1.0 - np.divide(home, total, out=np.zeros_like(total), where=some), 0.0)
    on_china = np.divide(china, total, out=np.zeros_like(total), where=some)
    key = st.b_good * n + st.b_node
    held = np.bincount(key, weights=s.stock[st.b_holder, st.b_good], minlength=total.size).reshape(total.shape)
    use = np.bincount(key, weights=s.expected_use, minlength=total.size).reshape(total.shape)
    cover = np.divide(held, use, out=np.full_like(held, np.nan), where=use > 1e-9)
    return reliance[good, node], on_china[good, node], cover[good, node]


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
        "quarter": label,
        "items": np.zeros_like(s.quarter_book) if opening else s.quarter_book.copy(),
        "cash": s.cash.copy(),
        "debt": s.debt.copy(),
        "inventory_usd": stock,
        "plant_usd": s.plant.copy(),
        "equity": s.cash + stock + s.plant - s.debt,
    }


def date_of(record: Record, week: int) -> date:
    """Monday of a recorded week."""
    return week_date(record.start, week)
