"""The base year 2024/25 as a material balance: does it close, and which steady flow does the simulation start from?

Two linear programmes over all sites, nodes and lanes. The first asks whether any flow meets every use with every site
near its 2024 output, at least freight. Its optimum is a corner: it piles flows on few lanes and lets one magnet maker
make one grade only. The second keeps the same balances and bounds and asks for the flow nearest to a plausible spread
(every Chinese magnet site makes one grade mix, plants abroad make the mix of their own node, separators share
the ores they accept, contracts in force are met). Trade is then spread in proportion, good by good.

``python -m experiments.balance`` prints the tables; ``--write`` stores ``env/data/base_balance_2024.csv``.
Needs SciPy, a development dependency; the simulation reads only the stored table.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import lsqr

import env

DATA = Path(env.__file__).resolve().parent / "data"
OUTPUT = "base_balance_2024.csv"
COLUMNS = (
    "record", "site_id", "batch", "good_class", "good", "origin", "destination",
    "t_2024", "unit", "kind", "source", "confidence",
)  # fmt: skip

LIGHT = ("La", "Ce", "NdPr")
HEAVY = ("Sm", "Eu", "Gd", "Tb", "Dy", "Y", "HoYb", "Lu")
OXIDES = (*LIGHT, *HEAVY, "Sc")
GRADES = ("N", "SH", "UH", "UH_GBD")
MAGNET_METALS = ("NdPr", "Dy", "Tb")
METALS = (*MAGNET_METALS, "Sm")
CLASSES = ("concentrate", "SEG+", "oxide", "metal", "swarf", "magnet")
CLAYS = frozenset({"ion_clay_mid_y", "ion_clay_light", "ion_clay_heavy", "serra_verde"})
UNSOLD = ("La", "Ce", "Sm", "Eu", "HoYb", "Lu")  # oxides with a declared surplus
SEG_STOCK_NODES = ("USA", "CIS", "EUU")  # SEG+ stays at these plants unseparated
FREIGHT = {
    "concentrate": "freight_concentrate_usd_t",
    "SEG+": "freight_concentrate_usd_t",
    "oxide": "freight_oxide_usd_t",
    "metal": "freight_metal_usd_t",
    "swarf": "freight_concentrate_usd_t",
    "magnet": "freight_magnet_usd_t",
}
CONCENTRATE_LANES = {
    "mt_weld_cld": (("AUS", "MYS"),),
    "mountain_pass": (("USA", "CHN"),),
    "loparite": (("CIS", "EUU"), ("CIS", "CHN")),
    "serra_verde": (("BRA", "CHN"),),
    "ion_clay_mid_y": (("MMR", "CHN"), ("SEA", "CHN"), ("MYS", "CHN")),
    "monazite_hms": (("AFR", "CHN"),),
}
SWARF_RECOVERY = 0.92  # oxide recovered per oxide equivalent in swarf
SM_PER_SMCO = 0.27  # kg samarium metal per kg finished SmCo magnet
STOCK_BUILD = {"MIN_USA_MP": 3752.0}  # t TREO mined in 2024 and neither sold nor treated
STEADY_MINE = {"MIN_AUS_LYN": 28_000.0}  # 26,500 t mined and 1,500 t drawn from stock in 2024: a steady mine digs both
NEAR, NEAR_SMALL, SMALL_T = 0.05, 0.35, 700.0  # distance allowed from 2024 output; small plants get more
EXPORT_TARGET_T = 58_900.0  # Chinese NdFeB exports; customs show about 58,000
PINNED: dict[tuple[str, str, str, str], float] = {  # contracts in force (initial_contracts.csv), t a year
    ("concentrate", "mountain_pass", "USA", "CHN"): 32_703.0,
    ("concentrate", "loparite", "CIS", "EUU"): 1_000.0,
    ("oxide", "NdPr", "USA", "JPN"): 800.0,
    ("oxide", "NdPr", "IND", "JPN"): 400.0,
    ("oxide", "NdPr", "MYS", "SEA"): 1_400.0,
    ("metal", "NdPr", "SEA", "JPN"): 2_200.0,
}
BANDS = {"mining": (66, 76), "separation (treated)": (88, 93), "heavy separation": (97, 100), "magnets": (90, 95),
         "metal": (85, 98)}  # fmt: skip
MAX_RESIDUAL_PCT = 1.0

Good = tuple[str, str, str]  # class, good, node
Run = tuple[str, str]  # site, batch
Lane = tuple[str, str, str, str]  # class, good, origin, destination
VarKey = tuple[str, ...]


# ------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class Site:
    """One plant or aggregate of sites.csv."""

    site_id: str
    node: str
    stage: str
    good_in: str
    good_out: str
    basket: str
    nameplate: float
    out_2024: float
    status: str
    metal_yield: float
    finish: float
    var_cost: float

    @property
    def product(self) -> str:
        """Element of the metal or oxide made ("NdPr" of "NdPr metal")."""
        return self.good_out.split()[0]

    @property
    def mined(self) -> float:
        """Steady output of a mine."""
        return STEADY_MINE.get(self.site_id, self.out_2024)

    @property
    def bounds(self) -> tuple[float, float]:
        """Throughput allowed: near the output of 2024, never above nameplate; mines have no choice."""
        if self.stage == "mine":
            return self.mined, self.mined
        wide = NEAR_SMALL if self.out_2024 < SMALL_T else NEAR
        return self.out_2024 * (1 - wide), min(self.nameplate, self.out_2024 * (1 + wide))


@dataclass(frozen=True)
class Tables:
    """The input tables, reduced to what the balance needs."""

    sites: dict[str, Site]
    recovered: dict[str, dict[str, float]]  # basket -> group -> t finished oxide per t TREO treated
    by_element: dict[str, dict[str, float]]  # basket -> single element -> same
    oxide_to_metal: dict[str, float]
    metal_per_magnet: dict[tuple[str, str], float]  # (grade, metal) -> kg per kg
    use: dict[Good, float]
    declared: dict[tuple[str, str], float]  # (element or SEG+, node) -> t a year of surplus or stock
    freight: dict[tuple[str, str], dict[str, float]]  # USD/t by class
    price: dict[tuple[str, str, str], float]  # (good, node, tier), mean of the months
    nodes: tuple[str, ...]

    def seg_content(self, basket: str) -> float:
        """t of SEG+ (as finished oxide) per t TREO treated."""
        return sum(self.recovered[basket][e] for e in HEAVY)

    @property
    def baskets(self) -> list[str]:
        """Basket keys in a fixed order."""
        return sorted(self.recovered)

    def stage(self, *stages: str) -> list[Site]:
        """Sites of the given stages that produced in 2024."""
        return [s for s in self.sites.values() if s.stage in stages and s.out_2024 > 0]


def group_of(element: str) -> str:
    """Product an element is sold in: Nd and Pr together; Ho, Er, Tm, Yb together; Lu alone."""
    if element in ("Nd", "Pr"):
        return "NdPr"
    return "HoYb" if element in ("Ho", "Er", "Tm", "Yb") else element


def read_rows(name: str, folder: Path = DATA) -> list[dict[str, str]]:
    """Rows of one table."""
    with (folder / name).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def number(text: str, default: float = 0.0) -> float:
    """A cell as a number; blank means the default."""
    return float(text) if text.strip() else default


def load_tables(folder: Path = DATA) -> Tables:
    """Read the base-year tables."""
    sites = {
        r["site_id"]: Site(
            r["site_id"], r["node"], r["stage"], r["good_in"], r["good_out"], r["basket_key"],
            number(r["nameplate_t"]), number(r["out_2024_t"]), r["status"], number(r["yield"], 1.0),
            number(r["lace_finish_share"], 1.0), number(r["var_cost"]),
        )
        for r in read_rows("sites.csv", folder)
        if r["status"] != "planned"
    }  # fmt: skip
    recovered: dict[str, dict[str, float]] = {}
    by_element: dict[str, dict[str, float]] = {}
    for r in read_rows("baskets_2025.csv", folder):
        share = number(r["pct_of_treo"]) / 100 * number(r["recovery_to_oxide"])
        groups = recovered.setdefault(r["basket_key"], dict.fromkeys((*LIGHT, *HEAVY), 0.0))
        groups[group_of(r["element"])] += share
        by_element.setdefault(r["basket_key"], {})[r["element"]] = share
    elements = {r["symbol"]: r for r in read_rows("elements.csv", folder)}
    use: dict[Good, float] = defaultdict(float)
    declared: dict[tuple[str, str], float] = defaultdict(float)
    for r in read_rows("other_uses_2025.csv", folder):
        if r["use"].startswith(("surplus", "stock at")):
            declared[r["element"], r["node"]] += number(r["use_2024_t"])
        else:
            use["oxide", r["element"], r["node"]] += number(r["use_2024_t"])
    for r in read_rows("end_use_place_2025.csv", folder):
        for g in GRADES:
            use["magnet", g, r["node"]] += number(r["demand_2024_t"]) * number(r[f"share_{g}"])
    for r in read_rows("smco_place_2025.csv", folder):
        use["magnet", "SmCo", r["node"]] += number(r["demand_2024_t"])
    lanes = read_rows("lanes.csv", folder)
    months: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for r in read_rows("base_prices_2025.csv", folder):
        months[r["good"], r["node"], r["tier"]].append(number(r["price_usd_per_kg"]))
    return Tables(
        sites=sites,
        recovered=recovered,
        by_element=by_element,
        oxide_to_metal={m: number(elements[m]["oxide_to_metal_kg_per_kg"]) for m in METALS},
        metal_per_magnet={
            (g, m): number(elements[m][f"kg_metal_per_kg_magnet_{g}"]) for g in GRADES for m in MAGNET_METALS
        },
        use=dict(use),
        declared=dict(declared),
        freight={(r["origin"], r["destination"]): {c: number(r[k]) for c, k in FREIGHT.items()} for r in lanes},
        price={k: sum(v) / len(v) for k, v in months.items()},
        nodes=tuple(dict.fromkeys(r["origin"] for r in lanes)),
    )


# ------------------------------------------------------------------------------------------------- technology


def accepted(tables: Tables, site: Site) -> list[str]:
    """Batches a site can run: ores, metals, grades or elements."""
    if site.stage == "mine":
        return [site.basket]
    if site.stage == "separation_light":
        if site.node == "CHN":
            clay = site.basket in CLAYS
            return [b for b in tables.baskets if (b in CLAYS) == clay and b != "mt_weld_cld"]
        if site.basket == "mixed light":
            return ["sichuan_bastnaesite", "ion_clay_mid_y"] if site.node == "SEA" else []
        return [site.basket]
    if site.stage == "separation_heavy":
        return [b for b in tables.baskets if site.node == "CHN" or b in CLAYS]
    if site.stage == "magnet_NdFeB":
        return list(GRADES)
    if site.stage == "magnet_SmCo":
        return ["SmCo"]
    if site.stage == "recycling":
        return ["NdPr"] if site.good_in.startswith("end") else list(MAGNET_METALS)
    return [site.product]  # metal, byproduct


def recipe(tables: Tables, site: Site, batch: str) -> list[tuple[str, str, float]]:
    """(class, good, t per t of throughput) made (positive) and used (negative) by one batch at one site."""
    if site.stage == "mine":
        return [("concentrate", batch, 1.0)]
    if site.stage == "separation_light":
        rec = tables.recovered[batch]
        light = [("oxide", e, rec[e] * (site.finish if e != "NdPr" else 1.0)) for e in LIGHT]
        return [("concentrate", batch, -1.0), *light, ("SEG+", batch, tables.seg_content(batch))]
    if site.stage == "separation_heavy":
        rec, seg = tables.recovered[batch], tables.seg_content(batch)
        return [("SEG+", batch, -1.0), *(("oxide", e, rec[e] / seg) for e in HEAVY)]
    if site.stage == "metal":
        return [("metal", batch, 1.0), ("oxide", batch, -1 / tables.oxide_to_metal[batch] / site.metal_yield)]
    if site.stage == "magnet_NdFeB":
        out: list[tuple[str, str, float]] = [("magnet", batch, 1.0)]
        for m in MAGNET_METALS:
            kg = tables.metal_per_magnet[batch, m]
            out += [("metal", m, -kg / site.metal_yield), ("swarf", m, kg * (1 / site.metal_yield - 1))]
        return out
    if site.stage == "magnet_SmCo":
        return [("magnet", "SmCo", 1.0), ("metal", "Sm", -SM_PER_SMCO / site.metal_yield)]
    if site.stage == "recycling" and not site.good_in.startswith("end"):
        return [("oxide", batch, 1.0), ("swarf", batch, -tables.oxide_to_metal[batch] / SWARF_RECOVERY)]
    return [("oxide", batch, 1.0)]  # end-of-life recycling and by-products start outside the model


def lane_open(cls: str, good: str, origin: str, destination: str) -> bool:
    """Whether the balance uses a lane for a good."""
    if cls == "concentrate":
        return (origin, destination) in CONCENTRATE_LANES.get(good, ())
    if cls == "SEG+":
        return destination == "CHN" and origin in ("MYS", "SEA", "EUU", "IND")
    if cls == "swarf":
        return destination in ("CHN", "SEA", "JPN")
    return origin != "MMR" and destination != "MMR"


def goods_of(tables: Tables, cls: str) -> list[str]:
    """Goods of a class."""
    return {
        "concentrate": tables.baskets,
        "SEG+": tables.baskets,
        "oxide": list(OXIDES),
        "metal": list(METALS),
        "swarf": list(MAGNET_METALS),
        "magnet": [*GRADES, "SmCo"],
    }[cls]


# ------------------------------------------------------------------------------------------------- linear programme


@dataclass
class Programme:
    """A linear programme with named variables and balance rows."""

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    index: dict[VarKey, int] = field(default_factory=dict)
    rows: dict[Good, int] = field(default_factory=dict)
    rhs: list[float] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    limit_entries: list[tuple[int, int, float]] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)

    def variable(self, key: VarKey, cost: float = 0.0, lower: float = 0.0, upper: float = math.inf) -> int:
        """Add a variable and return its column."""
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.index[key] = len(self.cost) - 1
        return self.index[key]

    def put(self, good: Good, column: int, coefficient: float) -> None:
        """Let a variable add to (or take from) a good at a node."""
        if good not in self.rows:
            self.rows[good] = len(self.rhs)
            self.rhs.append(0.0)
        self.entries.append((self.rows[good], column, coefficient))

    def limit(self, terms: Iterable[tuple[int, float]], bound: float) -> None:
        """Add the inequality sum(coefficient * variable) <= bound."""
        row = len(self.limits)
        self.limit_entries += [(row, j, a) for j, a in terms]
        self.limits.append(bound)

    def matrix(self, entries: list[tuple[int, int, float]], rows: int) -> coo_matrix:
        """Sparse matrix of the entries."""
        i, j, a = zip(*entries, strict=True)
        return coo_matrix((a, (i, j)), shape=(rows, len(self.cost))).tocsr()

    def solve(self) -> np.ndarray:
        """Optimal values, refined until the balances hold to rounding."""
        equal = self.matrix(self.entries, len(self.rhs))
        less = self.matrix(self.limit_entries, len(self.limits))
        bounds = list(zip(self.lower, self.upper, strict=True))
        result = linprog(
            self.cost, A_ub=less, b_ub=self.limits, A_eq=equal, b_eq=self.rhs, bounds=bounds, method="highs"
        )
        if result.status != 0:
            raise RuntimeError(f"the base year does not close: {result.message}")
        x = np.where(np.abs(result.x) < 1e-8, 0.0, np.asarray(result.x, dtype=float))
        fixed = np.array([lo == hi for lo, hi in bounds])
        for _ in range(2):  # move the variables in use, in proportion to their size
            scale = np.where(fixed, 0.0, np.abs(x))
            step = lsqr(equal @ diags(scale), np.asarray(self.rhs) - equal @ x, atol=1e-15, btol=1e-15, iter_lim=5000)
            x = x + scale * step[0]
        return x


def build(tables: Tables) -> Programme:
    """Sites, lanes, uses and left-overs of the base year; costs are least freight and few left-overs."""
    lp = Programme()
    for site in tables.stage(
        "mine", "separation_light", "separation_heavy", "metal", "magnet_NdFeB", "magnet_SmCo", "recycling", "byproduct"
    ):
        columns = []
        for batch in accepted(tables, site):
            column = lp.variable(("run", site.site_id, batch))
            for cls, good, t in recipe(tables, site, batch):
                lp.put((cls, good, site.node), column, t)
            if site.stage != "recycling" or batch == "NdPr":
                columns.append(column)
        low, high = site.bounds
        if columns:
            lp.limit([(j, 1.0) for j in columns], high)
            lp.limit([(j, -1.0) for j in columns], -low)
    for (origin, destination), freight in tables.freight.items():
        for cls in CLASSES:
            for good in goods_of(tables, cls):
                if lane_open(cls, good, origin, destination):
                    column = lp.variable(("ship", cls, good, origin, destination), freight[cls] / 1000)
                    lp.put((cls, good, origin), column, -1.0)
                    lp.put((cls, good, destination), column, 1.0)
    for key, t in tables.use.items():
        if key not in lp.rows:
            raise ValueError(f"no source for {key}")
        lp.rhs[lp.rows[key]] += t
    add_leftovers(tables, lp)
    return lp


def add_leftovers(tables: Tables, lp: Programme) -> None:
    """Surplus and shortage of each good at each node, at costs that make both a last resort."""
    stock = {("concentrate", tables.sites[s].basket, tables.sites[s].node): t for s, t in STOCK_BUILD.items()}
    for key in list(lp.rows):
        cls, good, node = key
        if cls == "oxide":
            free = good in UNSOLD
            cost = (0.01 if node == "CHN" else 1.0) if free else (50.0 if node == "CHN" else 55.0)
        else:
            cost = 0.01 if cls == "SEG+" and node in SEG_STOCK_NODES else 60.0
        build_up = stock.get(key)
        low, high = (0.0, math.inf) if build_up is None else (build_up, build_up)
        lp.put(key, lp.variable(("surplus", *key), cost, low, high), -1.0)
        lp.put(key, lp.variable(("short", *key), 1000.0), 1.0)


# ------------------------------------------------------------------------------------------------- the plausible spread


def proportional_fit(
    seed: Mapping[tuple[str, str], float], rows: Mapping[str, float], columns: Mapping[str, float], rounds: int = 500
) -> dict[tuple[str, str], float]:
    """Scale a seed table in turn to its row and column totals (columns win)."""
    table = dict(seed)
    for _ in range(rounds):
        for axis, totals in ((0, rows), (1, columns)):
            sums: dict[str, float] = defaultdict(float)
            for key, v in table.items():
                sums[key[axis]] += v
            table = {k: v * totals[k[axis]] / sums[k[axis]] if sums[k[axis]] else 0.0 for k, v in table.items()}
    return table


def magnet_targets(tables: Tables) -> dict[Run, float]:
    """Plants abroad make the grade mix of their own node; Chinese plants share one mix, so that all uses are met."""
    targets: dict[Run, float] = {(s.site_id, "SmCo"): s.out_2024 for s in tables.stage("magnet_SmCo")}
    world = {g: sum(t for (c, q, _), t in tables.use.items() if c == "magnet" and q == g) for g in GRADES}
    abroad = [s for s in tables.stage("magnet_NdFeB") if s.node != "CHN"]
    home = [s for s in tables.stage("magnet_NdFeB") if s.node == "CHN"]
    use_abroad = sum(t for (c, q, n), t in tables.use.items() if c == "magnet" and q in GRADES and n != "CHN")
    need = use_abroad - EXPORT_TARGET_T - sum(s.out_2024 for s in abroad)
    room = sum(s.bounds[1] - s.out_2024 for s in abroad)
    made: dict[str, float] = defaultdict(float)
    for s in abroad:
        total = s.out_2024 + max(0.0, min(1.0, need / room)) * (s.bounds[1] - s.out_2024)
        node_use = {g: tables.use.get(("magnet", g, s.node), 0.0) for g in GRADES}
        for g in GRADES:
            targets[s.site_id, g] = total * node_use[g] / sum(node_use.values())
            made[g] += targets[s.site_id, g]
    size = sum(s.out_2024 for s in home)
    for s in home:
        for g in GRADES:
            targets[s.site_id, g] = (world[g] - made[g]) * s.out_2024 / size
    return targets


def metal_targets(tables: Tables, magnets: Mapping[Run, float]) -> dict[Run, float]:
    """Metal plants abroad at their output of 2024; Chinese plants share the rest of what magnets need."""
    need: dict[str, float] = defaultdict(float)
    for (site_id, batch), t in magnets.items():
        for cls, good, a in recipe(tables, tables.sites[site_id], batch):
            if cls == "metal":
                need[good] -= a * t
    targets: dict[Run, float] = {}
    for m in METALS:
        plants = [s for s in tables.stage("metal") if s.product == m]
        home = [s for s in plants if s.node == "CHN"]
        rest = need[m] - sum(s.out_2024 for s in plants if s.node != "CHN")
        size = sum(s.out_2024 for s in home)
        for s in plants:
            targets[s.site_id, m] = rest * s.out_2024 / size if s in home else s.out_2024
    return targets


def recycling_targets(tables: Tables, magnets: Mapping[Run, float]) -> dict[Run, float]:
    """Recyclers abroad at their output of 2024, Chinese ones take the rest of the swarf; Dy and Tb follow NdPr."""
    oxide: dict[str, float] = defaultdict(float)
    for (site_id, batch), t in magnets.items():
        for cls, good, a in recipe(tables, tables.sites[site_id], batch):
            if cls == "swarf":
                oxide[good] += a * t * SWARF_RECOVERY / tables.oxide_to_metal[good]
    plants = [s for s in tables.stage("recycling") if not s.good_in.startswith("end")]
    abroad = sum(s.out_2024 for s in plants if s.node != "CHN")
    targets: dict[Run, float] = {}
    for s in tables.stage("recycling"):
        if s not in plants:
            targets[s.site_id, "NdPr"] = s.out_2024
            continue
        ndpr = s.out_2024 if s.node != "CHN" else oxide["NdPr"] - abroad
        for m in MAGNET_METALS:
            targets[s.site_id, m] = ndpr * oxide[m] / oxide["NdPr"]
    return targets


def separation_targets(tables: Tables) -> dict[Run, float]:
    """Chinese separators share what they accept in proportion, their own ore first; plants abroad run as in 2024."""
    targets: dict[Run, float] = {}
    ore: dict[str, float] = defaultdict(float)
    for s in tables.stage("mine"):
        ore[s.basket] += s.mined - STOCK_BUILD.get(s.site_id, 0.0)
    for s in tables.stage("separation_light"):
        if s.node == "CHN":
            continue
        for b in accepted(tables, s):
            targets[s.site_id, b] = s.out_2024 if s.basket == b else mixed_share(tables, s, b)
            ore[b] -= targets[s.site_id, b]
    for clay in (False, True):
        plants = [s for s in tables.stage("separation_light") if s.node == "CHN" and (s.basket in CLAYS) == clay]
        supply = {b: t for b, t in ore.items() if (b in CLAYS) == clay and t > 1.0}
        scale = sum(supply.values()) / sum(s.out_2024 for s in plants)
        seed = {(s.site_id, b): own_weight(s, b) for s in plants for b in supply}
        targets |= proportional_fit(seed, {s.site_id: s.out_2024 * scale for s in plants}, supply)
    return targets | heavy_targets(tables, targets)


def mixed_share(tables: Tables, site: Site, basket: str) -> float:
    """What a plant that takes any light ore treats of one basket: all local hard rock, clay for the rest."""
    rock = sum(m.mined for m in tables.stage("mine") if m.node == site.node and m.basket not in CLAYS)
    return site.out_2024 - rock if basket in CLAYS else rock


def own_weight(site: Site, basket: str) -> float:
    """Seed weight of an ore at a separator: affiliate contract, own ore, any other ore it takes."""
    if site.site_id == "SEP_CHN_NRE" and basket == "bayan_obo":
        return 1000.0  # Baogang sells all its concentrate to its affiliate
    return 10.0 if site.basket == basket else 1.0


def heavy_targets(tables: Tables, light: Mapping[Run, float]) -> dict[Run, float]:
    """Heavy separators share SEG+ in proportion to their size, China Northern its own first."""
    plants = tables.stage("separation_heavy")
    supply: dict[str, float] = defaultdict(float)
    for (site_id, basket), t in light.items():
        if tables.sites[site_id].node not in SEG_STOCK_NODES:
            supply[basket] += t * tables.seg_content(basket)
    targets: dict[Run, float] = {}
    for s in plants:
        if s.node != "CHN":
            local = {b for site_id, b in light if tables.sites[site_id].node == s.node}
            clays = [b for b in accepted(tables, s) if b in local]
            for b in clays:
                targets[s.site_id, b] = s.out_2024 / len(clays)
                supply[b] -= targets[s.site_id, b]
    home = [s for s in plants if s.node == "CHN"]
    scale = sum(supply.values()) / sum(s.out_2024 for s in home)
    seed = {
        (s.site_id, b): 10.0 if (s.site_id, b) == ("SEH_CHN_NRE", "bayan_obo") else 1.0 for s in home for b in supply
    }
    return targets | proportional_fit(seed, {s.site_id: s.out_2024 * scale for s in home}, supply)


def spread_targets(tables: Tables) -> dict[Run, float]:
    """Throughput by site and batch that would be plausible; the second programme stays as near as balances allow."""
    magnets = magnet_targets(tables)
    out = {(s.site_id, s.product): s.out_2024 for s in tables.stage("byproduct")}
    out |= magnets | metal_targets(tables, magnets) | recycling_targets(tables, magnets) | separation_targets(tables)
    return out


UNDECLARED_COST = 1.0  # price of a tonne of oxide left over that no row declares, against the distance below
STEPS = ((0.02, 1.0), (0.08, 3.0), (0.2, 9.0), (0.3, 27.0), (math.inf, 81.0))  # (width of the step, price of it)


def add_distance(lp: Programme, targets: Mapping[Run, float], mines: frozenset[Run]) -> None:
    """Charge distance from the targets, steeper the further: a square in straight pieces."""
    for key, j in [(k, j) for k, j in lp.index.items() if k[0] == "run"]:
        target = targets.get((key[1], key[2]))
        if target is None:  # mines are fixed; no other site runs a batch it has no target for
            if (key[1], key[2]) not in mines:
                lp.upper[j] = 0.0
            continue
        row = len(lp.rhs)
        lp.rows["distance", str(j), ""] = row
        lp.rhs.append(target)
        lp.entries.append((row, j, 1.0))
        for width, price in STEPS:
            for sign in (1.0, -1.0):
                name = ("distance", str(j), str(width), str(sign))
                column = lp.variable(name, price / math.sqrt(max(target, 1e-3)), 0.0, width * target)
                lp.entries.append((row, column, -sign))


@dataclass
class Balance:
    """A steady flow: throughput of sites, trade, uses, and what is left over."""

    run: dict[Run, float]
    flow: dict[Lane, float]
    use: dict[Good, float]
    surplus: dict[Good, float]

    def made(self, tables: Tables) -> dict[Good, float]:
        """t made of each good at each node."""
        return self._sum(tables, 1.0)

    def consumed(self, tables: Tables) -> dict[Good, float]:
        """t used of each good at each node, by processes and end uses."""
        out = self._sum(tables, -1.0)
        for key, t in self.use.items():
            out[key] += t
        return out

    def _sum(self, tables: Tables, sign: float) -> dict[Good, float]:
        out: dict[Good, float] = defaultdict(float)
        for (site_id, batch), t in self.run.items():
            site = tables.sites[site_id]
            for cls, good, a in recipe(tables, site, batch):
                if a * sign > 0:
                    out[cls, good, site.node] += abs(a) * t
        return out


def solve_least_freight(tables: Tables) -> Balance:
    """First programme: any flow that closes, at least freight."""
    lp = build(tables)
    return read_balance(tables, lp, lp.solve())


def solve(tables: Tables) -> Balance:
    """Second programme: the flow nearest to the plausible spread, then trade in proportion."""
    lp = build(tables)
    add_distance(lp, spread_targets(tables), frozenset((s.site_id, s.basket) for s in tables.stage("mine")))
    for key, j in lp.index.items():
        if key[0] == "ship":
            lp.cost[j] *= 1e-3
        elif key[0] == "short":
            lp.upper[j] = 0.0
        elif key[0] == "surplus" and key[1] == "oxide":
            lp.cost[j] = 0.0 if key[2] in UNSOLD else UNDECLARED_COST
            if key[3] != "CHN":
                lp.upper[j] = 0.0  # left-overs of oxide gather in China, where the market is
    for lane, t in PINNED.items():
        j = lp.index["ship", *lane]
        lp.lower[j] = lp.upper[j] = t
    return spread_trade(tables, read_balance(tables, lp, lp.solve()))


def read_balance(tables: Tables, lp: Programme, x: np.ndarray) -> Balance:
    """Collect the positive values of a solution."""
    out = Balance({}, {}, dict(tables.use), {})
    for key, j in lp.index.items():
        t = float(x[j])
        if abs(t) < 1e-7:
            continue
        if key[0] == "run":
            out.run[key[1], key[2]] = t
        elif key[0] == "ship":
            out.flow[key[1], key[2], key[3], key[4]] = t
        elif key[0] == "surplus":
            out.surplus[key[1], key[2], key[3]] = t
        elif key[0] == "short":
            raise RuntimeError(f"the base year does not close: {t:.3f} t short of {key[1:]}")
    return out


def spread_trade(tables: Tables, balance: Balance) -> Balance:
    """Every importer buys from every exporter in proportion to what it has left, after contracts in force."""
    made, used = balance.made(tables), balance.consumed(tables)
    flow: dict[Lane, float] = {k: t for k, t in balance.flow.items() if k[0] in ("concentrate", "SEG+")}
    for cls in ("oxide", "metal", "swarf", "magnet"):
        for good in goods_of(tables, cls):
            net = {n: made.get((cls, good, n), 0.0) - used.get((cls, good, n), 0.0)
                   - balance.surplus.get((cls, good, n), 0.0) for n in tables.nodes}  # fmt: skip
            pins = {k: t for k, t in PINNED.items() if k[:2] == (cls, good)}
            if (cls, good) == ("oxide", "NdPr"):
                pins |= toll_chain(net, pins)
            for (_, _, origin, destination), t in pins.items():
                net[origin] -= t
                net[destination] += t
            flow |= pins
            sellers = {n: t for n, t in net.items() if t > 1e-9}
            buyers = {n: -t for n, t in net.items() if t < -1e-9}
            total = max(sum(sellers.values()), 1e-12)
            for o, a in sellers.items():
                for d, b in buyers.items():
                    if not lane_open(cls, good, o, d):
                        raise RuntimeError(f"no lane for {good} from {o} to {d}")
                    flow[cls, good, o, d] = a * b / total
    return Balance(balance.run, flow, balance.use, balance.surplus)


def toll_chain(net: Mapping[str, float], pins: Mapping[Lane, float]) -> dict[Lane, float]:
    """Japanese buyers take Lynas oxide and supply what Vietnam and Thailand turn into metal for them."""
    into = {n: sum(t for k, t in pins.items() if k[3] == n) for n in ("SEA", "JPN")}
    to_sea = max(0.0, -net["SEA"] - into["SEA"])
    to_japan = max(0.0, -net["JPN"] - into["JPN"] + to_sea)
    return {("oxide", "NdPr", "JPN", "SEA"): to_sea, ("oxide", "NdPr", "MYS", "JPN"): to_japan}


# ------------------------------------------------------------------------------------------------- stored table

UNIT = {
    "concentrate": "t TREO a year",
    "SEG+": "t SEG+ (REO) a year",
    "oxide": "t oxide a year",
    "metal": "t metal a year",
    "swarf": "t contained metal a year",
    "magnet": "t finished magnet a year",
}
STAGE_CLASS = {
    "mine": "concentrate",
    "separation_light": "concentrate",
    "separation_heavy": "SEG+",
    "metal": "metal",
    "magnet_NdFeB": "magnet",
    "magnet_SmCo": "magnet",
    "recycling": "oxide",
    "byproduct": "oxide",
}
SOURCE = "steady balance nearest to 2024 outputs (experiments/balance.py): feasible, not observed"


def table_rows(tables: Tables, balance: Balance) -> Iterator[dict[str, str]]:
    """Rows of base_balance_2024.csv."""

    def row(record: str, site: str, batch: str, cls: str, good: str, lane: tuple[str, str], t: float) -> dict[str, str]:
        values = (record, site, batch, cls, good, *lane, f"{t:.12g}", UNIT[cls], "derived", SOURCE, "low")
        return dict(zip(COLUMNS, values, strict=True))

    for site_id, site in tables.sites.items():
        for (run_site, batch), t in sorted(balance.run.items()):
            if run_site == site_id:
                cls = STAGE_CLASS[site.stage]
                yield row("throughput", site_id, batch, cls, batch, (site.node, site.node), t)
    flows = balance.flow | domestic(tables, balance)
    order = {c: i for i, c in enumerate(CLASSES)}
    for (cls, good, o, d), t in sorted(flows.items(), key=lambda x: (order[x[0][0]], x[0][1:])):
        yield row("flow", "", "", cls, good, (o, d), t)
    for record, values in (("use", balance.use), ("surplus", balance.surplus)):
        for (cls, good, n), t in sorted(values.items(), key=lambda x: (order[x[0][0]], x[0][1:])):
            if t != 0.0:
                yield row(record, "", "", cls, good, (n, n), t)


def domestic(tables: Tables, balance: Balance) -> dict[Lane, float]:
    """t made and used in the same node: made less exported less left over (own output is exported before imports)."""
    out: dict[Lane, float] = {}
    exports: dict[Good, float] = defaultdict(float)
    for (cls, good, o, _), t in balance.flow.items():
        exports[cls, good, o] += t
    for key, t in balance.made(tables).items():
        home = t - balance.surplus.get(key, 0.0) - exports.get(key, 0.0)
        if home > 1e-6 * t:
            out[key[0], key[1], key[2], key[2]] = home
    return out


def write_table(tables: Tables, balance: Balance, path: Path = DATA / OUTPUT) -> int:
    """Store the balance; returns the number of rows."""
    rows = list(table_rows(tables, balance))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


# ------------------------------------------------------------------------------------------------- margins


class Margins:
    """Variable margin of each site at base prices (USD/kg of the stage's unit, mean of the four months)."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.home = {g: p for (g, _, tier), p in tables.price.items() if tier == "domestic ex VAT"}
        self.fob = {g: p for (g, _, tier), p in tables.price.items() if tier == "FOB"}
        self.abroad = {g: p for (g, _, tier), p in tables.price.items() if tier.startswith("contract, made outside")}
        ores = {k: p for k, p in tables.price.items() if k[0].startswith("concentrate")}
        self.ore = {g.split()[-1]: p for (g, n, _), p in ores.items() if n != "IND"}
        self.ore_india = {g.split()[-1]: p for (g, n, _), p in ores.items() if n == "IND"}

    def oxide(self, element: str, node: str) -> float:
        """Price of an oxide at home in China or under contract outside."""
        good = f"{element} oxide"
        return self.home[good] if node == "CHN" else self.abroad.get(good, self.home[good])

    def concentrate(self, basket: str, node: str) -> float:
        """Price of an ore; ores without a price of their own take that of their kind."""
        if node == "IND":
            return self.ore_india[basket]
        return self.ore.get(basket, self.ore["ion_clay_mid_y" if basket in CLAYS else "bayan_obo"])

    def heavy_value(self, basket: str, node: str) -> float:
        """Value of the heavies in one kg TREO; half of what is in surplus stays unsold."""
        total = 0.0
        for element, kg in self.tables.by_element[basket].items():
            group = group_of(element)
            if group in HEAVY:
                price = self.home[f"{element} oxide"] if group in ("HoYb", "Lu") else self.oxide(group, node)
                total += kg * price * (0.5 if element in ("Sm", "Eu", "Er", "Tm", "Yb", "Lu") else 1.0)
        return total

    @staticmethod
    def seg_pay(basket: str) -> float:
        """Share of its value that SEG+ fetches."""
        return 0.86 if basket in CLAYS else 0.75

    def mine(self, s: Site) -> float:
        """Ore price less freight to where the ore is sold, less cost."""
        to = "CHN" if s.node in ("MMR", "SEA", "AFR", "BRA", "MYS") else s.node
        freight = self.tables.freight[s.node, to]["concentrate"] / 1000 / 0.6 if to != s.node else 0.0
        return self.concentrate(s.basket, s.node) - freight - s.var_cost

    def light(self, s: Site) -> float:
        """Light oxides plus SEG+ less ore and cost."""
        basket = "sichuan_bastnaesite" if s.basket == "mixed light" else s.basket
        value = sum(
            kg * self.oxide(group_of(e), s.node) * (s.finish if e in ("La", "Ce") else 1.0)
            for e, kg in self.tables.by_element[basket].items()
            if group_of(e) in LIGHT
        )
        sold = 1.0 if s.node == "CHN" else 0.9 if s.node in ("MYS", "SEA", "EUU") else 0.0
        seg = sold * self.seg_pay(basket) * self.heavy_value(basket, "CHN")
        return value + seg - self.concentrate(basket, s.node) - s.var_cost

    def heavy(self, s: Site) -> float:
        """Heavy oxides less SEG+ and cost."""
        basket = "bayan_obo" if s.site_id == "SEH_CHN_NRE" else "ion_clay_mid_y"
        value = self.heavy_value(basket, "CHN") / self.tables.seg_content(basket)
        sold = 1.0 if s.node == "CHN" else self.fob["Dy oxide"] / self.home["Dy oxide"]
        return (sold - self.seg_pay(basket)) * value - s.var_cost

    def metal(self, s: Site) -> float:
        """Metal less oxide and cost."""
        prices = self.home if s.node == "CHN" else self.fob | self.abroad
        oxide = prices[f"{s.product} oxide"] / self.tables.oxide_to_metal[s.product] / s.metal_yield
        return prices[f"{s.product} metal"] - oxide - s.var_cost

    def ndfeb(self, s: Site) -> float:
        """Magnet less metal plus swarf less cost, at the grade mix of the world."""
        home, total = s.node == "CHN", 0.0
        for grade, share in zip(GRADES, (0.55, 0.20, 0.03, 0.22), strict=True):
            value = (self.home if home else self.abroad)[f"magnet {grade}"] - s.var_cost
            for m in MAGNET_METALS:
                kg = self.tables.metal_per_magnet[grade, m]
                price = self.home[f"{m} metal"] if home else self.fob[f"{m} metal"] * 1.02
                swarf = kg * (1 / s.metal_yield - 1) / self.tables.oxide_to_metal[m] * SWARF_RECOVERY
                value += swarf * self.home[f"{m} oxide"] * (0.82 if home else 0.6) - kg / s.metal_yield * price
            total += share * value
        return total

    def smco(self, s: Site) -> float:
        """SmCo magnet less samarium and cost."""
        magnet = (self.home if s.node == "CHN" else self.abroad)["magnet SmCo"]
        samarium = (self.home if s.node == "CHN" else self.fob)["Sm metal"]
        return magnet - SM_PER_SMCO / s.metal_yield * samarium - s.var_cost

    def recycling(self, s: Site) -> float:
        """NdPr oxide, with some Dy and Tb, less swarf or old magnets and cost."""
        swarf = s.good_in.startswith("swarf")
        return self.oxide("NdPr", s.node) * (1 - (0.85 if swarf else 0.40) + (0.06 if swarf else 0)) - s.var_cost

    def byproduct(self, s: Site) -> float:
        """Oxide less cost; the residue is free."""
        return self.home[s.good_out] - s.var_cost

    def of(self, s: Site) -> float:
        """Margin of one site."""
        rule = {
            "mine": self.mine, "separation_light": self.light, "separation_heavy": self.heavy, "metal": self.metal,
            "magnet_NdFeB": self.ndfeb, "magnet_SmCo": self.smco, "recycling": self.recycling,
            "byproduct": self.byproduct,
        }[s.stage]  # fmt: skip
        return rule(s)


# ------------------------------------------------------------------------------------------------- report


def shares(tables: Tables, balance: Balance) -> dict[str, dict[str, float]]:
    """t by node for each stage."""
    stages = {
        "mining": ("mine",),
        "separation (treated)": ("separation_light",),
        "heavy separation": ("separation_heavy",),
        "magnets": ("magnet_NdFeB", "magnet_SmCo"),
        "metal": ("metal",),
    }
    out: dict[str, dict[str, float]] = {k: defaultdict(float) for k in stages}
    for (site_id, _), t in balance.run.items():
        site = tables.sites[site_id]
        for name, members in stages.items():
            if site.stage in members:
                out[name][site.node] += t
    return out


def china_pct(by_node: Mapping[str, float]) -> float:
    """Share of China in percent."""
    return by_node.get("CHN", 0.0) / sum(by_node.values()) * 100


@dataclass(frozen=True)
class ElementRow:
    """World balance of one oxide, t a year."""

    element: str
    primary: float
    recycled: float
    in_metal: float
    other_use: float
    surplus: float
    declared: float

    @property
    def residual_pct(self) -> float:
        """Left over that no row declares, in percent of supply."""
        return (self.surplus - self.declared) / (self.primary + self.recycled) * 100


def element_rows(tables: Tables, balance: Balance) -> list[ElementRow]:
    """World balance by oxide."""
    primary: dict[str, float] = defaultdict(float)
    recycled: dict[str, float] = defaultdict(float)
    metal: dict[str, float] = defaultdict(float)
    for (site_id, batch), t in balance.run.items():
        site = tables.sites[site_id]
        for cls, good, a in recipe(tables, site, batch):
            if cls == "oxide":
                into = metal if a < 0 else recycled if site.stage == "recycling" else primary
                into[good] += abs(a) * t
    return [
        ElementRow(
            e, primary[e], recycled[e], metal[e],
            sum(t for (c, g, _), t in balance.use.items() if (c, g) == ("oxide", e)),
            sum(t for (c, g, _), t in balance.surplus.items() if (c, g) == ("oxide", e)),
            sum(t for (g, _), t in tables.declared.items() if g == e),
        )
        for e in OXIDES
    ]  # fmt: skip


def undeclared(tables: Tables, balance: Balance) -> dict[Good, float]:
    """Left-overs that no row of other_uses_2025.csv or of the stock builds declares."""
    builds = {("concentrate", tables.sites[s].basket, tables.sites[s].node): t for s, t in STOCK_BUILD.items()}
    out = {}
    for (cls, good, node), t in balance.surplus.items():
        declared = tables.declared.get(("SEG+" if cls == "SEG+" else good, node), 0.0)
        out[cls, good, node] = (
            t - builds.get((cls, good, node), 0.0) if cls == "concentrate"
            else max(0.0, t - declared) if cls == "SEG+"
            else t - declared if cls == "oxide" else t
        )  # fmt: skip
    return out


def print_margins(tables: Tables) -> list[str]:
    """Margins by site; returns the sites that produced in 2024 at a loss."""
    click.echo("== unit margin at base prices (variable cost only; USD/kg of the stage's unit) ==")
    margins, losing = Margins(tables), []
    for s in tables.sites.values():
        m = margins.of(s)
        if s.out_2024 > 0 and m < 0 and "idle" not in s.status:
            losing.append(s.site_id)
        mark = "" if m >= 0 else "   <-- NEGATIVE"
        click.echo(f"{s.site_id:20s} {s.stage:17s} {s.node:4s} var {s.var_cost:7.2f}  margin {m:8.2f}{mark}")
    return losing


def print_elements(tables: Tables, balance: Balance) -> bool:
    """World balance by element; True when every residual is small."""
    click.echo("\n== mass balance by element, world 2024 (t oxide) ==")
    heads = ("primary", "recycled", "in metal", "other use", "surplus")
    click.echo(f"{'':6s}" + "".join(f"{h:>10s}" for h in heads) + f"{'resid %':>9s}")
    rows = element_rows(tables, balance)
    for r in rows:
        values = (r.primary, r.recycled, r.in_metal, r.other_use, r.surplus)
        line = "".join(f"{v:10.0f}" for v in values)
        click.echo(f"{r.element:6s}{line}{r.residual_pct:9.2f}   (declared surplus {r.declared:.0f})")
    return all(abs(r.residual_pct) <= MAX_RESIDUAL_PCT for r in rows)


def print_shares(tables: Tables, balance: Balance) -> bool:
    """Shares of China; True when all lie in their bands."""
    click.echo("\n== shares of China by stage ==")
    good = True
    for name, by_node in shares(tables, balance).items():
        low, high = BANDS[name]
        pct = china_pct(by_node)
        inside = low <= pct <= high
        good &= inside
        top = ", ".join(f"{k} {v:.0f}" for k, v in sorted(by_node.items(), key=lambda t: -t[1])[:7])
        word = "ok" if inside else "OUT OF BAND"
        click.echo(f"{name:22s} world {sum(by_node.values()):10.0f}  China {pct:5.1f} %  {word} [{low}-{high}]   {top}")
    return good


def print_capacity(tables: Tables, balance: Balance) -> bool:
    """Use of capacity; True when nobody runs above nameplate."""
    click.echo("\n== use of capacity by stage and node (throughput / nameplate) ==")
    used: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for s in tables.sites.values():
        if s.stage == "mine" or (s.stage == "separation_light" and s.out_2024 <= 0):
            continue
        runs = {b: t for (i, b), t in balance.run.items() if i == s.site_id}
        used[s.stage, s.node][0] += runs.get("NdPr", 0.0) if s.stage == "recycling" else sum(runs.values())
        used[s.stage, s.node][1] += s.nameplate
    for (stage, node), (t, cap) in sorted(used.items()):
        click.echo(f"{stage:18s}{node:5s}{t:10.0f} /{cap:9.0f} {t / cap * 100 if cap else 0:5.0f} %")
    return all(t <= cap * 1.0001 for t, cap in used.values())


def print_residuals(tables: Tables, balance: Balance) -> bool:
    """What is left over by class of goods; True when small everywhere."""
    click.echo("\n== residual by stage, world: left over that no row declares, share of what was made or delivered ==")
    left = undeclared(tables, balance)
    came: dict[Good, float] = defaultdict(float, balance.made(tables))
    for (cls, good, _, d), t in balance.flow.items():
        came[cls, good, d] += t
    for cls in CLASSES:
        flow = sum(t for k, t in came.items() if k[0] == cls)
        rest = sum(abs(t) for k, t in left.items() if k[0] == cls)
        click.echo(f"{cls:12s} flow {flow:10.0f}   undeclared {rest:8.1f}   {rest / flow * 100 if flow else 0:6.2f} %")
    worst = sorted(((abs(t) / came[k] * 100, k, t) for k, t in left.items() if came[k] > 1), reverse=True)
    click.echo("largest node residuals (% of what came in or was made there):")
    for pct, (cls, good, node), t in worst[:8]:
        click.echo(f"   {pct:6.2f} %  {cls} {good} {node}  flow {came[cls, good, node]:.0f}  residual {t:.1f}")
    tonnes = {k: round(t, 1) for k, t in balance.surplus.items() if k[0] == "oxide" and k[1] not in UNSOLD}
    listed = ", ".join(f"{g} {n} {t} t" for (_, g, n), t in tonnes.items())
    click.echo(f"left-over that is not a declared surplus: {listed or 'none'}")
    return all(pct <= MAX_RESIDUAL_PCT for pct, _, _ in worst)


def print_nodes(tables: Tables, balance: Balance) -> None:
    """Balances of the main goods by node, and Chinese exports."""
    click.echo("\n== node balances, main goods (t): made, in, out, used by processes, end use, left ==")
    made, used = balance.made(tables), balance.consumed(tables)
    mains = [("oxide", "NdPr"), ("oxide", "Dy"), ("metal", "NdPr"), *(("magnet", g) for g in GRADES)]
    for cls, good in mains:
        for n in tables.nodes:
            key = (cls, good, n)
            into = sum(t for k, t in balance.flow.items() if k[:2] == (cls, good) and k[3] == n)
            out = sum(t for k, t in balance.flow.items() if k[:2] == (cls, good) and k[2] == n)
            end, m = balance.use.get(key, 0.0), made.get(key, 0.0)
            process = used.get(key, 0.0) - end
            if m + into + end + process > 1:
                click.echo(
                    f"{cls + ' ' + good:13s} {n:4s} made {m:9.0f}  in {into:8.0f}  out {out:8.0f}  "
                    f"processes {process:8.0f}  end use {end:8.0f}  left {balance.surplus.get(key, 0.0):7.1f}"
                )
    click.echo(
        f"\nChinese NdFeB exports in this flow: {chinese_exports(balance):.0f} t "
        "(customs 2024 about 58,000; first quarter 2025 15,266 a quarter)"
    )


def chinese_exports(balance: Balance) -> float:
    """t NdFeB leaving China."""
    return sum(t for (c, g, o, _), t in balance.flow.items() if c == "magnet" and g in GRADES and o == "CHN")


def report(tables: Tables, balance: Balance) -> bool:
    """Print all tables; True when the base year closes."""
    losing = print_margins(tables)
    tests = [
        not losing,
        print_elements(tables, balance),
        print_shares(tables, balance),
        print_capacity(tables, balance),
        print_residuals(tables, balance),
    ]
    print_nodes(tables, balance)
    click.echo(f"sites losing money on variable cost: {', '.join(losing) or 'none'}")
    return all(tests)


def main(argv: list[str] | None = None) -> int:
    """Solve, print, and store the balance if asked; 0 when it closes."""
    parser = argparse.ArgumentParser(description="Does the base year 2024/25 close?")
    parser.add_argument("--write", action="store_true", help=f"store the balance as env/data/{OUTPUT}")
    options = parser.parse_args(argv)
    tables = load_tables()
    try:
        freight = solve_least_freight(tables)
        balance = solve(tables)
    except (RuntimeError, ValueError) as error:
        click.echo(f"{error}\nRESULT: does not close")
        return 1
    closes = report(tables, balance)
    both = [f"{k} {china_pct(v):.1f} %" for k, v in shares(tables, freight).items()]
    click.echo(f"least-freight corner for comparison, shares of China: {', '.join(both)}")
    if options.write:
        click.echo(f"wrote {write_table(tables, balance)} rows to {OUTPUT}")
    click.echo(f"RESULT: {'closes' if closes else 'does not close'}")
    return 0 if closes else 1


if __name__ == "__main__":
    sys.exit(main())
