"""Base of all commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: how long an instrument stays in force, in weeks; None = until it is replaced or lifted
Weeks = Annotated[int, Field(ge=1, le=5200)] | None


class Body(BaseModel):
    """A command: immutable, unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
