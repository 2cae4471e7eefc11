"""What a strategy is: a function or object with `decide(observation, rng) -> list of commands`, and its card."""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from env import Fault, InputError, Observation


@runtime_checkable
class Strategy(Protocol):
    """Anything that decides for a seat.  Commands may be models of `env.commands` or plain dicts."""

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Commands for this week; an empty list leaves standing orders as they are."""
        ...


@dataclass(frozen=True, slots=True)
class Card:
    """What a strategy says about itself."""

    name: str
    kinds: tuple[str, ...]
    summary: str
    source: str = ""


#: built-in strategies: name -> module (adding one takes its file and this line)
BUILT_IN: dict[str, str] = {
    "quiet": "agents.strategies.quiet",
    "margin_keeper": "agents.strategies.margin_keeper",
    "state_enterprise": "agents.strategies.state_enterprise",
    "cover_keeper": "agents.strategies.cover_keeper",
    "market_power": "agents.strategies.market_power",
    "import_dependent": "agents.strategies.import_dependent",
    "defence_buyer": "agents.strategies.defence_buyer",
}


def load_strategy(name_or_path: str | Path) -> Strategy:
    """A built-in by name, or a Python file with `decide(observation, rng)` or a class `Strategy`.

    Raises InputError naming the file when it cannot be used.
    """
    if str(name_or_path) in BUILT_IN:
        return importlib.import_module(BUILT_IN[str(name_or_path)]).Strategy()  # type: ignore[no-any-return]
    path = Path(name_or_path)
    if path.suffix != ".py" or not path.is_file():
        known = ", ".join(BUILT_IN)
        raise InputError(
            [Fault(str(name_or_path), None, "", "strategy", "no such strategy", f"use one of {known}, or a .py file")]
        )
    spec = importlib.util.spec_from_file_location(f"offtake_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError([Fault(str(path), None, "", "strategy", "cannot be read as Python", "check the file")])
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(
            [Fault(str(path), None, "", "strategy", f"fails on import: {error}", "make it import cleanly")]
        ) from error
    if hasattr(module, "Strategy"):
        try:
            return module.Strategy()  # type: ignore[no-any-return]
        except Exception as error:
            raise InputError(
                [Fault(str(path), None, "", "strategy", f"Strategy() fails: {error}", "make it need no arguments")]
            ) from error
    if hasattr(module, "decide"):
        return module
    raise InputError(
        [Fault(str(path), None, "", "strategy", "has neither decide() nor Strategy", "define decide(observation, rng)")]
    )


def call(strategy: Strategy, observation: Observation, rng: np.random.Generator) -> list[Any]:
    """Ask a strategy; an exception, or anything but a list of commands, is its author's error (`InputError`)."""
    try:
        commands: object = strategy.decide(observation, rng)  # other people's code: its answer may be anything
    except Exception as error:
        if type(strategy).__module__ in BUILT_IN.values():
            raise  # ours: a fault of the program
        what = f"the strategy fails: {type(error).__name__}: {error}"
        raise InputError([_fault(strategy, observation, what, "correct it", error)]) from error
    if commands is None:
        return []
    if not isinstance(commands, (list, tuple)):
        what = f"the strategy returned {type(commands).__name__}, not a list of commands"
        raise InputError([_fault(strategy, observation, what, "return a list, empty for nothing to do")])
    return list(commands)


def _fault(
    strategy: Strategy, observation: Observation, what: str, remedy: str, error: Exception | None = None
) -> Fault:
    """Seat, file, line, week and what went wrong in somebody's strategy."""
    code = getattr(getattr(strategy, "decide", None), "__code__", None)
    file = str(getattr(code, "co_filename", "") or type(strategy).__name__)
    trace = traceback.extract_tb(error.__traceback__) if error is not None else []
    lines = [frame.lineno for frame in trace if frame.filename == file]
    where = f"{observation.party}, week of {observation.calendar['date']}"
    return Fault(file, lines[-1] if lines else None, where, "", what, remedy)
