"""Compact forms of what a week leaves behind: arrays without their zeros, columns as runs of equal values.

A run of sixteen years keeps some two million deals; these forms cost a quarter of plain columns and lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from env.world import Floats, Ints

if TYPE_CHECKING:
    from env.books import Ledger
    from env.trade import Shipments
    from env.world import Structure

Array = npt.NDArray[Any]


def _small(n: int) -> npt.DTypeLike:
    """A type that holds the indices of `n` rows."""
    return np.uint16 if n <= 65_536 else np.int32


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """An array of `size` that is `fill` everywhere but at `index` (all of it is kept where that is no saving)."""

    size: int
    fill: float
    index: Array | None
    values: Array

    @classmethod
    def of(cls, values: Array) -> Packed:
        """Pack a flat array: without its zeros, or without its NaN if it has any."""
        fill = float("nan") if np.isnan(values).any() else 0.0
        index = np.flatnonzero(values == values if fill != fill else values)
        if 5 * len(index) > 4 * len(values):
            return cls(len(values), fill, None, values.copy())
        return cls(len(values), fill, index.astype(_small(len(values))), values[index])

    def array(self) -> Array:
        """The whole array."""
        if self.index is None:
            return self.values
        out = np.full(self.size, self.fill, dtype=self.values.dtype)
        out[self.index] = self.values
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A column as runs of equal values: where each begins, and its value."""

    begin: Array
    values: Array

    @classmethod
    def of(cls, column: Array, dtype: npt.DTypeLike) -> Runs:
        """Pack a column."""
        if not len(column):
            return cls(np.zeros(0, np.int32), np.zeros(0, dtype))
        begin = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]]))
        return cls(begin.astype(np.int32), column[begin].astype(dtype))

    def column(self, length: int) -> Array:
        """The whole column."""
        return np.repeat(self.values, np.diff(np.append(self.begin, length)))


class Week:
    """Everything of one recorded week but deals and payments: arrays by name, packed; `week.used` unpacks."""

    __slots__ = ("parts", "week")

    def __init__(self, week: int, **arrays: Array) -> None:
        self.week = week
        self.parts = {name: Packed.of(values) for name, values in arrays.items()}

    def __getattr__(self, name: str) -> Array:
        if name in ("parts", "week") or name.startswith("__") or name not in self.parts:
            raise AttributeError(name)
        return self.parts[name].array()


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """The deals of one week: slots and kg by row, what lanes share as runs; `flows["seller"]` is a whole column."""

    structure: Structure
    week: int
    s_slot: Array
    b_slot: Array
    kg: Floats
    price: Runs
    unit_duty: Runs
    contract: Runs
    licence: Runs

    @classmethod
    def of(cls, st: Structure, week: int, part: Shipments) -> Flows:
        """Pack the shipments of a week."""
        return cls(
            st,
            week,
            part.s_slot.astype(_small(len(st.s_good))),
            part.b_slot.astype(_small(len(st.b_good))),
            part.kg,
            Runs.of(part.price, np.float64),
            Runs.of(part.unit_duty, np.float64),
            Runs.of(part.contract, np.int32),
            Runs.of(part.licence, np.int32),
        )

    @classmethod
    def opening(
        cls, st: Structure, week: int, s_slot: Ints, b_slot: Ints, kg: Floats, price: Floats, contract: Ints
    ) -> Flows:
        """Pack what left in a week before the world began, free of duty."""
        return cls(
            st,
            week,
            s_slot.astype(_small(len(st.s_good))),
            b_slot.astype(_small(len(st.b_good))),
            kg,
            Runs.of(price, np.float64),
            Runs.of(np.zeros(len(kg)), np.float64),
            Runs.of(contract, np.int32),
            Runs.of(np.full(len(kg), -1), np.int32),
        )

    @classmethod
    def none(cls, st: Structure) -> Flows:
        """No deals."""
        slots, empty = np.zeros(0, np.int32), Runs.of(np.zeros(0), np.float64)
        return cls(st, 0, slots, slots, np.zeros(0), empty, empty, empty, empty)

    def __getitem__(self, name: str) -> Array:
        return self.columns()[name]

    def columns(self) -> dict[str, Array]:
        """All columns of the flows table as indices and numbers (kg, USD)."""
        st, n = self.structure, len(self.kg)
        origin, dest = st.s_node[self.s_slot], st.b_node[self.b_slot]
        return {
            "week": np.full(n, self.week), "good": st.s_good[self.s_slot], "origin": origin, "dest": dest,
            "seller": st.derived.s_party[self.s_slot], "buyer": st.derived.b_party[self.b_slot], "kg": self.kg,
            "price": self.price.column(n), "contract": self.contract.column(n), "licence": self.licence.column(n),
            "duty": self.kg * self.unit_duty.column(n), "arrives": self.arrives(),
        }  # fmt: skip

    def arrives(self) -> Ints:
        """Week of arrival of each row."""
        st = self.structure
        return self.week + st.derived.sea_weeks[st.s_node[self.s_slot], st.b_node[self.b_slot]]


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """The payments of one week: blocks of one reason and reference, payers and payees as runs."""

    week: int
    payer: Runs
    payee: Runs
    usd: Floats
    reason: Array  # by block
    count: Array  # rows by block
    ref: tuple[str, ...]  # by block

    @classmethod
    def of(cls, week: int, ledger: Ledger, payer: Ints, payee: Ints, usd: Floats) -> Payments:
        """Pack the rows of a ledger."""
        count = np.array([len(x) for x in ledger.usd], dtype=np.int32)
        return cls(
            week,
            Runs.of(payer, np.int16),
            Runs.of(payee, np.int16),
            usd,
            np.array(ledger.reason, dtype=np.int8),
            count,
            tuple(ledger.ref),
        )

    def columns(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Week, payer, payee, USD, reason, reference by row."""
        n = len(self.usd)
        refs = np.repeat(np.array(self.ref, dtype=object), self.count)
        return (
            np.full(n, self.week),
            self.payer.column(n),
            self.payee.column(n),
            self.usd,
            np.repeat(self.reason, self.count),
            refs,
        )
