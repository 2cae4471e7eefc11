"""The goods of the world, from the registry `data/goods.csv`: one row a good.

A row names what the good is made of (an ore basket, an element, a magnet grade) and the quote its base price comes
from; what a kilogram contains and what it is paid for follows from baskets and elements.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from env.spec import GoodSpec

if TYPE_CHECKING:
    from env.facts import Facts, GoodRow

LIGHT = ("La", "Ce", "NdPr")
SWARF_RECOVERY = 0.92
#: of these co-products half of what ores hold stays unsold, and feed is paid for accordingly (base_prices_2025.csv)
HALF_PAID = ("Sm", "Eu", "HoYb", "Lu")
#: a surplus co-product stays unfinished, so its price rests on the cost of finishing one more tonne: that cost is
#: read off the base price (inside the prior ranges of priors.csv, group surplus; Ho lifts the mixed group)
FINISHING_OF_PRICE = 0.97
CHINESE_VAT = 0.13
NO_QUOTE_LIKE = "ion_clay_mid_y"
DOMESTIC, FOB = "CHN:domestic ex VAT", "CHN:FOB"


def element_group(element: str) -> str:
    """Model group of a chemical element (`Nd` -> `NdPr`, `Er` -> `HoYb`)."""
    if element in ("Nd", "Pr"):
        return "NdPr"
    return "HoYb" if element in ("Ho", "Er", "Tm", "Yb") else element


def composition(row: GoodRow) -> dict[str, float]:
    """`NdPr:0.285;Dy:0.02` as kg metal per kg of the good."""
    pairs = (part.split(":") for part in (row.composition or "").split(";") if part)
    return {name.strip(): float(kg) for name, kg in pairs}


class Chemistry:
    """Recoveries by basket and element, metal per magnet grade, oxide-to-metal factors, and the registry by stage."""

    def __init__(self, facts: Facts) -> None:
        """Read elements, baskets and the goods registry."""
        by_symbol = {row.symbol: row for row in facts.elements}
        self.rows = {row.code: row for row in facts.goods}
        self.oxide = {row.key: row.code for row in facts.goods if row.stage == "oxide"}
        self.metals = [row.key for row in facts.goods if row.stage == "metal"]
        self.swarf = [row.key for row in facts.goods if row.stage == "swarf"]
        self.magnets = {row.key: row for row in facts.goods if row.stage == "magnet"}
        self.grades = [key for key, row in self.magnets.items() if "Sm" not in composition(row)]
        self.heavy = [key for key in self.oxide if key not in LIGHT and key != "Sc"]
        self.metal_per_oxide = {m: float(by_symbol[m].oxide_to_metal_kg_per_kg or 1.0) for m in self.metals}
        self.recovered: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in facts.baskets:
            self.recovered[row.basket_key][element_group(row.element)] += row.pct_of_treo / 100 * row.recovery_to_oxide
        self.baskets = sorted(self.recovered)

    def metal_per_magnet(self, key: str) -> dict[str, float]:
        """kg of each metal per kg of a magnet grade."""
        return composition(self.magnets[key])

    def seg_share(self, basket: str) -> float:
        """kg SEG+ (as recoverable heavy oxides) per kg TREO treated."""
        return sum(self.recovered[basket][e] for e in self.heavy)

    def heavy_split(self, basket: str) -> dict[str, float]:
        """Heavy oxides per kg of SEG+ of a basket (sums to one)."""
        total = self.seg_share(basket)
        return {e: self.recovered[basket][e] / total for e in self.heavy if total > 0}


def prior(facts: Facts, group: str, parameter: str, scope: str, default: float) -> float:
    """Value of a row of priors.csv."""
    for row in facts.priors:
        if row.group == group and row.parameter == parameter and row.scope == scope:
            return float(row.value)
    return default


class _Prices:
    """Base prices: means over the months of base_prices_2025.csv, or the price in the registry row."""

    def __init__(self, facts: Facts) -> None:
        groups: dict[tuple[str, str], list[float]] = defaultdict(list)
        first: dict[str, list[float]] = {}
        for row in facts.base_prices:
            groups[row.good, f"{row.node}:{row.tier}"].append(row.price_usd_per_kg)
        self.mean = {key: fmean(values) for key, values in groups.items()}
        for (good, _), _value in self.mean.items():
            first.setdefault(good, [self.mean[key] for key in self.mean if key[0] == good])
        self.any = {good: values[0] for good, values in first.items()}

    def home(self, row: GoodRow) -> float:
        """Domestic price ex VAT, USD/kg."""
        if row.price_usd_per_kg is not None:
            return row.price_usd_per_kg
        series = row.price_series or ""
        return self.mean.get((series, DOMESTIC), self.any.get(series, 0.0))

    def fob(self, row: GoodRow) -> float | None:
        """FOB price, USD/kg; None without a quote."""
        return row.fob_usd_per_kg if row.fob_usd_per_kg is not None else self.mean.get((row.price_series or "", FOB))


def build_goods(facts: Facts, chem: Chemistry) -> list[GoodSpec]:
    """All goods of the registry, in its order."""
    prices = _Prices(facts)
    oxide_price = {row.key: prices.home(row) for row in facts.goods if row.stage == "oxide"}
    return [_good(facts, chem, prices, oxide_price, row) for row in facts.goods]


def _value(content: dict[str, float], oxide_price: dict[str, float]) -> float:
    return sum(q * oxide_price[e] * (0.5 if e in HALF_PAID else 1.0) for e, q in content.items())


def _good(facts: Facts, chem: Chemistry, prices: _Prices, oxide_price: dict[str, float], row: GoodRow) -> GoodSpec:
    steep = prior(facts, "ladder", "steepness_k", row.steepness_scope or "", 0.5)
    ask = prior(facts, "ask quote", "a", row.ask_scope or "", 1.0 if row.stage == "magnet" and row.key != "N" else 0.4)
    common: dict[str, Any] = {  # fields of GoodSpec, which checks them
        "code": row.code, "name": row.name, "stage": row.stage, "group": row.group, "ladder_steepness": steep,
        "ask_sensitivity": ask, "estimate": row.kind == "estimate",
    }  # fmt: skip
    if row.stage in ("concentrate", "seg"):
        return GoodSpec(**common, **_feed(chem, prices, oxide_price, row))
    home, fob = prices.home(row), prices.fob(row)
    if row.stage == "oxide":
        return GoodSpec(
            **common, elements={row.key: 1.0}, base_price_usd_per_kg=home, base_fob_usd_per_kg=fob,
            export_cost_share=max(0.0, (fob or home * (1.005 + CHINESE_VAT)) / home - 1.0 - CHINESE_VAT),
            finishing_cost_usd_per_kg=FINISHING_OF_PRICE * home if row.surplus else 0.0,
        )  # fmt: skip
    kg = composition(row)
    content = {chem.oxide[m]: q / chem.metal_per_oxide[m] for m, q in kg.items()}
    oxides = sum(q / chem.metal_per_oxide[m] * oxide_price[m] for m, q in kg.items())
    elements = {m: q / chem.metal_per_oxide[m] for m, q in kg.items()}
    if row.stage == "swarf":
        paid = (row.payable_share or 0.8) * SWARF_RECOVERY
        return GoodSpec(
            **common, elements=elements, reo_kg_per_kg=sum(content.values()), base_price_usd_per_kg=paid * oxides,
            payable_share=paid, payable_content=content,
        )  # fmt: skip
    vat = CHINESE_VAT if row.stage == "metal" else 0.0  # refunded on magnets
    return GoodSpec(
        **common, elements=elements, reo_kg_per_kg=sum(content.values()), base_price_usd_per_kg=home,
        base_fob_usd_per_kg=fob, payable_content=content, conversion_cost_usd_per_kg=home - oxides,
        export_cost_share=max(0.0, (fob or home) / home - 1.0 - vat),
    )  # fmt: skip


def _feed(chem: Chemistry, prices: _Prices, oxide_price: dict[str, float], row: GoodRow) -> dict[str, Any]:
    """Fields of concentrates and SEG+: paid for by a share of the oxides they yield."""
    content = dict(chem.recovered[row.key]) if row.stage == "concentrate" else chem.heavy_split(row.key)
    content = {e: q for e, q in content.items() if q > 0}
    worth = _value(content, oxide_price)
    if row.stage == "seg":
        price = max((row.payable_share or 0.75) * worth, 0.01)
    else:
        price = prices.home(row)
        if price <= 0.0:  # no quote: the same share of its value as the clay that has one
            quoted = next(r for r in chem.rows.values() if r.stage == "concentrate" and r.key == NO_QUOTE_LIKE)
            price = worth * prices.home(quoted) / _value(dict(chem.recovered[NO_QUOTE_LIKE]), oxide_price)
    paid = {chem.oxide[e]: q * (0.5 if e in HALF_PAID else 1.0) for e, q in content.items()}
    return {
        "deposit": row.key, "elements": content, "base_price_usd_per_kg": price,
        "payable_share": price / worth if worth else 0.0, "payable_content": paid,
    }  # fmt: skip
