"""From fact tables to a `WorldSpec`: the present-day world of 2024/25.

Every choice made here is explained in docs/data.md.  The steady flows come from
`data/base_balance_2024.csv` (solved by `python -m experiments.balance --write`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from env.frames import frame_contracts
from env.params import FROM_PRIORS
from env.spec import (
    ExportTaxSpec,
    GoodSpec,
    LaneSpec,
    NodeSpec,
    PartySpec,
    PlaceSpec,
    RecipeSpec,
    SiteSpec,
    StockSpec,
    SubstituteSpec,
    TariffSpec,
    TraderSpec,
    UseSpec,
    WorldSpec,
)

if TYPE_CHECKING:
    from env.facts import Facts, SiteRow

ELEMENTS = ("La", "Ce", "NdPr", "Sm", "Eu", "Gd", "Tb", "Dy", "Y", "HoYb", "Lu", "Sc")
LIGHT = ("La", "Ce", "NdPr")
HEAVY = ("Sm", "Eu", "Gd", "Tb", "Dy", "Y", "HoYb", "Lu")
METALS = ("NdPr", "Dy", "Tb", "Sm")
GRADES = ("N", "SH", "UH", "UH_GBD")
SWARF_RECOVERY = 0.92
SM_PER_SMCO = 0.27
FINISHING_OF_PRICE = 0.97
#: mines that sell under contract only: the rest of their ore stays in their own store (MP in 2024: 3,752 t)
TERM_ONLY = ("MIN_USA_MP", "MIN_AUS_LYN", "MIN_BRA_SV")
OXIDE = {e: ("ho_yb" if e == "HoYb" else e.lower()) + "_oxide" for e in ELEMENTS}
CLAYS = ("ion_clay_mid_y", "ion_clay_light", "ion_clay_heavy", "serra_verde")
STAGES = {
    "mine": "mine",
    "separation_light": "separation_light",
    "separation_heavy": "separation_heavy",
    "metal": "metal",
    "magnet_NdFeB": "magnet",
    "magnet_SmCo": "magnet",
    "recycling": "recycling",
    "byproduct": "byproduct",
}
LAG_WEEKS = {"mine": 0, "separation_light": 4, "separation_heavy": 8, "metal": 1, "magnet": 4, "recycling": 2, "byproduct": 0}
CLASS_OF_USE = {"defence and aerospace": "defence", "industrial motors and robots": "dual"}


def element_group(element: str) -> str:
    """Model group of a chemical element (`Nd` -> `NdPr`, `Er` -> `HoYb`)."""
    if element in ("Nd", "Pr"):
        return "NdPr"
    return "HoYb" if element in ("Ho", "Er", "Tm", "Yb") else element


class Chemistry:
    """Recoveries by basket and element, metal per magnet grade, oxide-to-metal factors."""

    def __init__(self, facts: Facts) -> None:
        by_symbol = {row.symbol: row for row in facts.elements}
        self.metal_per_oxide = {m: float(by_symbol[m].oxide_to_metal_kg_per_kg or 1.0) for m in METALS}
        self.metal_per_magnet = {
            (grade, m): float(getattr(by_symbol[m], f"kg_metal_per_kg_magnet_{grade}") or 0.0)
            for grade in GRADES
            for m in ("NdPr", "Dy", "Tb")
        }
        self.recovered: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in facts.baskets:
            self.recovered[row.basket_key][element_group(row.element)] += row.pct_of_treo / 100 * row.recovery_to_oxide
        self.baskets = sorted(self.recovered)

    def seg_share(self, basket: str) -> float:
        """kg SEG+ (as recoverable heavy oxides) per kg TREO treated."""
        return sum(self.recovered[basket][e] for e in HEAVY)

    def heavy_split(self, basket: str) -> dict[str, float]:
        """Heavy oxides per kg of SEG+ of a basket (sums to one)."""
        total = self.seg_share(basket)
        return {e: self.recovered[basket][e] / total for e in HEAVY if total > 0}


def _prices(facts: Facts) -> dict[tuple[str, str], float]:
    """Mean of the months of `base_prices_2025.csv` by (good name, tier) at China, plus outside tiers."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in facts.base_prices:
        groups[row.good, f"{row.node}:{row.tier}"].append(row.price_usd_per_kg)
    return {key: fmean(values) for key, values in groups.items()}


def _prior(facts: Facts, group: str, parameter: str, scope: str, default: float) -> float:
    for row in facts.priors:
        if row.group == group and row.parameter == parameter and row.scope == scope:
            return float(row.value)
    return default


STEEPNESS_SCOPE = {
    "La": "La, Ce", "Ce": "La, Ce", "NdPr": "NdPr", "Dy": "Dy", "Tb": "Tb", "Y": "Y",
}  # fmt: skip


def _goods(facts: Facts, chem: Chemistry) -> list[GoodSpec]:
    price = _prices(facts)
    dom = lambda name: price[name, "CHN:domestic ex VAT"]  # noqa: E731
    fob = lambda name: price.get((name, "CHN:FOB"))  # noqa: E731
    vat = 0.13
    ask = _prior(facts, "ask quote", "a", "NdPr", 0.4)
    ask_heavy = _prior(facts, "ask quote", "a", "heavies, Europe", 3.2)
    goods: list[GoodSpec] = []
    oxide_price = {e: dom(f"{e} oxide") for e in ELEMENTS}
    half_paid = {"Sm", "Eu", "HoYb", "Lu"}

    def value(content: dict[str, float]) -> float:
        return sum(q * oxide_price[e] * (0.5 if e in half_paid else 1.0) for e, q in content.items())

    conc_price: dict[str, float] = {}
    for (name, _), p in price.items():
        if name.startswith("concentrate"):
            conc_price.setdefault(name.split()[-1], p)
    steep_conc = _prior(facts, "ladder", "steepness_k", "concentrates", 0.9)
    for basket in chem.baskets:
        recovered = {e: q for e, q in chem.recovered[basket].items() if q > 0}
        paid = {OXIDE[e]: q * (0.5 if e in half_paid else 1.0) for e, q in recovered.items()}
        worth = value(recovered)
        clay = basket in CLAYS
        p0 = conc_price.get(basket, worth * conc_price["ion_clay_mid_y"] / value(dict(chem.recovered["ion_clay_mid_y"])))
        goods.append(
            GoodSpec(
                code=f"conc_{basket}", name=f"concentrate {basket.replace('_', ' ')}", stage="concentrate",
                deposit=basket, group="mixed", reo_kg_per_kg=1.0,
                elements={e: q for e, q in recovered.items()},
                base_price_usd_per_kg=p0, payable_share=p0 / worth, payable_content=paid,
                ladder_steepness=steep_conc,
            )  # fmt: skip
        )
        split = chem.heavy_split(basket)
        seg_pay = 0.86 if clay else 0.75
        goods.append(
            GoodSpec(
                code=f"seg_{basket}", name=f"SEG+ {basket.replace('_', ' ')}", stage="seg", deposit=basket,
                group="heavy", reo_kg_per_kg=1.0, elements=split,
                base_price_usd_per_kg=max(seg_pay * value(split), 0.01), payable_share=seg_pay,
                payable_content={OXIDE[e]: q * (0.5 if e in half_paid else 1.0) for e, q in split.items()},
                ladder_steepness=steep_conc,
            )  # fmt: skip
        )
    # The surplus of these stays unfinished, so the price rests on the cost of finishing one more tonne: that cost is
    # read off the base price (inside the prior ranges of priors.csv, group surplus; Ho lifts the mixed group).
    finishing = {e: FINISHING_OF_PRICE * oxide_price[e] for e in ("La", "Ce", "Sm", "Eu", "HoYb")}
    for e in ELEMENTS:
        p0, f0 = oxide_price[e], fob(f"{e} oxide")
        goods.append(
            GoodSpec(
                code=OXIDE[e], name=f"{e if e != 'HoYb' else 'Ho, Er, Tm, Yb'} oxide", stage="oxide",
                group="light" if e in LIGHT else "other" if e == "Sc" else "heavy", elements={e: 1.0},
                base_price_usd_per_kg=p0, base_fob_usd_per_kg=f0,
                export_cost_share=max(0.0, (f0 or p0 * 1.135) / p0 - 1.0 - vat),
                finishing_cost_usd_per_kg=finishing.get(e, 0.0),
                ladder_steepness=_prior(
                    facts, "ladder", "steepness_k", STEEPNESS_SCOPE.get(e, "Sm, Gd, Eu, HoLu"), 1.4
                ),
                ask_sensitivity=ask if e in LIGHT else ask_heavy, estimate=e in ("Sc", "Lu", "HoYb"),
            )  # fmt: skip
        )
    for m in METALS:
        p0, f0 = dom(f"{m} metal"), fob(f"{m} metal")
        content = {OXIDE[m]: 1.0 / chem.metal_per_oxide[m]}
        goods.append(
            GoodSpec(
                code=f"{m.lower()}_metal", name=f"{m} metal", stage="metal", group="light" if m == "NdPr" else "heavy",
                elements={m: 1.0 / chem.metal_per_oxide[m]}, reo_kg_per_kg=1.0 / chem.metal_per_oxide[m],
                base_price_usd_per_kg=p0, base_fob_usd_per_kg=f0, payable_content=content,
                conversion_cost_usd_per_kg=p0 - oxide_price[m] / chem.metal_per_oxide[m],
                export_cost_share=max(0.0, (f0 or p0) / p0 - 1.0 - vat),
                ladder_steepness=_prior(facts, "ladder", "steepness_k", "metals", 0.8),
                ask_sensitivity=ask if m == "NdPr" else ask_heavy,
            )  # fmt: skip
        )
    for m in ("NdPr", "Dy", "Tb"):
        goods.append(
            GoodSpec(
                code=f"swarf_{m.lower()}", name=f"magnet swarf, contained {m}", stage="swarf", group="mixed",
                elements={m: 1.0 / chem.metal_per_oxide[m]}, reo_kg_per_kg=1.0 / chem.metal_per_oxide[m],
                base_price_usd_per_kg=0.82 * SWARF_RECOVERY * oxide_price[m] / chem.metal_per_oxide[m],
                payable_share=0.82 * SWARF_RECOVERY, payable_content={OXIDE[m]: 1.0 / chem.metal_per_oxide[m]},
                ladder_steepness=0.5,
            )  # fmt: skip
        )
    for grade in GRADES:
        p0, f0 = dom(f"magnet {grade}"), fob(f"magnet {grade}")
        kg = {m: chem.metal_per_magnet[grade, m] for m in ("NdPr", "Dy", "Tb") if chem.metal_per_magnet[grade, m] > 0}
        content = {OXIDE[m]: q / chem.metal_per_oxide[m] for m, q in kg.items()}
        goods.append(
            GoodSpec(
                code=f"magnet_{grade.lower()}", name=f"NdFeB magnet {grade.replace('_', ' ')}", stage="magnet",
                group="mixed", reo_kg_per_kg=sum(content.values()),
                elements={m: q / chem.metal_per_oxide[m] for m, q in kg.items()},
                base_price_usd_per_kg=p0, base_fob_usd_per_kg=f0, payable_content=content,
                conversion_cost_usd_per_kg=p0 - sum(q * dom(f"{m} oxide") / chem.metal_per_oxide[m] for m, q in kg.items()),
                export_cost_share=max(0.0, (f0 or p0) / p0 - 1.0),
                ladder_steepness=_prior(
                    facts, "ladder", "steepness_k", "magnet N" if grade == "N" else "magnet SH, UH, UH_GBD", 0.6
                ),
                ask_sensitivity=0.4 if grade == "N" else 1.0,
            )  # fmt: skip
        )
    p0, f0 = dom("magnet SmCo"), fob("magnet SmCo")
    sm = SM_PER_SMCO / chem.metal_per_oxide["Sm"]
    goods.append(
        GoodSpec(
            code="magnet_smco", name="SmCo magnet", stage="magnet", reo_kg_per_kg=sm, elements={"Sm": sm},
            base_price_usd_per_kg=p0, base_fob_usd_per_kg=f0, payable_content={"sm_oxide": sm},
            conversion_cost_usd_per_kg=p0 - sm * oxide_price["Sm"], export_cost_share=max(0.0, (f0 or p0) / p0 - 1.0),
            ladder_steepness=_prior(facts, "ladder", "steepness_k", "magnet SmCo", 0.7), ask_sensitivity=1.0,
        )  # fmt: skip
    )
    return goods


def _recipe(stage: str, batch: str, row: Any, chem: Chemistry) -> RecipeSpec:
    """Inputs and outputs per kg of throughput for one batch of a site (see docs/model.md, production)."""
    y = float(row.yield_ or 1.0)
    if stage == "mine":
        return RecipeSpec(batch=batch, outputs_kg_per_kg={f"conc_{batch}": 1.0})
    if stage == "byproduct":
        return RecipeSpec(batch="Sc", outputs_kg_per_kg={"sc_oxide": 1.0})
    if stage == "separation_light":
        finish = float(row.lace_finish_share if row.lace_finish_share is not None else 1.0)
        out = {OXIDE[e]: chem.recovered[batch][e] * (finish if e in ("La", "Ce") else 1.0) for e in LIGHT}
        out[f"seg_{batch}"] = chem.seg_share(batch)
        return RecipeSpec(batch=batch, inputs_kg_per_kg={f"conc_{batch}": 1.0}, outputs_kg_per_kg=out)
    if stage == "separation_heavy":
        out = {OXIDE[e]: q for e, q in chem.heavy_split(batch).items() if q > 0}
        return RecipeSpec(batch=batch, inputs_kg_per_kg={f"seg_{batch}": 1.0}, outputs_kg_per_kg=out)
    if stage == "metal":
        need = 1.0 / chem.metal_per_oxide[batch] / y
        return RecipeSpec(
            batch=batch, inputs_kg_per_kg={OXIDE[batch]: need}, outputs_kg_per_kg={f"{batch.lower()}_metal": 1.0}
        )
    if stage == "magnet":
        if batch == "SmCo":
            return RecipeSpec(
                batch=batch, inputs_kg_per_kg={"sm_metal": SM_PER_SMCO / y}, outputs_kg_per_kg={"magnet_smco": 1.0}
            )
        kg = {m: chem.metal_per_magnet[batch, m] for m in ("NdPr", "Dy", "Tb") if chem.metal_per_magnet[batch, m] > 0}
        out = {f"magnet_{batch.lower()}": 1.0} | {f"swarf_{m.lower()}": q * (1 / y - 1) for m, q in kg.items()}
        return RecipeSpec(
            batch=batch, inputs_kg_per_kg={f"{m.lower()}_metal": q / y for m, q in kg.items()}, outputs_kg_per_kg=out
        )
    # recycling, throughput = oxide recovered
    if batch == "EOL":
        return RecipeSpec(batch="EOL", outputs_kg_per_kg={"ndpr_oxide": 1.0})
    return RecipeSpec(
        batch=batch,
        inputs_kg_per_kg={f"swarf_{batch.lower()}": chem.metal_per_oxide[batch] / SWARF_RECOVERY},
        outputs_kg_per_kg={OXIDE[batch]: 1.0},
    )


def _accepted(row: Any, chem: Chemistry) -> list[str]:
    """Baskets a separator can take, as in the base balance."""
    stage = row.stage
    if stage == "separation_heavy":
        # outside China a plant takes the SEG+ of its own region's light circuits and of clays
        return list(chem.baskets)
    if row.node == "CHN":
        clay = row.basket_key in CLAYS
        return [b for b in chem.baskets if (b in CLAYS) == clay and b != "mt_weld_cld"]
    if row.basket_key == "mixed light":
        own = {"SEA": ["sichuan_bastnaesite", "ion_clay_mid_y"], "EUU": ["loparite", "monazite_hms"]}
        return own.get(row.node, ["monazite_hms", "mt_weld_cld", "mountain_pass"])
    return [row.basket_key]


def _batches(row: Any, chem: Chemistry) -> list[str]:
    stage = STAGES[row.stage]
    if stage == "mine":
        return [row.basket_key]
    if stage in ("separation_light", "separation_heavy"):
        return _accepted(row, chem)
    if stage == "metal":
        return [row.good_out.split()[0]]
    if stage == "magnet":
        return ["SmCo"] if row.stage == "magnet_SmCo" else list(GRADES)
    if stage == "recycling":
        return ["EOL"] if row.good_in.startswith("end") else ["NdPr", "Dy", "Tb"]
    return ["Sc"]


def _sites(facts: Facts, chem: Chemistry, slug: dict[str, str]) -> list[SiteSpec]:
    base: dict[tuple[str, str], float] = {}
    for row in facts.base_balance:
        if row.record == "throughput":
            base[row.site_id, row.batch] = row.t_2024
    sites = []
    for row in facts.sites:
        stage = STAGES[row.stage]
        planned = row.status == "planned"
        recipes = []
        for batch in _batches(row, chem):
            t = base.get((row.site_id, batch), 0.0)
            if stage == "recycling" and batch == "EOL":
                t = base.get((row.site_id, "EOL"), base.get((row.site_id, "NdPr"), 0.0))
            recipe = _recipe(stage, batch, row, chem)
            recipes.append(recipe.model_copy(update={"base_t": 0.0 if planned else t}))
        young = row.start_year is not None and row.start_year >= 2022
        base_t = sum(r.base_t for r in recipes)
        ramp = min(1.0, max(row.ramp_jan_2025 or 0.0, 1.02 * base_t / row.nameplate_t if row.nameplate_t else 0.0))
        sites.append(
            SiteSpec(
                code=row.site_id, party=slug[row.firm], node=row.node, stage=stage,  # type: ignore[arg-type]
                deposit=row.basket_key if stage == "mine" else "", nameplate_t=row.nameplate_t,
                ramp=0.0 if planned else ramp if young else 1.0, response=_response(row, stage),
                spot_share=0.0 if row.site_id in TERM_ONLY else 1.0,
                status="planned" if planned else "idle" if row.out_2024_t <= 0 else "operating",
                variable_cost_usd_per_kg=row.var_cost, fixed_cost_usd_per_year=(row.fixed_cost_usd_m or 0.0) * 1e6,
                lag_weeks=LAG_WEEKS[stage], recipes=recipes, capex_usd=(row.capex_usd_m or 0.0) * 1e6,
                announced_start=_start_date(row.announced_start), estimate=row.kind == "estimate",
            )  # fmt: skip
        )
    return sites


def _response(row: SiteRow, stage: str) -> Literal["firm", "clay", "loose"]:
    """Price response of output that is not made to order: undocumented ore and old magnets most, clay some."""
    if "UND" in row.site_id or stage in ("recycling", "byproduct"):
        return "loose"
    return "clay" if row.basket_key in CLAYS and row.node != "CHN" else "firm"


def _start_date(text: str | None) -> date | None:
    """`2027`, `2026-07` or `2026-07-01` as a date (mid-year where only the year is known)."""
    if not text:
        return None
    parts = [int(p) for p in text.split("-")]
    return date(parts[0], parts[1] if len(parts) > 1 else 7, parts[2] if len(parts) > 2 else 1)


def _cover_rules(facts: Facts) -> dict[tuple[str, str], float]:
    rules: dict[tuple[str, str], float] = {}
    for row in facts.initial_state:
        if row.holder_kind.startswith("end user") and row.measure == "stock_weeks":
            rules[row.holder, row.node if row.node != "other nodes" else "*"] = float(row.value)
    return rules


HEAVY_GRADES = ["magnet_uh", "magnet_uh_gbd"]
ALL_GRADES = [f"magnet_{g.lower()}" for g in GRADES]


def _replaced(text: str) -> list[str]:
    """Magnet goods a row of substitutes_2025.csv replaces."""
    if "SH and UH" in text:
        return ["magnet_sh", *HEAVY_GRADES]
    return HEAVY_GRADES if "UH" in text else ALL_GRADES


def _substitutes(facts: Facts) -> dict[str, list[SubstituteSpec]]:
    """Rows of substitutes_2025.csv by end use: what they replace and whether the use leaves NdFeB or changes grade."""
    out: dict[str, list[SubstituteSpec]] = defaultdict(list)
    for row in facts.substitutes:
        heavy_free = row.substitute.startswith("heavy-free")
        out[row.end_use].append(
            SubstituteSpec(
                name=row.substitute, goods=_replaced(row.replaces),
                to_good="magnet_n" if heavy_free else "", relative_cost=row.relative_system_cost,
                max_share=row.max_share_long_run, lag_years=row.lag_years,
            )  # fmt: skip
        )
    return out


def _uses(facts: Facts) -> list[UseSpec]:
    buyers: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for row in facts.buyers:
        buyers[row.end_use, row.node].append((row.party, row.share))
    cover = _cover_rules(facts)
    substitutes = _substitutes(facts)
    uses: list[UseSpec] = []

    def add(end_use: str, node: str, goods_t: dict[str, float], weeks: float, **fields: Any) -> None:
        for party, share in buyers[end_use, node]:
            code = f"{_slug(end_use)}__{node.lower()}__{party}"
            uses.append(
                UseSpec(
                    code=code, end_use=end_use, party=party, node=node, cover_weeks=weeks,
                    goods_t={g: t * share for g, t in goods_t.items() if t * share > 0}, **fields,
                )  # fmt: skip
            )

    for row in facts.end_use_place:
        goods = {f"magnet_{g.lower()}": row.demand_2024_t * getattr(row, f"share_{g}") for g in GRADES}
        weeks = cover.get((row.end_use, row.node), cover.get((row.end_use, "*"), 4.0))
        add(
            row.end_use, row.node, goods, weeks, user_class=CLASS_OF_USE.get(row.end_use, "civil"),
            growth_pct_per_year=row.growth_base_pct_yr_2025_30, growth_low_pct_per_year=row.growth_low_pct_yr_2025_30,
            elasticity=-0.1, margin_lost_usd_per_kg=row.margin_lost_usd_per_kg_magnet,
            output_value_usd_per_kg=row.output_value_usd_per_kg_magnet, substitutes=substitutes.get(row.end_use, []),
        )  # fmt: skip
    for row in facts.smco_place:
        add(
            row.use, row.node, {"magnet_smco": row.demand_2024_t}, 16.0, user_class="dual",
            growth_pct_per_year=row.growth_base_pct_yr, growth_low_pct_per_year=row.growth_low_pct_yr,
            elasticity=-0.1, margin_lost_usd_per_kg=row.margin_lost_usd_per_kg_magnet,
            output_value_usd_per_kg=row.margin_lost_usd_per_kg_magnet,
        )  # fmt: skip
    for row in facts.other_uses:
        if row.use.startswith(("surplus", "stock")) or row.element not in ELEMENTS:
            continue
        end_use = f"{row.element}: {row.use}"
        key = (row.use, row.node) if (row.use, row.node) in buyers else ("other uses", row.node)
        buyers.setdefault((end_use, row.node), buyers[key])
        add(
            end_use, row.node, {OXIDE[row.element]: row.use_2024_t}, 8.0 if row.node != "JPN" else 12.0,
            growth_pct_per_year=row.growth_pct_yr, growth_low_pct_per_year=row.growth_pct_yr / 2,
            elasticity=row.elasticity_short_run or 0.0,
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
            origin=row.origin, destination=row.destination, transit_weeks=row.transit_weeks,
            freight_usd_per_t={
                "concentrate": row.freight_concentrate_usd_t, "seg": row.freight_concentrate_usd_t,
                "swarf": row.freight_concentrate_usd_t, "oxide": row.freight_oxide_usd_t,
                "metal": row.freight_metal_usd_t, "magnet": row.freight_magnet_usd_t,
            },
        )  # fmt: skip
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
                importer=row.importer, origin=row.origin, good_class=row.good_class,
                rate=row.ad_valorem_pct / 100, valid_from=row.valid_from, valid_to=end, legal_basis=row.legal_basis,
            )  # fmt: skip
        )
    return rows


def _export_taxes(facts: Facts) -> list[ExportTaxSpec]:
    rows = []
    for row in facts.vat_refunds:
        if row.country != "CHN" or row.good_class.startswith("resource tax"):
            continue
        rows.append(
            ExportTaxSpec(
                exporter=row.country, good_class=row.good_class, vat_rate=(row.vat_rate_pct or 0) / 100,
                refund_rate=(row.export_refund_pct or 0) / 100, duty_rate=(row.export_duty_pct or 0) / 100,
                valid_from=row.valid_from, valid_to=row.valid_to,
            )  # fmt: skip
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
    for row in facts.initial_state:
        if row.holder_kind == "firm" and row.measure in ("cash_usd_m", "debt_usd_m"):
            try:
                money[row.holder, row.measure] = float(row.value) * 1e6
            except ValueError:
                continue
    from_firms = {
        row.firm: (row.cash_usd_m, row.debt_usd_m) for row in facts.firms if row.cash_usd_m is not None
    }
    rates = {row.holder: float(row.value) / 100 for row in facts.initial_state if row.holder_kind == "finance"}
    parties = []
    for row in facts.parties:
        sales = sales_usd.get(row.slug, 0.0)
        listed = from_firms.get(row.firm or "", (None, None))
        cash = money.get((row.firm, "cash_usd_m"), listed[0] * 1e6 if listed[0] is not None else 0.25 * sales)
        debt = money.get((row.firm, "debt_usd_m"), listed[1] * 1e6 if listed[1] is not None else 0.20 * sales)
        state = row.kind in ("state", "defence", "agency", "lender")
        parties.append(
            PartySpec(
                code=row.slug, name=row.name, kind=row.kind, place=row.country_iso3,
                cash_usd=0.0 if state else cash, debt_usd=0.0 if state else debt,
                interest_rate=rates.get(row.cost_of_capital_class or "", 0.055), soft_budget=bool(row.soft_budget),
                estimate=row.confidence == "low",
            )  # fmt: skip
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


def _initial_stocks(facts: Facts, sites: list[SiteSpec], uses: list[UseSpec]) -> tuple[list[StockSpec], list[TraderSpec]]:
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
        holder = holders.get(row.holder, "dod")
        names = row.good.replace(" oxide", "").replace(";", ",").split(",")
        if row.good.startswith(("NdFeB", "SmCo")):
            goods = ["magnet_smco" if row.good.startswith("SmCo") else "magnet_sh"]
            weights = [1.0]
        else:
            goods = [OXIDE[n.strip()] for n in names if n.strip() in OXIDE]
            total = sum(use_by_node["CHN", g] for g in goods) or 1.0
            weights = [use_by_node["CHN", g] / total if len(goods) > 1 else 1.0 for g in goods]
        for good, w in zip(goods, weights, strict=True):
            if float(row.value) * w > 0:
                stocks.append(StockSpec(holder=holder, node=row.node, good=good, tonnes=float(row.value) * w))
    capital = _prior(facts, "speculation", "capital_limit", "traders", 900.0) * 1e6
    hubs = [("chn_traders", "CHN", {"ndpr_oxide": 3.0, "dy_oxide": 12.0, "tb_oxide": 12.0}, 0.75),
            ("eur_traders", "EUU", {g: 6.0 for g in ("dy_oxide", "tb_oxide", "y_oxide", "sm_oxide")}, 0.05),
            ("jpn_trading_houses", "JPN", {OXIDE[e]: 8.0 for e in ELEMENTS if e != "Sc"}, 0.20)]  # fmt: skip
    traders = []
    for party, node, weeks, part in hubs:
        for good, w in weeks.items():
            target = use_by_node[node, good] * w / 52
            if target > 0:
                traders.append(TraderSpec(party=party, node=node, good=good, target_t=target, capital_usd=capital * part))
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
    goods = _goods(facts, chem)
    price = {g.code: g.base_price_usd_per_kg for g in goods}
    sites = _sites(facts, chem, slug)
    uses = _uses(facts)
    stocks, traders = _initial_stocks(facts, sites, uses)
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
        strategies=options.get("strategies", True),
        nodes=[NodeSpec(code=n, name=", ".join(names[n][:4])) for n in sorted(nodes)],
        places=[PlaceSpec(code=row.iso3, name=row.name, node=row.node) for row in facts.market_nodes],
        goods=goods, parties=_parties(facts, _yearly_sales(sites, uses, price)), sites=sites, uses=uses,
        lanes=_lanes(facts), tariffs=_tariffs(facts), export_taxes=_export_taxes(facts),
        contracts=frame_contracts(facts, goods, sites, uses, start), stocks=stocks, traders=traders,
        knowhow=_knowhow(facts), parameters=_parameters(facts),
    )  # fmt: skip
