"""The fact tables: one row model per CSV file, read, checked and cross-referenced at once.

`load_facts()` reads the shipped tables of `env/data`, or a folder of the same files, and raises one
`InputError` that lists everything wrong: file, line, row, field and what to write instead.  Field
names are the column names; a blank cell is `None`; every row carries `source` and `confidence`.
Units stand in the field types below and, in words, in the `unit` columns of the tables.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from env.errors import Fault, InputError, describe, pydantic_faults, suggest, suggest_or_list

DATA = Path(__file__).parent / "data"


def _unit(unit: str, example: object) -> dict[str, Any]:
    """What messages and documentation say about a field: its unit and a plausible value."""
    return {"unit": unit, "example": example}


Tonnes = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("tonnes a year", 50700))]
SignedTonnes = Annotated[float, Field(allow_inf_nan=False, json_schema_extra=_unit("tonnes a year", -1500))]
Stock = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("tonnes", 600))]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, json_schema_extra=_unit("a share from 0 to 1", 0.25))]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, json_schema_extra=_unit("percent", 13))]
Duty = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("percent ad valorem", 2.1))]
Growth = Annotated[float, Field(ge=-100, le=200, allow_inf_nan=False, json_schema_extra=_unit("percent a year", 8.7))]
Elasticity = Annotated[
    float, Field(le=0, allow_inf_nan=False, json_schema_extra=_unit("an elasticity, 0 or less", -0.3))
]
UsdKg = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("USD per kg ex VAT", 48.4))]
UsdTonne = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("USD per tonne", 436))]
UsdMillion = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("USD million", 120))]
Weeks = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("weeks", 4))]
Years = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("years", 2.5))]
Ratio = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("a number, 0 or more", 1.5))]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra=_unit("a number, 0 or more", 1.5))]
Year = Annotated[int, Field(ge=1800, le=2100, json_schema_extra=_unit("a year", 2025))]
Flag = Annotated[int, Field(ge=0, le=1, json_schema_extra=_unit("0 or 1", 1))]
Text = Annotated[str, Field(min_length=1, json_schema_extra=_unit("a text", None))]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", json_schema_extra=_unit("a month", "2025-01"))]
When = Annotated[
    str,
    Field(
        pattern=r"^\d{4}(-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?)?$",
        json_schema_extra=_unit("a year, month or day", "2025-04-04"),
    ),
]
Span = Annotated[
    str,
    Field(
        pattern=r"^(FY)?\d{4}([-/](Q[1-4]|H[12]|\d\d|\d{4}))?(-\d\d)?$",
        json_schema_extra=_unit("a day, month, quarter, half-year, year or range of years", "2025-Q1"),
    ),
]
Day = Annotated[date, Field(json_schema_extra=_unit("a date", "2025-01-06"))]
Iso3 = Annotated[str, Field(pattern=r"^[A-Z]{3}$", json_schema_extra=_unit("a code of three capital letters", "CHN"))]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9_]+$", json_schema_extra=_unit("a code in capitals", "MIN_USA_MP"))]
Slug = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9_]*$", json_schema_extra=_unit("lower-case letters, digits, _", "mp_materials")),
]
UsdKgUnit = Annotated[str, Field(pattern=r"^USD/kg .+", json_schema_extra=_unit("the unit as text", "USD/kg oxide"))]
TonnesUnit = Annotated[str, Field(pattern=r"^t .+", json_schema_extra=_unit("the unit as text", "t oxide a year"))]
RuleOrNumber = Annotated[
    Number | Annotated[str, Field(pattern=r"^[0-9.]+ x yearly sales$")],
    Field(union_mode="left_to_right", json_schema_extra=_unit("a number or a rule", "0.25 x yearly sales")),
]

Confidence = Literal["high", "medium", "low"]
Kind = Literal["fact", "derived", "estimate"]
SiteStage = Literal[
    "mine",
    "separation_light",
    "separation_heavy",
    "metal",
    "magnet_NdFeB",
    "magnet_SmCo",
    "recycling",
    "byproduct",
]
PartyKind = Literal["state", "soe", "producer", "oem", "defence", "agency", "trader", "lender", "aggregate"]
TariffClass = Literal[
    "all goods", "concentrate", "oxide", "metal", "magnet", "Ce compounds", "other compounds, carbonate"
]


class FactRow(BaseModel):
    """Base of all fact rows: unknown columns are faults, rows do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(FactRow):
    """A row with where it came from and how far to trust it."""

    source: Text
    confidence: Confidence


class Rated(Sourced):
    """A row that also says whether it is published, arithmetic on published figures, or ours."""

    kind: Kind


class CountryRow(Sourced):
    """A jurisdiction or residual (EUU and ROW are not ISO codes): output, reserves, magnet demand."""

    iso3: Iso3
    name: Text
    mine_2023_t_reo: Tonnes | None
    mine_2024_t_reo: Tonnes | None
    mine_2025_t_reo_est: Tonnes | None
    reserves_t_reo: Stock | None
    sep_capacity_t_reo_2024_est: Tonnes
    magnet_prod_t_2024_est: Tonnes
    magnet_demand_share_2024: Share
    blocs: Text | None
    role_and_notes: Text
    seed_claim: Text | None
    seed_files: Text | None


class NodeRow(Rated):
    """A jurisdiction and the market node where its orders meet."""

    iso3: Iso3
    name: Text
    node: Iso3
    reason: Text


class FirmRow(Sourced):
    """A firm, state buyer or lender; `cells_estimated` names the cells that are ours."""

    firm: Text
    country_iso3: Iso3
    owner_type: Text
    stages: Text
    mine_cap_t_reo: Tonnes | None
    sep_cap_treo_t: Tonnes | None
    sep_cap_ndpr_t: Tonnes | None
    sep_cap_dy_t: Tonnes | None
    sep_cap_tb_t: Tonnes | None
    metal_alloy_cap_t: Tonnes | None
    magnet_cap_t_2024_25: Tonnes | None
    magnet_cap_t_planned: Tonnes | None
    status: Text
    startup_year: Year | None
    unit_cost_usd_per_kg: UsdKg | None
    unit_cost_basis: Text | None
    cash_usd_m: UsdMillion | None
    debt_usd_m: UsdMillion | None
    ore_type: Text | None
    ore_distribution_pct: Text | None
    facts: Text | None
    cells_estimated: Text | None
    seed_files: Text | None


class PartyRow(Sourced):
    """A party of the model: slug, what it is, and the firm of firms.csv, sites.csv it stands for."""

    slug: Slug
    firm: Text | None
    name: Text
    kind: PartyKind
    country_iso3: Iso3
    node: Iso3
    cost_of_capital_class: Text
    soft_budget: Flag
    kind_of_row: Kind


class ElementRow(Sourced):
    """An element or model group: ore shares, conversion, kg of metal per kg of magnet by grade."""

    symbol: Text
    name: Text
    row_type: Literal["element", "group"]
    group: Text
    light_heavy: Text
    controlled_apr_2025: Text
    controlled_oct_2025: Text
    in_force_after_nov_2025_suspension: Text
    oxide: Text
    oxide_to_metal_kg_per_kg: Share
    mountain_pass_pct: Percent
    bayan_obo_pct: Percent
    mt_weld_cld_pct: Percent
    ion_clay_xunwu_light_pct: Percent
    ion_clay_mid_yttrium_pct: Percent
    ion_clay_longnan_heavy_pct: Percent
    kg_metal_per_kg_magnet_N: Share
    kg_metal_per_kg_magnet_SH: Share
    kg_metal_per_kg_magnet_UH: Share
    kg_metal_per_kg_magnet_EH: Share
    kg_metal_per_kg_magnet_UH_GBD: Share
    main_uses: Text
    seed_note: Text | None


class GoodRow(Rated):
    """One tradable good of the registry; its base price comes from a series of base_prices_2025.csv or stands here."""

    code: Slug
    name: Text
    stage: Literal["concentrate", "seg", "oxide", "metal", "swarf", "magnet"]
    group: Literal["light", "heavy", "mixed", "other"]
    key: Text
    composition: Text | None
    price_series: Text | None
    price_usd_per_kg: UsdKg | None
    fob_usd_per_kg: UsdKg | None
    payable_share: Share | None
    surplus: Flag | None
    steepness_scope: Text | None
    ask_scope: Text | None
    notes: Text | None


class BasketRow(Rated):
    """One element of one ore basket: percent of TREO and recovery from concentrate to oxide."""

    basket_key: Text
    element: Text
    pct_of_treo: Percent
    recovery_to_oxide: Share
    recovery_low: Share
    recovery_high: Share
    unit: Literal["% of TREO; fraction"]
    notes: Text | None


class SiteRow(Rated):
    """A plant, mine or aggregate; throughput counts in `nameplate_unit`, unit cost in `var_cost_unit`."""

    site_id: Code
    firm: Text
    node: Iso3
    country_iso3: Iso3
    stage: SiteStage
    good_in: Text
    good_out: Text
    basket_key: Text | None
    nameplate_t: Tonnes
    nameplate_unit: TonnesUnit
    out_2024_t: Tonnes
    ramp_jan_2025: Share
    start_year: Year | None
    status: Literal["operating", "planned", "idle Jan 2025", "standby", "finishing only in 2024"]
    yield_: Share | None = Field(alias="yield")
    lace_finish_share: Share | None
    var_cost: UsdKg
    var_low: UsdKg
    var_high: UsdKg
    var_cost_unit: UsdKgUnit
    fixed_cost_usd_m: UsdMillion
    feed_source: Text | None
    capex_usd_m: UsdMillion | None
    announced_start: When | None
    held_goods: Text | None
    notes: Text | None


class EndUsePlaceRow(Rated):
    """NdFeB demand of an end use at a node, its grade mix and what an hour without magnets costs."""

    end_use: Text
    node: Iso3
    demand_2024_t: Tonnes
    low_2024_t: Tonnes
    high_2024_t: Tonnes
    demand_2025_t: Tonnes
    growth_base_pct_yr_2025_30: Growth
    growth_low_pct_yr_2025_30: Growth
    share_N: Share
    share_SH: Share
    share_UH: Share
    share_UH_GBD: Share
    margin_lost_usd_per_kg_magnet: UsdKg
    output_value_usd_per_kg_magnet: UsdKg
    unit: Literal["t NdFeB a year; % a year; shares of tonnes; USD per kg magnet"]


class SmcoPlaceRow(Rated):
    """SmCo magnet demand of a use at a node."""

    use: Text
    node: Iso3
    demand_2024_t: Tonnes
    low_2024_t: Tonnes
    high_2024_t: Tonnes
    demand_2025_t: Tonnes
    growth_base_pct_yr: Growth
    growth_low_pct_yr: Growth
    kg_sm_metal_per_kg_magnet: Share
    share_not_replaceable: Share
    margin_lost_usd_per_kg_magnet: UsdKg
    unit: Literal["t SmCo a year; kg Sm metal per kg magnet; share of demand that NdFeB cannot replace"]


class OtherUseRow(Rated):
    """A use outside magnets; `surplus ...` and `stock ...` rows are balance items, not demand."""

    element: Text
    use: Text
    node: Iso3
    use_2024_t: Tonnes
    low_2024_t: Tonnes
    high_2024_t: Tonnes
    growth_pct_yr: Growth
    elasticity_short_run: Elasticity
    elasticity_low: Elasticity
    elasticity_high: Elasticity
    unit: TonnesUnit
    notes: Text | None

    @property
    def is_demand(self) -> bool:
        """False for the items that only close the balance."""
        return not self.use.startswith(("surplus", "stock"))


class SubstituteRow(Rated):
    """What can replace a magnet in an end use, at what relative cost and after how long."""

    end_use: Text
    substitute: Text
    replaces: Text
    relative_system_cost: Ratio
    max_share_long_run: Share
    lag_years: Years
    notes: Text | None
    low: Ratio
    high: Ratio
    unit: Literal["ratio of system cost at base prices; share of end use; years"]


class BasePriceRow(Rated):
    """A price of one good, place, tier and month before the start, USD/kg ex VAT."""

    good: Text
    node: Iso3
    tier: Text
    month: Month
    price_usd_per_kg: UsdKg
    low: UsdKg
    high: UsdKg
    unit: UsdKgUnit
    cny_per_t_incl_vat: Number | None
    formula: Text | None


class LaneRow(Rated):
    """A lane between nodes: weeks door to door, freight in USD per tonne by stage and mode."""

    origin: Iso3
    destination: Iso3
    mode: Literal["sea", "road or rail"]
    transit_weeks: Weeks
    transit_low: Weeks
    transit_high: Weeks
    air_weeks: Weeks
    freight_concentrate_usd_t: UsdTonne
    freight_oxide_usd_t: UsdTonne
    freight_metal_usd_t: UsdTonne
    freight_magnet_usd_t: UsdTonne
    air_oxide_metal_usd_t: UsdTonne
    air_magnet_usd_t: UsdTonne
    dangerous_goods_or_thorium_factor: Ratio
    unit: Literal["weeks door to door; USD per t REO or t goods"]
    notes: Text | None
    open_jan_2025: Flag


class TariffRow(Rated):
    """An import duty with its dates; rows of different legal bases add up."""

    importer: Iso3
    origin: Iso3
    good_class: TariffClass
    ad_valorem_pct: Duty
    valid_from: Day
    valid_to: Day | None
    legal_basis: Text
    notes: Text | None


class VatRefundRow(Rated):
    """VAT, the part refunded on export, and export duty, by class and dates."""

    country: Iso3
    good_class: Text
    vat_rate_pct: Percent | None
    export_refund_pct: Percent
    export_duty_pct: Percent | None
    valid_from: Day
    valid_to: Day | None
    notes: Text | None


class InitialStateRow(Rated):
    """A stock, cash, debt, rate or rule on 6 January 2025; `value` is a number or `0.25 x yearly sales`."""

    holder_kind: Text
    holder: Text
    node: Text | None
    good: Text | None
    measure: Literal["stock_t", "stock_weeks", "cash_usd_m", "debt_usd_m", "rate_pct", "parameter", "rule"]
    value: RuleOrNumber
    low: Number | None
    high: Number | None
    unit: Text
    notes: Text | None


class InitialContractRow(Rated):
    """A contract in force, by tonnes a year or by share of the volume of the buyer's node."""

    contract_id: Code
    contract_type: Text
    seller: Text
    buyer: Text
    seller_node: Text
    buyer_node: Iso3
    good: Text
    volume_t_yr: Tonnes | None
    volume_low: Tonnes | None
    volume_high: Tonnes | None
    share_of_node_volume: Share | None
    start: Month
    end: Month | None
    price_rule: Text
    price_parameters: Text | None
    min_take_share: Share
    prepayment_usd_m: UsdMillion | None
    binding: Text
    destination_limit: Text
    notes: Text | None


class PriorRow(Rated):
    """A behaviour or policy parameter with its range and what it is to be fitted on."""

    group: Text
    parameter: Text
    scope: Text
    unit: Text
    value: Number
    low: Number
    high: Number
    distribution: Literal["triangular", "lognormal", "gamma", "beta", "fixed"]
    basis: Text | None
    used_for: Text | None


class PolicyEventRow(Sourced):
    """A dated event of the record and the lever it maps to."""

    date: When
    actor: Text
    type: Text
    event: Text
    numeric_effect: Text
    lever_for_game: Text
    seed_files: Text | None


class DealRow(Sourced):
    """An offtake, loan, stake, floor, grant, venture or framework, USD million nominal."""

    date: Span
    deal: Text
    parties: Text
    type: Text
    binding: Text
    volume: Text | None
    price_terms: Text | None
    usd_m: UsdMillion | None
    duration_years: Years | None
    status_or_outcome: Text
    seed_claim: Text | None
    seed_files: Text | None


class QuotaRow(Sourced):
    """A quota batch or year, tonnes REO; batches are parts of `year` rows."""

    year: Year
    quota_type: Literal["export", "mining", "smelting_separation"]
    batch: Literal["year", "H1", "H2", "batch1", "batch2", "batch3"]
    total_t_reo: Tonnes | None
    light_t: Tonnes | None
    medium_heavy_t: Tonnes | None
    domestic_firms_t: Tonnes | None
    jv_firms_t: Tonnes | None
    actual_exports_t: Tonnes | None
    notes: Text | None


class CostRow(Sourced):
    """Capex, opex, lead time, ramp, yield, finance, freight or tax; the unit stands in each row."""

    category: Text
    stage: Text
    item: Text
    region: Text
    value: Number | None
    low: Number | None
    high: Number | None
    unit: Text
    basis_and_notes: Text | None
    seed_files: Text | None


class TradeRow(Sourced):
    """A monthly or yearly trade flow, tonnes gross (a percentage where the notes say so)."""

    month: Span
    flow: Text
    origin: Text
    destination: Text
    tonnes: Number
    notes: Text | None


class PriceRow(Sourced):
    """A published price point, USD/kg on the basis named by its tier."""

    date: Span
    freq: Literal["annual", "half-year", "quarterly", "monthly", "year-end", "spot", "contract", "claim"]
    product: Text
    tier: Text
    price_usd_per_kg: UsdKg
    low: UsdKg | None
    high: UsdKg | None
    unit_note: Text | None
    seed_claim: Text | None


class BaseFlowRow(Rated):
    """One feasible flow of the base year, tonnes a year."""

    good_class: Text
    good: Text
    origin: Iso3
    destination: Iso3
    t_2024: Tonnes
    unit: TonnesUnit


class BaseBalanceRow(Rated):
    """One line of the closed base year: throughput of a site, a flow, a surplus or a use, tonnes a year.

    A surplus below zero is a draw from stock.
    """

    record: Literal["throughput", "flow", "surplus", "use"]
    site_id: Code | None
    batch: Text | None
    good_class: Text | None
    good: Text | None
    origin: Iso3 | None
    destination: Iso3 | None
    t_2024: SignedTonnes
    unit: TonnesUnit


ALL_OTHER_USES = "other uses"


class BuyerRow(Rated):
    """Who buys an end use at a node, and what share of it.

    `other uses` stands for all uses of other_uses_2025.csv at the node that have no row of their own.
    """

    end_use: Text
    node: Iso3
    party: Slug
    share: Share


@dataclass(frozen=True)
class Facts:
    """All tables as tuples of rows, in the order of the files."""

    countries: tuple[CountryRow, ...]
    market_nodes: tuple[NodeRow, ...]
    elements: tuple[ElementRow, ...]
    goods: tuple[GoodRow, ...]
    baskets: tuple[BasketRow, ...]
    firms: tuple[FirmRow, ...]
    parties: tuple[PartyRow, ...]
    sites: tuple[SiteRow, ...]
    end_use_place: tuple[EndUsePlaceRow, ...]
    smco_place: tuple[SmcoPlaceRow, ...]
    other_uses: tuple[OtherUseRow, ...]
    buyers: tuple[BuyerRow, ...]
    substitutes: tuple[SubstituteRow, ...]
    base_prices: tuple[BasePriceRow, ...]
    lanes: tuple[LaneRow, ...]
    tariffs: tuple[TariffRow, ...]
    vat_refunds: tuple[VatRefundRow, ...]
    initial_state: tuple[InitialStateRow, ...]
    initial_contracts: tuple[InitialContractRow, ...]
    priors: tuple[PriorRow, ...]
    policy_events: tuple[PolicyEventRow, ...]
    deals: tuple[DealRow, ...]
    quotas: tuple[QuotaRow, ...]
    costs_leadtimes: tuple[CostRow, ...]
    trade: tuple[TradeRow, ...]
    prices: tuple[PriceRow, ...]
    base_flows: tuple[BaseFlowRow, ...]
    base_balance: tuple[BaseBalanceRow, ...]
    digest: str

    def facts_hash(self) -> str:
        """SHA-256 over names and bytes of the files read."""
        return self.digest

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self) if field.name != "digest"}


@dataclass(frozen=True)
class _Table:
    """One file: the name in `Facts`, the file, the row model and the columns that identify a row."""

    name: str
    file: str
    model: type[FactRow]
    key: tuple[str, ...]
    optional: bool = False


TABLES: tuple[_Table, ...] = (
    _Table("countries", "countries.csv", CountryRow, ("iso3",)),
    _Table("market_nodes", "market_nodes.csv", NodeRow, ("iso3",)),
    _Table("elements", "elements.csv", ElementRow, ("symbol",)),
    _Table("goods", "goods.csv", GoodRow, ("code",)),
    _Table("baskets", "baskets_2025.csv", BasketRow, ("basket_key", "element")),
    _Table("firms", "firms.csv", FirmRow, ("firm",)),
    _Table("parties", "parties.csv", PartyRow, ("slug",)),
    _Table("sites", "sites.csv", SiteRow, ("site_id",)),
    _Table("end_use_place", "end_use_place_2025.csv", EndUsePlaceRow, ("end_use", "node")),
    _Table("smco_place", "smco_place_2025.csv", SmcoPlaceRow, ("use", "node")),
    _Table("other_uses", "other_uses_2025.csv", OtherUseRow, ("element", "use", "node")),
    _Table("buyers", "buyers.csv", BuyerRow, ("end_use", "node", "party")),
    _Table("substitutes", "substitutes_2025.csv", SubstituteRow, ("end_use", "substitute")),
    _Table("base_prices", "base_prices_2025.csv", BasePriceRow, ("good", "node", "tier", "month")),
    _Table("lanes", "lanes.csv", LaneRow, ("origin", "destination")),
    _Table("tariffs", "tariffs.csv", TariffRow, ("importer", "origin", "good_class", "legal_basis", "valid_from")),
    _Table("vat_refunds", "vat_refunds.csv", VatRefundRow, ("country", "good_class", "valid_from")),
    _Table(
        "initial_state", "initial_state_2025.csv", InitialStateRow, ("holder_kind", "holder", "node", "good", "measure")
    ),
    _Table("initial_contracts", "initial_contracts.csv", InitialContractRow, ("contract_id",)),
    _Table("priors", "priors.csv", PriorRow, ("group", "parameter", "scope")),
    _Table("policy_events", "policy_events.csv", PolicyEventRow, ("date", "actor", "event")),
    _Table("deals", "deals.csv", DealRow, ("date", "deal")),
    _Table("quotas", "quotas.csv", QuotaRow, ("year", "quota_type", "batch")),
    _Table("costs_leadtimes", "costs_leadtimes.csv", CostRow, ("category", "stage", "item", "region")),
    _Table("trade", "trade.csv", TradeRow, ("month", "flow", "origin", "destination")),
    _Table("prices", "prices.csv", PriceRow, ("date", "freq", "product", "tier", "source")),
    _Table("base_flows", "base_flows_2024.csv", BaseFlowRow, ("good_class", "good", "origin", "destination"), True),
    _Table(
        "base_balance",
        "base_balance_2024.csv",
        BaseBalanceRow,
        ("record", "site_id", "batch", "good_class", "good", "origin", "destination"),
        True,
    ),
)

Record = dict[str, str | None]


@cache
def _adapter(model: type[FactRow]) -> TypeAdapter[Any]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def _columns(model: type[FactRow]) -> dict[str, FieldInfo]:
    """The columns of a table by header name."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def field_help(info: FieldInfo) -> tuple[str, object]:
    """Unit and example of a field, looked up in the parts of an optional type where needed."""
    extra = info.json_schema_extra
    if isinstance(extra, dict):
        return str(extra.get("unit", "")), extra.get("example")
    for part in get_args(info.annotation):
        for mark in getattr(part, "__metadata__", ()):
            if isinstance(mark, FieldInfo) and isinstance(mark.json_schema_extra, dict):
                return str(mark.json_schema_extra.get("unit", "")), mark.json_schema_extra.get("example")
    return "", None


class _Sheet:
    """One table while it is read: raw records with their lines, valid rows with theirs."""

    def __init__(self, table: _Table) -> None:
        self.table = table
        self.present = False
        self.records: list[Record] = []
        self.lines: list[int] = []
        self.rows: list[Any] = []
        self.row_lines: list[int] = []

    @property
    def sound(self) -> bool:
        """True when every record became a row, so that sums over rows mean something."""
        return self.present and len(self.rows) == len(self.records)

    def label(self, record: Record) -> str:
        """The cells that identify a record, for messages."""
        return " / ".join(value for column in self.table.key if (value := record.get(column)))

    def fault(self, index: int, field: str, message: str, remedy: str = "") -> Fault:
        """A fault of one record."""
        return Fault(self.table.file, self.lines[index], self.label(self.records[index]), field, message, remedy)

    def row_fault(self, line: int, field: str, message: str, remedy: str = "") -> Fault:
        """A fault of the record that starts on a line."""
        return self.fault(self.lines.index(line), field, message, remedy)

    def values(self, column: str) -> set[str]:
        """All texts of a column, faulty rows included, so that one bad cell does not orphan others."""
        return {value for record in self.records if (value := record.get(column))}


def _read(sheet: _Sheet, data: bytes) -> Iterator[Fault]:
    """Fill a sheet from the bytes of its file; yield what is wrong with header, rows and cells."""
    table = sheet.table
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Fault(table.file, None, "", "", f"is not UTF-8 text (byte {error.start})", "save it as CSV, UTF-8")
        return
    reader = csv.reader(io.StringIO(text), strict=True)
    columns = _columns(table.model)
    header: list[str] = next(reader, [])
    wrong = list(_header_faults(table.file, header, columns))
    if wrong:
        yield from wrong
        return
    sheet.present = True
    line = reader.line_num + 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                yield Fault(
                    table.file,
                    start,
                    cells[0],
                    "",
                    f"has {len(cells)} cells, the header has {len(header)}",
                    "put texts that contain a comma in double quotes",
                )
                continue
            sheet.records.append({name: cell or None for name, cell in zip(header, cells, strict=True)})
            sheet.lines.append(start)
    except csv.Error as error:
        yield Fault(table.file, reader.line_num, "", "", f"is not CSV: {error}", "close the double quotes")
    yield from _validate(sheet, columns)
    yield from _duplicates(sheet)


def _header_faults(file: str, header: list[str], columns: dict[str, FieldInfo]) -> Iterator[Fault]:
    """Missing, unknown and repeated columns."""
    if not header:
        yield Fault(file, 1, "", "", "is empty", "the first line must name the columns: " + ",".join(columns))
        return
    missing = [name for name in columns if name not in header]
    for name in header:
        if name not in columns:
            yield Fault(
                file, 1, "", name or "(no name)", "is not a known column", suggest(name, missing) or "remove it"
            )
    for name in missing:
        yield Fault(file, 1, "", name, "the column is missing", "add it; a blank cell means not known")
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Fault(file, 1, "", name, "the column stands there twice", "remove one")


def _validate(sheet: _Sheet, columns: dict[str, FieldInfo]) -> Iterator[Fault]:
    """Turn records into rows; yield a fault for each cell that does not fit, keep the good rows."""
    adapter = _adapter(sheet.table.model)
    good = list(range(len(sheet.records)))
    try:
        sheet.rows = adapter.validate_python(sheet.records)
    except ValidationError as error:
        bad: set[int] = set()
        for detail in pydantic_faults(error):
            index, column = int(detail["loc"][0]), str(detail["loc"][1])
            bad.add(index)
            unit, example = field_help(columns[column])
            yield sheet.fault(index, column, *describe(detail, unit, example))
        good = [index for index in good if index not in bad]
        sheet.rows = adapter.validate_python([sheet.records[index] for index in good])
    sheet.row_lines = [sheet.lines[index] for index in good]


def _duplicates(sheet: _Sheet) -> Iterator[Fault]:
    """Rows with the same identifying cells."""
    first: dict[tuple[str | None, ...], int] = {}
    for index, record in enumerate(sheet.records):
        key = tuple(record.get(column) for column in sheet.table.key)
        if key in first:
            yield sheet.fault(
                index,
                ", ".join(sheet.table.key),
                f"the same row stands on line {sheet.lines[first[key]]}",
                "keep one of them",
            )
        else:
            first[key] = index


_EXTRA_GOODS = frozenset(
    {"HoYb", "concentrate", "ore", "swarf", "end-of-life magnets", "NdFeB", "N", "SH", "UH", "UH_GBD", "SmCo", "block"}
)


def _words(cell: str) -> list[str]:
    """The names of goods in a cell such as `Sm;Eu;HoLu oxide` or `magnet N;SH`."""
    parts = [part.strip() for part in cell.split(";")]
    return [part.removesuffix(" oxide").removesuffix(" metal").removeprefix("magnet ") for part in parts]


def _references(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """Codes that must exist in another table: jurisdictions, nodes, firms, parties, goods, end uses, sites."""
    countries, nodes = sheets["countries"].values("iso3"), sheets["market_nodes"].values("node")
    baskets, elements = sheets["baskets"].values("basket_key"), sheets["elements"].values("symbol") | {"HoYb"}
    firms = sheets["parties"].values("firm")
    uses = (
        sheets["end_use_place"].values("end_use")
        | sheets["smco_place"].values("use")
        | sheets["other_uses"].values("use")
        | {ALL_OTHER_USES}
    )
    state = sheets["initial_state"].records
    capital = {str(record["holder"]) for record in state if record.get("holder_kind") == "finance"}
    holders = {str(record["holder"]) for record in state if record.get("holder_kind") == "firm"}
    checks: list[tuple[str, str, set[str], str]] = [
        ("market_nodes", "iso3", countries, "countries.csv"),
        ("countries", "iso3", sheets["market_nodes"].values("iso3"), "market_nodes.csv"),
        ("firms", "country_iso3", countries, "countries.csv"),
        ("firms", "firm", firms, "column firm of parties.csv"),
        ("parties", "country_iso3", countries, "countries.csv"),
        ("parties", "node", nodes, "market_nodes.csv"),
        (
            "parties",
            "firm",
            sheets["firms"].values("firm") | sheets["sites"].values("firm") | holders,
            "firms.csv, sites.csv or initial_state_2025.csv",
        ),
        ("parties", "cost_of_capital_class", capital, "the finance rows of initial_state_2025.csv"),
        ("sites", "country_iso3", countries, "countries.csv"),
        ("sites", "node", nodes, "market_nodes.csv"),
        ("sites", "firm", firms, "column firm of parties.csv"),
        ("sites", "basket_key", baskets | {"SEG+", "mixed light"}, "baskets_2025.csv"),
        ("baskets", "element", elements, "elements.csv"),
        ("other_uses", "element", elements, "elements.csv"),
        ("buyers", "end_use", uses, "the tables of uses"),
        ("buyers", "party", sheets["parties"].values("slug"), "parties.csv"),
        ("substitutes", "end_use", sheets["end_use_place"].values("end_use"), "end_use_place_2025.csv"),
        ("tariffs", "importer", nodes, "market_nodes.csv"),
        ("tariffs", "origin", nodes | {"ALL"}, "market_nodes.csv (or ALL)"),
        ("vat_refunds", "country", nodes, "market_nodes.csv"),
        ("initial_state", "node", nodes | {"all", "other nodes"}, "market_nodes.csv"),
        ("initial_contracts", "buyer_node", nodes, "market_nodes.csv"),
        ("base_balance", "site_id", sheets["sites"].values("site_id"), "sites.csv"),
    ]
    checks += [(name, "node", nodes, "market_nodes.csv") for name in ("end_use_place", "smco_place", "other_uses")]
    checks += [(name, "node", nodes, "market_nodes.csv") for name in ("buyers", "base_prices")]
    for name in ("lanes", "base_flows", "base_balance"):
        checks += [(name, column, nodes, "market_nodes.csv") for column in ("origin", "destination")]
    for name, column, known, where in checks:
        if not known:  # the other table is absent or unreadable: that fault is enough
            continue
        sheet = sheets[name]
        for index, record in enumerate(sheet.records):
            value = record.get(column)
            if value is not None and value not in known:
                hint = suggest(value, known) or f"use a name of {where}, or add a row there"
                yield sheet.fault(index, column, f"'{value}' is not in {where}", hint)
    if elements:
        yield from _goods(sheets, elements, baskets)


def _goods(sheets: dict[str, _Sheet], elements: set[str], baskets: set[str]) -> Iterator[Fault]:
    """Goods named in texts must be made of known elements, grades and baskets."""
    known = elements | _EXTRA_GOODS
    sheet = sheets["sites"]
    for index, record in enumerate(sheet.records):
        columns = ("good_out",) if record.get("stage") == "byproduct" else ("good_in", "good_out")
        for column in columns:
            for word in _words(record.get(column) or ""):
                if word and word not in known:
                    yield sheet.fault(index, column, f"'{word}' is not a known good", suggest_or_list(word, known))
    sheet = sheets["base_prices"]
    for index, record in enumerate(sheet.records):
        good = record.get("good") or ""
        head, _, tail = good.partition(" ")
        if head in {"concentrate", "carbonate"}:
            named, choices = good.rpartition(" ")[2], baskets
        elif head == "magnet":
            named, choices = tail, {"N", "SH", "UH", "UH_GBD", "SmCo"}
        else:
            named, choices = head, elements
        if good and choices and named not in choices:
            yield sheet.fault(index, "good", f"'{good}' is not a known good", suggest_or_list(named, choices))


# low, central value, high; other tables either have no range or ranges around something else
_RANGES: tuple[tuple[str, str, str, str], ...] = (
    ("priors", "low", "value", "high"),
    ("end_use_place", "low_2024_t", "demand_2024_t", "high_2024_t"),
    ("smco_place", "low_2024_t", "demand_2024_t", "high_2024_t"),
    ("other_uses", "low_2024_t", "use_2024_t", "high_2024_t"),
    ("other_uses", "elasticity_low", "elasticity_short_run", "elasticity_high"),
    ("lanes", "transit_low", "transit_weeks", "transit_high"),
    ("sites", "var_low", "var_cost", "var_high"),
    ("baskets", "recovery_low", "recovery_to_oxide", "recovery_high"),
    ("initial_state", "low", "value", "high"),
    ("initial_contracts", "volume_low", "volume_t_yr", "volume_high"),
    ("substitutes", "low", "relative_system_cost", "high"),
    ("costs_leadtimes", "low", "value", "high"),
    ("prices", "low", "price_usd_per_kg", "high"),
)


def _ranges(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """low <= value <= high."""
    for name, low, value, high in _RANGES:
        sheet = sheets[name]
        for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
            least, middle, most = getattr(row, low), getattr(row, value), getattr(row, high)
            if not isinstance(middle, float):
                continue
            if (least is not None and least > middle) or (most is not None and middle > most):
                message = f"{middle:g} is outside its range {least} to {most} ({low}, {high})"
                yield sheet.row_fault(line, value, message, f"order the cells {low} <= {value} <= {high}")


def _sums(
    sheet: _Sheet, group: Callable[[Any], tuple[str, ...]], value: Callable[[Any], float], target: float, field: str
) -> Iterator[Fault]:
    """Values that must add up to a target within each group (0.1 percent of slack for rounding)."""
    if not sheet.sound:
        return
    total: dict[tuple[str, ...], float] = defaultdict(float)
    last: dict[tuple[str, ...], int] = {}
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        total[group(row)] += value(row)
        last[group(row)] = line
    for key, amount in total.items():
        if abs(amount - target) > 1e-3 * target:
            message = f"the values of {' / '.join(key)} add up to {amount:g}, not {target:g}"
            yield sheet.row_fault(last[key], field, message, f"scale them so that they add up to {target:g}")


_UNIT_BY_STAGE = {
    "mine": "TREO",
    "separation_light": "TREO",
    "separation_heavy": "SEG+",
    "metal": "metal",
    "magnet_NdFeB": "magnet",
    "magnet_SmCo": "magnet",
    "recycling": "oxide",
}


def _sites(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """Units that fit the stage, a node that fits the jurisdiction, feed for mines and separators."""
    node_of = {record["iso3"]: record["node"] for record in sheets["market_nodes"].records}
    sheet = sheets["sites"]
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        word = _UNIT_BY_STAGE.get(row.stage)
        for column in ("nameplate_unit", "var_cost_unit"):
            text = getattr(row, column)
            if word and word not in text:
                message = f"'{text}' does not fit the stage {row.stage}"
                yield sheet.row_fault(line, column, message, f"state the figure in {word} and say so")
        home = node_of.get(row.country_iso3)
        if home is not None and home != row.node:
            message = f"'{row.node}' is not the market node of {row.country_iso3}"
            yield sheet.row_fault(line, "node", message, f"market_nodes.csv says {home}")
        if row.stage in {"mine", "separation_light"} and row.basket_key is None:
            yield sheet.row_fault(line, "basket_key", "is blank", "name the ore basket of baskets_2025.csv")
        if row.status == "planned" and row.announced_start is None:
            yield sheet.row_fault(line, "announced_start", "is blank", "a planned site needs a year or month")


def _overlaps(sheet: _Sheet, group: Callable[[Any], tuple[object, ...]], what: str) -> Iterator[Fault]:
    """Date ranges that run backwards or overlap within a group."""
    spans: dict[tuple[object, ...], list[tuple[date, date, int]]] = defaultdict(list)
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        end = row.valid_to or date.max
        if end < row.valid_from:
            message = f"{row.valid_to} is before valid_from {row.valid_from}"
            yield sheet.row_fault(line, "valid_to", message, "exchange or correct the dates")
            continue
        spans[group(row)].append((row.valid_from, end, line))
    for found in spans.values():
        found.sort()
        for (_, end, earlier), (start, _, line) in pairwise(found):
            if start <= end:
                message = f"overlaps the row on line {earlier} of the same {what}"
                yield sheet.row_fault(line, "valid_from", message, "end one row the day before the other starts")


def _contracts(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """A volume or a share, dates in order, seller nodes that exist."""
    nodes = sheets["market_nodes"].values("node") | {"own node"}
    sheet = sheets["initial_contracts"]
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        if row.volume_t_yr is None and row.share_of_node_volume is None:
            message = "neither volume_t_yr nor share_of_node_volume is given"
            yield sheet.row_fault(line, "volume_t_yr", message, "fill one of them")
        if row.end is not None and row.end < row.start:
            yield sheet.row_fault(line, "end", f"{row.end} is before start {row.start}", "correct the months")
        for place in row.seller_node.split(" or "):
            if place not in nodes and sheets["market_nodes"].present:
                yield sheet.row_fault(
                    line, "seller_node", f"'{place}' is not a market node", suggest_or_list(place, nodes)
                )


def _buyers(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """Every use at every node has its buyers."""
    sheet = sheets["buyers"]
    if not sheet.sound:
        return
    have = {(row.end_use, row.node) for row in sheet.rows}
    need: dict[tuple[str, str], tuple[str, int]] = {}
    for name, column in (("end_use_place", "end_use"), ("smco_place", "use"), ("other_uses", "use")):
        for row, line in zip(sheets[name].rows, sheets[name].row_lines, strict=True):
            if getattr(row, "is_demand", True):
                need.setdefault((getattr(row, column), row.node), (sheets[name].table.file, line))
    general = sheets["other_uses"].table.file
    for (use, node), (file, line) in need.items():
        if (use, node) not in have and not (file == general and (ALL_OTHER_USES, node) in have):
            message = f"nobody buys '{use}' at {node}"
            yield Fault(
                "buyers.csv", None, f"{use} / {node}", "end_use", message, f"add a row ({file} line {line} needs it)"
            )


def _cross_checks(sheets: dict[str, _Sheet]) -> Iterator[Fault]:
    """What no single cell can show."""
    yield from _references(sheets)
    yield from _ranges(sheets)
    yield from _sites(sheets)
    yield from _sums(
        sheets["baskets"], lambda row: (row.basket_key,), lambda row: row.pct_of_treo, 100.0, "pct_of_treo"
    )
    yield from _sums(
        sheets["end_use_place"],
        lambda row: (row.end_use, row.node),
        lambda row: row.share_N + row.share_SH + row.share_UH + row.share_UH_GBD,
        1.0,
        "share_N",
    )
    yield from _sums(sheets["buyers"], lambda row: (row.end_use, row.node), lambda row: row.share, 1.0, "share")
    yield from _buyers(sheets)
    sheet = sheets["base_balance"]
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        if row.t_2024 < 0 and row.record != "surplus":
            yield sheet.row_fault(line, "t_2024", f"{row.t_2024:g} is below 0", "only a surplus may be negative")
    sheet = sheets["lanes"]
    for row, line in zip(sheet.rows, sheet.row_lines, strict=True):
        if row.origin == row.destination:
            yield sheet.row_fault(line, "destination", f"the lane leads from {row.origin} to itself", "remove the row")
    yield from _overlaps(
        sheets["tariffs"],
        lambda row: (row.importer, row.origin, row.good_class, row.legal_basis),
        "importer, origin, good class and legal basis",
    )
    yield from _overlaps(
        sheets["vat_refunds"],
        lambda row: (row.country, row.good_class, row.vat_rate_pct is None),
        "country and good class",
    )
    yield from _contracts(sheets)


def load_facts(folder: Path | None = None) -> Facts:
    """Read and check all tables of a folder (default: the shipped `env/data`).

    Raises `InputError` with every fault of every table.  Takes about 60 ms for the shipped tables.
    """
    place = DATA if folder is None else Path(folder)
    faults: list[Fault] = []
    sheets: dict[str, _Sheet] = {}
    digest = hashlib.sha256()
    if not place.is_dir():
        raise InputError.one("there is no such folder", "name a folder that holds the fact tables", file=str(place))
    for table in TABLES:
        sheet = sheets[table.name] = _Sheet(table)
        path = place / table.file
        if not path.is_file():
            if not table.optional:
                faults.append(
                    Fault(table.file, None, "", "", f"the file is missing in {place}", "copy the shipped table there")
                )
            continue
        data = path.read_bytes()
        digest.update(table.file.encode() + b"\0" + data + b"\0")
        faults += _read(sheet, data)
    faults += _cross_checks(sheets)
    if faults:
        raise InputError(_in_order(faults))
    rows: dict[str, Any] = {name: tuple(sheet.rows) for name, sheet in sheets.items()}
    return Facts(**rows, digest=digest.hexdigest())


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults by table and line, each once."""
    position = {table.file: number for number, table in enumerate(TABLES)}
    return sorted(dict.fromkeys(faults), key=lambda fault: (position.get(fault.file, 99), fault.line or 0))
