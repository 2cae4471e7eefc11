"""What a world is made of before it runs: plain, validated rows, free of arrays.

Two roads lead here: the fact tables (`env.from_facts`) and inline tables of a scenario file
(`env.scenario`).  One road leads on: `env.build` turns a `WorldSpec` into a `World`.

Units: tonnes a year for steady rates (`*_t`), USD/kg for prices and unit costs, USD for money,
weeks for times, shares in [0, 1].  Codes: goods `ndpr_oxide`, places ISO 3166 alpha-3 (`CHN`),
parties lower-case slugs (`mp_materials`).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
# ceilings keep a slip of the pen from breaking the arithmetic; the world stays far below them
Price = Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)]
SomePrice = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
Tonnes = Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False)]
Money = Annotated[float, Field(ge=0.0, le=1e13, allow_inf_nan=False)]
Balance = Annotated[float, Field(ge=-1e13, le=1e13, allow_inf_nan=False)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
PlaceCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

GoodStage = Literal["concentrate", "seg", "oxide", "metal", "swarf", "magnet"]
SiteStage = Literal["mine", "separation_light", "separation_heavy", "metal", "magnet", "recycling", "byproduct"]
PartyKind = Literal["state", "soe", "producer", "oem", "defence", "agency", "trader", "lender", "aggregate"]
UserClass = Literal["civil", "dual", "defence"]


class Row(BaseModel):
    """Base of all specification rows: unknown fields are faults, rows do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSpec(Row):
    """A market node: a place where orders meet.  Several jurisdictions may share one node."""

    code: PlaceCode
    name: str = ""


class PlaceSpec(Row):
    """A jurisdiction: it can rule, host sites and sign; it trades at its market node."""

    code: PlaceCode
    name: str = ""
    node: PlaceCode


class GoodSpec(Row):
    """One tradable good.

    `reo_kg_per_kg` is contained rare-earth oxide per kg of the good; `elements` its composition by
    element (kg of element oxide equivalent per kg of good), which decides what a control list catches.
    Its fundamental price is `conversion_cost + payable_share * sum(payable_content[oxide] * price of the oxide)`
    for goods with content, its own balance of supply and use for oxides.
    """

    code: Slug
    name: str = ""
    stage: GoodStage
    group: Literal["light", "heavy", "mixed", "other"] = "mixed"
    elements: dict[str, NonNegative] = Field(default_factory=dict)
    deposit: str = ""
    reo_kg_per_kg: NonNegative = 1.0
    base_price_usd_per_kg: SomePrice
    base_fob_usd_per_kg: SomePrice | None = None
    finishing_cost_usd_per_kg: Price = 0.0
    export_cost_share: NonNegative = 0.0
    conversion_cost_usd_per_kg: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] = 0.0
    payable_share: NonNegative = 1.0
    payable_content: dict[Slug, NonNegative] = Field(default_factory=dict)
    ladder_steepness: NonNegative = 1.0
    ask_sensitivity: NonNegative = 0.4
    estimate: bool = True


class PartySpec(Row):
    """A legal person: firm, state, buyer, lender.  Cash and debt in USD at the first week."""

    code: Slug
    name: str = ""
    kind: PartyKind
    place: PlaceCode
    cash_usd: Balance = 0.0
    debt_usd: Money = 0.0
    interest_rate: Share = 0.055
    soft_budget: bool = False
    estimate: bool = True


class RecipeSpec(Row):
    """One batch type of a site: kg of each good in and out per kg of throughput, and its yearly rate."""

    batch: str
    inputs_kg_per_kg: dict[Slug, NonNegative] = Field(default_factory=dict)
    outputs_kg_per_kg: dict[Slug, NonNegative] = Field(default_factory=dict)
    base_t: Tonnes = 0.0


class SiteSpec(Row):
    """A plant or mine.  Throughput counts in `nameplate_t`'s unit (TREO mined or treated, metal or magnets made).

    `response` says which elasticity moves the output of a mine with its price: firm, clay, or loose (undocumented
    ore, old magnets, by-products).  `held_goods` it sells under contract only: what nobody has signed for stays in its
    store.
    """

    code: str
    party: Slug
    node: PlaceCode
    stage: SiteStage
    deposit: str = ""
    nameplate_t: Tonnes
    ramp: Share = 1.0
    status: Literal["operating", "idle", "planned"] = "operating"
    variable_cost_usd_per_kg: Price = 0.0
    fixed_cost_usd_per_year: Money = 0.0
    lag_weeks: Annotated[int, Field(ge=0, le=9)] = 0
    response: Literal["firm", "clay", "loose"] = "firm"
    held_goods: list[Slug] = Field(default_factory=list)
    recipes: list[RecipeSpec] = Field(default_factory=list)
    feed_firm: Slug | None = None
    capex_usd: Money = 0.0
    announced_start: date | None = None
    estimate: bool = True


class SubstituteSpec(Row):
    """What replaces a magnet in a use when it gets dear: another technology (`to_good` empty) or another good.

    `relative_cost` is the cost of the system with the substitute over that with the good, at base prices;
    `max_share` of the use can go, with a lag of `lag_years`.
    """

    name: str
    goods: list[Slug]
    to_good: Slug | Literal[""] = ""
    relative_cost: Positive
    max_share: Share
    lag_years: Positive


class UseSpec(Row):
    """A final use at a node by one buyer: yearly use of each good, in fixed proportions within the use."""

    code: Slug
    end_use: str
    party: Slug
    node: PlaceCode
    user_class: UserClass = "civil"
    goods_t: dict[Slug, Tonnes]
    growth_pct_per_year: float = 0.0
    growth_low_pct_per_year: float = 0.0
    elasticity: Annotated[float, Field(le=0.0)] = -0.1
    margin_lost_usd_per_kg: Price = 0.0
    output_value_usd_per_kg: Price = 0.0
    cover_weeks: NonNegative = 4.0
    substitutes: list[SubstituteSpec] = Field(default_factory=list)
    estimate: bool = True


class LaneSpec(Row):
    """A lane between two nodes: transit and freight by stage of good (USD per tonne)."""

    origin: PlaceCode
    destination: PlaceCode
    transit_weeks: NonNegative
    freight_usd_per_t: dict[GoodStage, NonNegative] = Field(default_factory=dict)


class TariffSpec(Row):
    """An import tariff row with its dates.  Rows of one importer and good add up over legal bases."""

    importer: PlaceCode
    origin: str
    good_class: str
    rate: NonNegative
    valid_from: date
    valid_to: date | None = None
    legal_basis: str = ""


class ExportTaxSpec(Row):
    """Unrefunded VAT plus export duty on goods of a class leaving a place (share of the domestic price)."""

    exporter: PlaceCode
    good_class: str
    vat_rate: Share
    refund_rate: Share
    duty_rate: NonNegative = 0.0
    valid_from: date
    valid_to: date | None = None


class ContractSpec(Row):
    """A bilateral offtake in force or planned: fixed or index price, yearly volume, minimum take."""

    code: str
    seller: Slug
    buyer: Slug
    good: Slug
    seller_node: PlaceCode
    buyer_node: PlaceCode
    seller_holder: str = ""
    buyer_holder: str = ""
    volume_t_per_year: Tonnes
    share_of_need: Share = 0.0
    rolling: bool = False
    start: date
    end: date
    price_rule: Literal["fixed", "index"] = "index"
    price_usd_per_kg: Price = 0.0
    index_factor: NonNegative = 1.0
    index_lag_weeks: Annotated[int, Field(ge=0, le=52)] = 4
    min_take_share: Share = 0.8
    captive: bool = False
    estimate: bool = True


class StockSpec(Row):
    """Stock in hand at the first week; `holder` is a site code, a use code or a party (agency, trader)."""

    holder: str
    node: PlaceCode
    good: Slug
    tonnes: Tonnes


class TraderSpec(Row):
    """A hub where a trading party buffers one good; target stock in weeks of the hub's use."""

    party: Slug
    node: PlaceCode
    good: Slug
    target_t: Tonnes
    capital_usd: Money = 0.0


class EventSpec(Row):
    """A dated input: a command in the name of a party.  Rules and plans, never outcomes."""

    date: date
    actor: Slug
    text: str = ""
    source: str = ""
    command: dict[str, Any]


class WorldSpec(Row):
    """Everything a world needs before its first week.

    `constant_demand`: use neither grows nor fluctuates, plants have no outages and no holidays.  `still`: all of
    that, and nothing else happens by itself: projects and ramps stand, contracts in force at the start do not run out.
    """

    name: str
    title: str = ""
    description: str = ""
    start: date
    end: date
    burn_in_weeks: Annotated[int, Field(ge=0, le=520)] = 0
    constant_demand: bool = False
    still: bool = False
    demand_variant: Literal["base", "low"] = "base"
    strategies: bool = True
    nodes: list[NodeSpec]
    places: list[PlaceSpec] = Field(default_factory=list)
    goods: list[GoodSpec]
    parties: list[PartySpec]
    sites: list[SiteSpec] = Field(default_factory=list)
    uses: list[UseSpec] = Field(default_factory=list)
    lanes: list[LaneSpec] = Field(default_factory=list)
    tariffs: list[TariffSpec] = Field(default_factory=list)
    export_taxes: list[ExportTaxSpec] = Field(default_factory=list)
    contracts: list[ContractSpec] = Field(default_factory=list)
    stocks: list[StockSpec] = Field(default_factory=list)
    traders: list[TraderSpec] = Field(default_factory=list)
    events: list[EventSpec] = Field(default_factory=list)
    knowhow: dict[str, Share] = Field(default_factory=dict)
    parameters: dict[str, float] = Field(default_factory=dict)
