"""Base of all commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: how long an instrument stays in force, in weeks; None = until it is replaced or lifted
Weeks = Annotated[int, Field(ge=1, le=5200)] | None

# ceilings far above anything the market knows: a slip of the pen must not drown it
#: tonnes a week or a year
Tonnes = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
SomeTonnes = Annotated[float, Field(gt=0.0, le=1e7, allow_inf_nan=False)]
#: USD per kg
Price = Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)]
SomePrice = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
#: tariff or duty as a share of value
Rate = Annotated[float, Field(ge=0.0, le=10.0, allow_inf_nan=False)]


class Body(BaseModel):
    """A command: immutable, unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
