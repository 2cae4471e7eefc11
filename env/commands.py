"""What a seat can ask for: one small model per kind of command, one union, one JSON schema.

A command is a wish.  `env.receive` checks who sends it and whether it fits, carries it out or refuses it
with a reason; nothing here touches the world.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from env.spec import NonNegative, PlaceCode, Positive, Share

EndUseClass = Literal["civil", "dual", "defence"]


class Body(BaseModel):
    """Base of all commands: immutable, unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- states ---------------------------------------------------------------------------------------------
class SetTariff(Body):
    """Import tariff (share of customs value) on goods or a class of goods from a place; 0 lifts it."""

    kind: Literal["set_tariff"] = "set_tariff"
    goods: list[str] = Field(min_length=1)
    origin: PlaceCode
    rate: NonNegative
    weeks: Annotated[int, Field(ge=1)] | None = None


class SetDuty(Body):
    """Export duty (share of the domestic price) on goods or a class; 0 lifts it."""

    kind: Literal["set_duty"] = "set_duty"
    goods: list[str] = Field(min_length=1)
    rate: NonNegative
    weeks: Annotated[int, Field(ge=1)] | None = None


class SetQuota(Body):
    """Quota in tonnes a year: on exports (several goods share one quota), mining or smelting at home.

    `destination` limits an export quota to one place; `sites` a mining or smelting quota to named sites.
    """

    kind: Literal["set_quota"] = "set_quota"
    scope: Literal["export", "mining", "smelting"] = "export"
    goods: list[str] = Field(default_factory=list)
    sites: list[str] = Field(default_factory=list)
    destination: PlaceCode | None = None
    tonnes_per_year: NonNegative
    phase_in_weeks: Annotated[int, Field(ge=0, le=260)] = 0
    weeks: Annotated[int, Field(ge=1)] | None = None


class Embargo(Body):
    """No exports of goods to a place (or all places when empty); `lift` ends it."""

    kind: Literal["embargo"] = "embargo"
    goods: list[str] = Field(min_length=1)
    destination: PlaceCode | None = None
    lift: bool = False
    leak: Share = 0.0
    weeks: Annotated[int, Field(ge=1)] | None = None


class SetControlList(Body):
    """Exports of goods that contain these elements need a licence (an empty list ends control)."""

    kind: Literal["set_control_list"] = "set_control_list"
    elements: list[str]
    threshold: Share = 0.001
    customs_tests: Share = 0.0


class SetLicenceDial(Body):
    """How willing the licence office is: share of its capacity for a destination and class of use."""

    kind: Literal["set_licence_dial"] = "set_licence_dial"
    destination: PlaceCode | Literal["ALL"] = "ALL"
    end_use_class: EndUseClass | Literal["all"] = "all"
    share: Share
    accept_reports: bool = False


class StockpileBuy(Body):
    """Buy for a stockpile on the spot market: tonnes a week up to a limit price."""

    kind: Literal["stockpile_buy"] = "stockpile_buy"
    good: str
    tonnes_per_week: NonNegative
    limit_usd_per_kg: Positive
    weeks: Annotated[int, Field(ge=1, le=520)] = 13


class StockpileRelease(Body):
    """Sell from a stockpile on the spot market: tonnes a week down to a limit price."""

    kind: Literal["stockpile_release"] = "stockpile_release"
    good: str
    tonnes_per_week: NonNegative
    limit_usd_per_kg: NonNegative = 0.0
    weeks: Annotated[int, Field(ge=1, le=520)] = 13


class SetPriceTarget(Body):
    """A state keeps its enterprises from asking more than a price at home; 0 lifts it."""

    kind: Literal["set_price_target"] = "set_price_target"
    good: str
    price_usd_per_kg: NonNegative
    weeks: Annotated[int, Field(ge=1, le=520)] = 52


class OfferFloor(Body):
    """One-way price floor for a seller: pays max(0, floor - reference) on kilograms sold and stockpiled.

    Above `upside_above` the state takes `upside_share` of the difference, at most `upside_cap_usd` a year.
    """

    kind: Literal["offer_floor"] = "offer_floor"
    to: str
    good: str
    floor_usd_per_kg: Positive
    start: date
    years: Annotated[float, Field(gt=0, le=40)] = 10.0
    upside_above_usd_per_kg: NonNegative = 0.0
    upside_share: Share = 0.0
    upside_cap_usd: NonNegative = 0.0
    stockpiled_share: Share = 1.0
    eligible_t_per_year: NonNegative = 0.0


# ---- firms ----------------------------------------------------------------------------------------------
class PlanOutput(Body):
    """Run a site at a share of what it could do; null returns to the plant's own rule."""

    kind: Literal["plan_output"] = "plan_output"
    site: str
    share: Annotated[float, Field(ge=0, le=1)] | None


class SetOrder(Body):
    """Standing order for a good.

    Rule `cover`: keep `cover_weeks` of use (buyers) and let the world re-evaluate every week.
    Rule `ladder`: buy or sell `tonnes_per_week` at a limit price for some weeks.
    """

    kind: Literal["set_order"] = "set_order"
    good: str
    node: PlaceCode | None = None
    rule: Literal["cover", "ladder"] = "cover"
    side: Literal["buy", "sell"] = "buy"
    cover_weeks: Annotated[float, Field(ge=0, le=156)] | None = None
    tonnes_per_week: NonNegative = 0.0
    limit_usd_per_kg: NonNegative = 0.0
    weeks: Annotated[int, Field(ge=1, le=520)] = 4


class Hold(Body):
    """Withhold a share of the stock of a good from sale (0 sells as usual)."""

    kind: Literal["hold"] = "hold"
    good: str
    share: Share
    node: PlaceCode | None = None


class Idle(Body):
    """Put a site on care and maintenance."""

    kind: Literal["idle"] = "idle"
    site: str


class Restart(Body):
    """Restart an idle site; it runs again after the restart time."""

    kind: Literal["restart"] = "restart"
    site: str


class StartProject(Body):
    """Start a planned site, or an expansion of a running one by `tonnes_per_year`."""

    kind: Literal["start_project"] = "start_project"
    site: str
    tonnes_per_year: NonNegative = 0.0


class AdvanceProject(Body):
    """Take the next decision of a project (for instance the final investment decision)."""

    kind: Literal["advance_project"] = "advance_project"
    project: str


class CancelProject(Body):
    """Give a project up; what is spent is lost."""

    kind: Literal["cancel_project"] = "cancel_project"
    project: str


# ---- deals ----------------------------------------------------------------------------------------------
class OfferContract(Body):
    """Offer an offtake: volume, term, and a fixed price or an index times a factor."""

    kind: Literal["offer"] = "offer"
    to: str
    side: Literal["buy", "sell"]
    good: str
    seller_node: PlaceCode
    buyer_node: PlaceCode
    tonnes_per_year: Positive
    start: date
    years: Annotated[float, Field(gt=0, le=30)]
    price_rule: Literal["fixed", "index"] = "index"
    price_usd_per_kg: NonNegative = 0.0
    index_factor: Annotated[float, Field(ge=0, le=10)] = 1.0
    index_lag_weeks: Annotated[int, Field(ge=1, le=52)] = 4
    min_take_share: Share = 0.8


class Accept(Body):
    """Accept an offer on the table (an offtake or a floor)."""

    kind: Literal["accept"] = "accept"
    offer: str


class Reject(Body):
    """Reject an offer on the table."""

    kind: Literal["reject"] = "reject"
    offer: str


class Withdraw(Body):
    """Take an own offer back."""

    kind: Literal["withdraw"] = "withdraw"
    offer: str


class Terminate(Body):
    """End a contract (all rows whose id starts with `contract`); open deliveries lapse."""

    kind: Literal["terminate"] = "terminate"
    contract: str


Command = Annotated[
    SetTariff | SetDuty | SetQuota | Embargo | SetControlList | SetLicenceDial | StockpileBuy | StockpileRelease
    | SetPriceTarget | OfferFloor | PlanOutput | SetOrder | Hold | Idle | Restart | StartProject | AdvanceProject
    | CancelProject | OfferContract | Accept | Reject | Withdraw | Terminate,
    Field(discriminator="kind"),
]  # fmt: skip

ADAPTER: TypeAdapter[Command] = TypeAdapter(Command)
KINDS: dict[str, type[Body]] = {
    model.model_fields["kind"].default: model
    for model in (
        SetTariff, SetDuty, SetQuota, Embargo, SetControlList, SetLicenceDial, StockpileBuy, StockpileRelease,
        SetPriceTarget, OfferFloor, PlanOutput, SetOrder, Hold, Idle, Restart, StartProject, AdvanceProject,
        CancelProject, OfferContract, Accept, Reject, Withdraw, Terminate,
    )
}  # fmt: skip


def parse_command(body: Any) -> Command:
    """A command from a JSON-like dict (or a command itself); raises pydantic.ValidationError with all faults."""
    return body if isinstance(body, Body) else ADAPTER.validate_python(body)  # type: ignore[return-value]


def command_schema() -> dict[str, Any]:
    """JSON schema of all commands."""
    return ADAPTER.json_schema()
