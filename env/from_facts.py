"""From fact tables to a `WorldSpec`: the present-day world of 2024/25.

Every choice made here is explained in docs/data.md.  The steady flows come from
`data/base_balance_2024.csv` (solved by `python -m experiments.balance --write`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from env.errors import InputError
from env.frames import frame_contracts
from env.goods import Chemistry, build_goods, prior
from env.params import FROM_PRIORS
from env.plants import build_sites
from env.spec import (
    ExportTaxSpec,
    LaneSpec,
    NodeSpec,
    PartySpec,
    PlaceSpec,
    SiteSpec,
    StockSpec,
    SubstituteSpec,
    TariffSpec,
    TraderSpec,
    UseSpec,
    WorldSpec,
)

if TYPE_CHECKING:
    from env.facts import Facts

CLASS_OF_USE = {"defence and aerospace": "defence", "industrial motors and robots": "dual"}


def _cover_rules(facts: Facts) -> dict[tuple[str, str], float]:
    rules: dict[tuple[str, str], float] = {}
    for row in facts.initial_state:
        if row.holder_kind.startswith("end user") and row.measure == "stock_weeks":
            rules[row.holder, "*" if row.node == "other nodes" else row.node or ""] = float(row.value)
    return rules


HEAVY_GRADES = ["magnet_uh", "magnet_uh_gbd"]


def _replaced(text: str, chem: Chemistry) -> list[str]:
    """Magnet goods a row of substitutes_2025.csv replaces."""
    if "SH and UH" in text:
        return ["magnet_sh", *HEAVY_GRADES]
    return HEAVY_GRADES if "UH" in text else [chem.magnets[k].code for k in chem.grades]


def _substitutes(facts: Facts, chem: Chemistry) -> dict[str, list[SubstituteSpec]]:
    """Rows of substitutes_2025.csv by end use: what they replace and whether the use leaves NdFeB or changes grade."""
    out: dict[str, list[SubstituteSpec]] = defaultdict(list)
    for row in facts.substitutes:
        heavy_free = row.substitute.startswith("heavy-free")
        out[row.end_use].append(
            SubstituteSpec(
                name=row.substitute,
                goods=_replaced(row.replaces, chem),
                to_good="magnet_n" if heavy_free else "",
                relative_cost=row.relative_system_cost,
                max_share=row.max_share_long_run,
                lag_years=row.lag_years,
            )
        )
    return out


def _uses(facts: Facts, chem: Chemistry) -> list[UseSpec]:
    buyers: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for buyer in facts.buyers:
        buyers[buyer.end_use, buyer.node].append((buyer.party, buyer.share))
    cover = _cover_rules(facts)
    substitutes = _substitutes(facts, chem)
    uses: list[UseSpec] = []

    def add(end_use: str, node: str, goods_t: dict[str, float], weeks: float, **fields: Any) -> None:  # noqa: ANN401 - fields of UseSpec, which checks them
        for party, share in buyers[end_use, node]:
            code = f"{_slug(end_use)}__{node.lower()}__{party}"
            uses.append(
                UseSpec(
                    code=code,
                    end_use=end_use,
                    party=party,
                    node=node,
                    cover_weeks=weeks,
                    goods_t={g: t * share for g, t in goods_t.items() if t * share > 0},
                    **fields,
                )
            )

    for row in facts.end_use_place:
        goods = {chem.magnets[k].code: row.demand_2024_t * getattr(row, f"share_{k}", 0.0) for k in chem.grades}
        weeks = cover.get((row.end_use, row.node), cover.get((row.end_use, "*"), 4.0))
        add(
            row.end_use, row.node, goods, weeks, user_class=CLASS_OF_USE.get(row.end_use, "civil"),
            growth_pct_per_year=row.growth_base_pct_yr_2025_30, growth_low_pct_per_year=row.growth_low_pct_yr_2025_30,
            elasticity=-0.1, margin_lost_usd_per_kg=row.margin_lost_usd_per_kg_magnet,
            output_value_usd_per_kg=row.output_value_usd_per_kg_magnet, substitutes=substitutes.get(row.end_use, []),
        )  # fmt: skip
    for smco in facts.smco_place:
        add(
            smco.use, smco.node, {"magnet_smco": smco.demand_2024_t}, 16.0, user_class="dual",
            growth_pct_per_year=smco.growth_base_pct_yr, growth_low_pct_per_year=smco.growth_low_pct_yr,
            elasticity=-0.1, margin_lost_usd_per_kg=smco.margin_lost_usd_per_kg_magnet,
            output_value_usd_per_kg=smco.margin_lost_usd_per_kg_magnet,
        )  # fmt: skip
    for other in facts.other_uses:
        if other.use.startswith(("surplus", "stock")) or other.element not in chem.oxide:
            continue
        end_use = f"{other.element}: {other.use}"
        key = (other.use, other.node) if (other.use, other.node) in buyers else ("other uses", other.node)
        buyers.setdefault((end_use, other.node), buyers[key])
        add(
            end_use, other.node, {chem.oxide[other.element]: other.use_2024_t}, 8.0 if other.node != "JPN" else 12.0,
            growth_pct_per_year=other.growth_pct_yr, growth_low_pct_per_year=other.growth_pct_yr / 2,
            elasticity=other.elasticity_short_run or 0.0,
        )  # fmt: skip
    return uses


def _slug(text: str) -> str:
    out = "".join(c if c.isalnum() else "_" for c in text.lower())
    while "__" in out:
        out = out.replace("__", "_")
    return out.strip("_")


def _lanes(facts: Facts) -> list[LaneSpec]:
    return [
        LaneSpec(
            origin=row.origin,
            destination=row.destination,
            transit_weeks=row.transit_weeks,
            freight_usd_per_t={
                "concentrate": row.freight_concentrate_usd_t,
                "seg": row.freight_concentrate_usd_t,
                "swarf": row.freight_concentrate_usd_t,
                "oxide": row.freight_oxide_usd_t,
                "metal": row.freight_metal_usd_t,
                "magnet": row.freight_magnet_usd_t,
            },
        )
        for row in facts.lanes
    ]


#: Tariff rows decided after August 2025 are outcomes of later politics, not inputs of the baseline.
LAST_DATED_INPUT = date(2025, 8, 31)
DECIDED_EARLIER = ("Section 301", "new Mexican tariff on non-FTA Asia")


def _tariffs(facts: Facts) -> list[TariffSpec]:
    rows = []
    for row in facts.tariffs:
        if row.valid_from > LAST_DATED_INPUT and row.legal_basis not in DECIDED_EARLIER:
            continue
        end = row.valid_to
        if end is not None and end > LAST_DATED_INPUT and row.legal_basis not in DECIDED_EARLIER:
            end = None  # whether it ends is for the states of the model to decide
        rows.append(
            TariffSpec(
                importer=row.importer,
                origin=row.origin,
                good_class=row.good_class,
                rate=row.ad_valorem_pct / 100,
                valid_from=row.valid_from,
                valid_to=end,
                legal_basis=row.legal_basis,
            )
        )
    return rows


def _export_taxes(facts: Facts) -> list[ExportTaxSpec]:
    rows = []
    for row in facts.vat_refunds:
        if row.country != "CHN" or row.good_class.startswith("resource tax"):
            continue
        rows.append(
            ExportTaxSpec(
                exporter=row.country,
                good_class=row.good_class,
                vat_rate=(row.vat_rate_pct or 0) / 100,
                refund_rate=(row.export_refund_pct or 0) / 100,
                duty_rate=(row.export_duty_pct or 0) / 100,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
            )
        )
    return rows


RATE_CLASS = {
    "Chinese state firm": 0.03, "Chinese private firm": 0.055, "Japanese large firm": 0.015,
    "Western investment-grade": 0.055, "Western mid-size rare-earth firm": 0.085, "OEM": 0.05,
    "Indian, Brazilian firm": 0.105,
}  # fmt: skip


def _parties(facts: Facts, sales_usd: dict[str, float]) -> list[PartySpec]:
    """Cash and debt from `initial_state_2025.csv`; holders without a row follow its rule (share of yearly sales)."""
    money: dict[tuple[str, str], float] = {}
    for start in facts.initial_state:
        if start.holder_kind == "firm" and start.measure in ("cash_usd_m", "debt_usd_m"):
            try:
                money[start.holder, start.measure] = float(start.value) * 1e6
            except ValueError:
                continue
    from_firms = {row.firm: (row.cash_usd_m, row.debt_usd_m) for row in facts.firms if row.cash_usd_m is not None}
    rates = {row.holder: float(row.value) / 100 for row in facts.initial_state if row.holder_kind == "finance"}
    parties = []
    for row in facts.parties:
        sales = sales_usd.get(row.slug, 0.0)
        firm = row.firm or ""
        listed = from_firms.get(firm, (None, None))
        cash = money.get((firm, "cash_usd_m"), listed[0] * 1e6 if listed[0] is not None else 0.25 * sales)
        debt = money.get((firm, "debt_usd_m"), listed[1] * 1e6 if listed[1] is not None else 0.20 * sales)
        state = row.kind in ("state", "defence", "agency", "lender")
        parties.append(
            PartySpec(
                code=row.slug,
                name=row.name,
                kind=row.kind,
                place=row.country_iso3,
                cash_usd=0.0 if state else cash,
                debt_usd=0.0 if state else debt,
                interest_rate=rates.get(row.cost_of_capital_class or "", 0.055),
                soft_budget=bool(row.soft_budget),
                estimate=row.confidence == "low",
            )
        )
    return parties


def _yearly_sales(sites: list[SiteSpec], uses: list[UseSpec], price: dict[str, float]) -> dict[str, float]:
    sales: dict[str, float] = defaultdict(float)
    for site in sites:
        for recipe in site.recipes:
            for good, q in recipe.outputs_kg_per_kg.items():
                sales[site.party] += recipe.base_t * 1e3 * q * price[good]
    for use in uses:
        for good, t in use.goods_t.items():
            sales[use.party] += t * 1e3 * (1.3 * price[good] + use.margin_lost_usd_per_kg)
    return sales


def _initial_stocks(
    facts: Facts, chem: Chemistry, sites: list[SiteSpec], uses: list[UseSpec]
) -> tuple[list[StockSpec], list[TraderSpec]]:
    """State reserves and traders' hubs.  Sites and users start at their target cover (`env.build`)."""
    use_by_node: dict[tuple[str, str], float] = defaultdict(float)
    for site in sites:
        for recipe in site.recipes:
            for good, q in recipe.inputs_kg_per_kg.items():
                use_by_node[site.node, good] += recipe.base_t * q
    for use in uses:
        for good, t in use.goods_t.items():
            use_by_node[use.node, good] += t
    holders = {"China": "chn", "Japan (JOGMEC and private share)": "jare", "Korea (KOMIR)": "komir"}
    stocks: list[StockSpec] = []
    for row in facts.initial_state:
        if row.holder_kind != "state reserve":
            continue
        if row.good is None or row.node is None:
            raise InputError.one(
                f"the reserve of {row.holder} has no good or no node", "name both", file="initial_state_2025.csv"
            )
        holder = holders.get(row.holder, "dod")
        names = row.good.replace(" oxide", "").replace(";", ",").split(",")
        if row.good.startswith(("NdFeB", "SmCo")):
            goods = ["magnet_smco" if row.good.startswith("SmCo") else "magnet_sh"]
            weights = [1.0]
        else:
            goods = [chem.oxide[n.strip()] for n in names if n.strip() in chem.oxide]
            total = sum(use_by_node["CHN", g] for g in goods) or 1.0
            weights = [use_by_node["CHN", g] / total if len(goods) > 1 else 1.0 for g in goods]
        for good, w in zip(goods, weights, strict=True):
            if float(row.value) * w > 0:
                stocks.append(StockSpec(holder=holder, node=row.node, good=good, tonnes=float(row.value) * w))
    capital = prior(facts, "speculation", "capital_limit", "traders", 900.0) * 1e6
    hubs = [("chn_traders", "CHN", {"ndpr_oxide": 3.0, "dy_oxide": 12.0, "tb_oxide": 12.0}, 0.75),
            ("eur_traders", "EUU", dict.fromkeys(("dy_oxide", "tb_oxide", "y_oxide", "sm_oxide"), 6.0), 0.05),
            ("jpn_trading_houses", "JPN", {chem.oxide[e]: 8.0 for e in chem.oxide if e != "Sc"}, 0.20)]  # fmt: skip
    traders = []
    for party, node, weeks, part in hubs:
        for good, w in weeks.items():
            target = use_by_node[node, good] * w / 52
            if target > 0:
                traders.append(
                    TraderSpec(party=party, node=node, good=good, target_t=target, capital_usd=capital * part)
                )
    return stocks, traders


def _knowhow(facts: Facts) -> dict[str, float]:
    out = {}
    for row in facts.priors:
        if row.group == "know-how" and row.parameter == "start":
            node, stage = row.scope.split(" ", 1)
            out[f"{node}.{stage}"] = float(row.value)
    return out


def _parameters(facts: Facts) -> dict[str, float]:
    """Prior values under the engine's parameter names (`group.parameter.scope`), where the engine knows them."""
    rows = {(r.group, r.parameter, r.scope): r.value for r in facts.priors}
    return {name: float(rows[key]) for name, key in FROM_PRIORS.items() if key in rows}


def world_spec(facts: Facts, document: dict[str, Any]) -> WorldSpec:
    """Build the specification of the present-day world for a scenario document with `source = "facts"`."""
    chem = Chemistry(facts)
    slug = {row.firm: row.slug for row in facts.parties if row.firm}
    goods = build_goods(facts, chem)
    price = {g.code: g.base_price_usd_per_kg for g in goods}
    sites = build_sites(facts, chem, slug)
    uses = _uses(facts, chem)
    stocks, traders = _initial_stocks(facts, chem, sites, uses)
    options = document.get("options", {})
    demand = options.get("demand", "base")
    nodes = list(dict.fromkeys(row.node for row in facts.market_nodes))
    names: dict[str, list[str]] = defaultdict(list)
    for row in facts.market_nodes:
        names[row.node].append(row.name)
    start, end = document["start"], document["end"]
    return WorldSpec(
        name=document["name"], title=document.get("title", ""), description=document.get("description", ""),
        start=start, end=end, burn_in_weeks=document.get("burn_in_weeks", 0),
        constant_demand=demand == "constant", demand_variant="low" if demand == "low" else "base",
        still=options.get("still", False), strategies=options.get("strategies", True),
        nodes=[NodeSpec(code=n, name=", ".join(names[n][:4])) for n in sorted(nodes)],
        places=[PlaceSpec(code=row.iso3, name=row.name, node=row.node) for row in facts.market_nodes],
        goods=goods, parties=_parties(facts, _yearly_sales(sites, uses, price)), sites=sites, uses=uses,
        lanes=_lanes(facts), tariffs=_tariffs(facts), export_taxes=_export_taxes(facts),
        contracts=frame_contracts(facts, goods, sites, uses, start), stocks=stocks, traders=traders,
        knowhow=_knowhow(facts), parameters=_parameters(facts),
    )  # fmt: skip
