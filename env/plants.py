"""Plants of the present-day world: what each can take and make, at which base rate (`data/sites.csv`, base balance)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from env.goods import LIGHT, SWARF_RECOVERY, Chemistry
from env.spec import RecipeSpec, SiteSpec, SiteStage

if TYPE_CHECKING:
    from env.facts import Facts, SiteRow

CLAYS = ("ion_clay_mid_y", "ion_clay_light", "ion_clay_heavy", "serra_verde")
STAGES: dict[str, SiteStage] = {
    "mine": "mine",
    "separation_light": "separation_light",
    "separation_heavy": "separation_heavy",
    "metal": "metal",
    "magnet_NdFeB": "magnet",
    "magnet_SmCo": "magnet",
    "recycling": "recycling",
    "byproduct": "byproduct",
}
LAG_WEEKS: dict[SiteStage, int] = {
    "mine": 0,
    "separation_light": 4,
    "separation_heavy": 8,
    "metal": 1,
    "magnet": 4,
    "recycling": 2,
    "byproduct": 0,
}


def _recipe(stage: SiteStage, batch: str, row: SiteRow, chem: Chemistry) -> RecipeSpec:
    """Inputs and outputs per kg of throughput for one batch of a site (see docs/model.md, production)."""
    y = float(row.yield_ or 1.0)
    if stage == "mine":
        return RecipeSpec(batch=batch, outputs_kg_per_kg={f"conc_{batch}": 1.0})
    if stage == "byproduct":
        return RecipeSpec(batch=batch, outputs_kg_per_kg={chem.oxide[batch]: 1.0})
    if stage == "separation_light":
        finish = float(row.lace_finish_share if row.lace_finish_share is not None else 1.0)
        out = {chem.oxide[e]: chem.recovered[batch][e] * (finish if e in ("La", "Ce") else 1.0) for e in LIGHT}
        out[f"seg_{batch}"] = chem.seg_share(batch)
        return RecipeSpec(batch=batch, inputs_kg_per_kg={f"conc_{batch}": 1.0}, outputs_kg_per_kg=out)
    if stage == "separation_heavy":
        out = {chem.oxide[e]: q for e, q in chem.heavy_split(batch).items() if q > 0}
        return RecipeSpec(batch=batch, inputs_kg_per_kg={f"seg_{batch}": 1.0}, outputs_kg_per_kg=out)
    if stage == "metal":
        need = 1.0 / chem.metal_per_oxide[batch] / y
        return RecipeSpec(
            batch=batch, inputs_kg_per_kg={chem.oxide[batch]: need}, outputs_kg_per_kg={f"{batch.lower()}_metal": 1.0}
        )
    if stage == "magnet":
        kg = chem.metal_per_magnet(batch)
        # what is ground off comes back as swarf where somebody recycles it (not from SmCo)
        out = {chem.magnets[batch].code: 1.0} | {
            f"swarf_{m.lower()}": q * (1 / y - 1) for m, q in kg.items() if m in chem.swarf
        }
        return RecipeSpec(
            batch=batch, inputs_kg_per_kg={f"{m.lower()}_metal": q / y for m, q in kg.items()}, outputs_kg_per_kg=out
        )
    # recycling, throughput = oxide recovered
    if batch == "EOL":
        return RecipeSpec(batch="EOL", outputs_kg_per_kg={"ndpr_oxide": 1.0})
    return RecipeSpec(
        batch=batch,
        inputs_kg_per_kg={f"swarf_{batch.lower()}": chem.metal_per_oxide[batch] / SWARF_RECOVERY},
        outputs_kg_per_kg={chem.oxide[batch]: 1.0},
    )


def _basket(row: SiteRow) -> str:
    """Ore basket of a mine or light separator; `env.facts` checks that their rows name one."""
    return row.basket_key or ""


def _accepted(row: SiteRow, chem: Chemistry) -> list[str]:
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
    return [_basket(row)]


def _batches(row: SiteRow, chem: Chemistry) -> list[str]:
    stage = STAGES[row.stage]
    if stage == "mine":
        return [_basket(row)]
    if stage in ("separation_light", "separation_heavy"):
        return _accepted(row, chem)
    if stage == "metal":
        return [row.good_out.split()[0]]
    if stage == "magnet":
        return [k for k in chem.magnets if (k in chem.grades) == (row.stage == "magnet_NdFeB")]
    if stage == "recycling":
        return ["EOL"] if row.good_in.startswith("end") else list(chem.swarf)
    return [row.good_out.split()[0]]


def build_sites(facts: Facts, chem: Chemistry, slug: dict[str, str]) -> list[SiteSpec]:
    """All plants of sites.csv, each at the throughput the base balance gives it."""
    base = {(line.site_id, line.batch): line.t_2024 for line in facts.base_balance if line.record == "throughput"}
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
                code=row.site_id,
                party=slug[row.firm],
                node=row.node,
                stage=stage,
                deposit=_basket(row) if stage == "mine" else "",
                nameplate_t=row.nameplate_t,
                ramp=0.0 if planned else ramp if young else 1.0,
                response=_response(row, stage),
                held_goods=[g.strip() for g in (row.held_goods or "").split(";") if g.strip()],
                status="planned" if planned else "idle" if row.out_2024_t <= 0 else "operating",
                variable_cost_usd_per_kg=row.var_cost,
                fixed_cost_usd_per_year=(row.fixed_cost_usd_m or 0.0) * 1e6,
                lag_weeks=LAG_WEEKS[stage],
                recipes=recipes,
                capex_usd=(row.capex_usd_m or 0.0) * 1e6,
                announced_start=_start_date(row.announced_start),
                estimate=row.kind == "estimate",
            )
        )
    return sites


def _response(row: SiteRow, stage: SiteStage) -> Literal["firm", "clay", "loose"]:
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
