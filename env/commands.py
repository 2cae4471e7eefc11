"""What a seat can ask for: one small model per kind of command, one union, one JSON schema.

Policy instruments bring their own commands (`env.instruments`); firms and deals have theirs here.

A command is a wish.  `env.receive` checks who sends it and whether it fits, carries it out or refuses it
with a reason; nothing here touches the world.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Union

from pydantic import Field, TypeAdapter

from env.body import Body, Price, SomeTonnes, Tonnes
from env.instruments import HANDLERS
from env.spec import PlaceCode, Share


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
    tonnes_per_week: Tonnes = 0.0
    limit_usd_per_kg: Price = 0.0
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
    tonnes_per_year: Tonnes = 0.0


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
    tonnes_per_year: SomeTonnes
    start: date
    years: Annotated[float, Field(gt=0, le=30)]
    price_rule: Literal["fixed", "index"] = "index"
    price_usd_per_kg: Price = 0.0
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


#: commands of firms and of deals; those of policy come with their instruments
OWN: tuple[type[Body], ...] = (
    PlanOutput, SetOrder, Hold, Idle, Restart, StartProject, AdvanceProject, CancelProject, OfferContract, Accept,
    Reject, Withdraw, Terminate,
)  # fmt: skip
MODELS: tuple[type[Body], ...] = (*(handler.terms for handler in HANDLERS.values()), *OWN)
KINDS: dict[str, type[Body]] = {str(model.model_fields["kind"].default): model for model in MODELS}
Command = Body
#: Any: a union made from a list is no type that mypy can read
_UNION: Any = Annotated[Union[MODELS], Field(discriminator="kind")]  # noqa: UP007
ADAPTER: TypeAdapter[Body] = TypeAdapter(_UNION)


def parse_command(body: object) -> Body:
    """A command from a JSON-like dict (or a command itself); raises pydantic.ValidationError with all faults."""
    return body if isinstance(body, Body) else ADAPTER.validate_python(body)


def command_schema() -> dict[str, Any]:
    """JSON schema of all commands."""
    return ADAPTER.json_schema()
