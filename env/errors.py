"""What is wrong with an input, where, and what to do about it.

A `Fault` is one thing to repair in a file, a table or a command line.  Readers collect every fault
they can find and raise one `InputError`, so that a person repairs a file in one go.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to repair.  `str()` is one line: where, what is wrong, what to write instead."""

    file: str
    line: int | None
    row: str
    field: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = self.file
        if self.line is not None:
            where = f"{where} line {self.line}".strip()
        if self.row:
            where = f"{where} ({self.row})".strip()
        if self.field:
            where = f"{where}, field {self.field}" if where else f"field {self.field}"
        what = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return f"{where}: {what}" if where else what


class InputError(Exception):
    """The input is wrong: one or more faults, all reported at once.  Nothing was changed or written."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def one(cls, message: str, remedy: str = "", *, file: str = "", row: str = "", field: str = "") -> InputError:
        """An error with a single fault, for callers that have nothing else to collect."""
        return cls([Fault(file, None, row, field, message, remedy)])


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or an empty string."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.7)
    if not near:  # capital letters are the commonest slip and count as a whole different letter
        folded = {name.lower(): name for name in names}
        near = [folded[key] for key in difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.7)]
    if not near and len(word) >= 4:  # the beginning of a longer name: `tonnes` for `tonnes_per_year`
        near = [name for name in names if name.startswith(word)][:1]
    return f"did you mean '{near[0]}'?" if near else ""


def suggest_or_list(word: str, known: Iterable[str], limit: int = 12) -> str:
    """The nearest known word, or the known words when they are few enough to read."""
    names = sorted(known)
    hint = suggest(word, names)
    if hint or not names:
        return hint
    shown = ", ".join(names[:limit])
    return f"write one of {shown}" + (f" and {len(names) - limit} more" if len(names) > limit else "")


def describe(error: Mapping[str, Any], unit: str = "", example: object = None) -> tuple[str, str]:
    """Message and remedy for one pydantic error, in words for people who do not know pydantic.

    `unit` and `example` describe the field (`t a year`, 50700).
    """
    kind = str(error["type"])
    value = error.get("input")
    limits: Mapping[str, Any] = error.get("ctx") or {}
    shown = repr(value) if isinstance(value, str) else str(value)
    wanted = "write " + (unit or "a value") + (f", for instance {example}" if example is not None else "")

    if kind == "missing":
        return "is missing", wanted
    if kind == "extra_forbidden":
        return "is not a known field", ""
    if value is None:
        return "is blank", wanted
    if kind in {"float_parsing", "float_type", "int_parsing", "int_type", "int_from_float"}:
        whole = "a whole number" if kind.startswith("int") else "a number"
        return f"{shown} is not {whole}", wanted
    if kind == "finite_number" or (isinstance(value, float) and math.isnan(value)):
        return f"{shown} is not a finite number", wanted
    if kind in {"greater_than_equal", "greater_than"}:
        bound = limits.get("ge", limits.get("gt"))
        return f"{shown} is {'below' if 'ge' in limits else 'not above'} {bound:g}", wanted
    if kind in {"less_than_equal", "less_than"}:
        return f"{shown} is above {limits.get('le', limits.get('lt')):g}", wanted
    if kind == "literal_error":
        choices = str(limits.get("expected", ""))
        hint = suggest(str(value), [word.strip(" '") for word in choices.replace(" or ", ",").split(",")])
        return f"{shown} is not one of {choices}", hint or "write one of them"
    if kind == "string_pattern_mismatch":
        return f"{shown} has the wrong form", wanted if unit else f"it must match {limits.get('pattern')}"
    if kind.startswith("date"):
        return f"{shown} is not a date", "write YYYY-MM-DD, for instance 2025-01-06"
    if kind.startswith("bool"):
        return f"{shown} is neither true nor false", "write true or false"
    if kind in {"list_type", "tuple_type"}:
        return f"{shown} is not a list", "write it as a list, or as a [[table]] for each row"
    if kind in {"dict_type", "model_type", "model_attributes_type"}:
        return f"{shown} is not a table", "write it as a [table] with its fields"
    if kind == "string_type":
        return f"{shown} is not a text", "put it in quotes"
    return f"{shown}: {error['msg']}", wanted if unit else ""


def pydantic_faults(error: pydantic.ValidationError) -> list[dict[str, Any]]:
    """The errors of a pydantic failure as plain dicts, one per field (a union reports each branch)."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for detail in error.errors(include_url=False):
        place = tuple(part for part in detail["loc"])
        key = place[:2] if len(place) > 1 and isinstance(place[0], int) else place
        if key not in seen:
            seen.add(key)
            kept.append(dict(detail))
    return kept
