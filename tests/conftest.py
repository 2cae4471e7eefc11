"""What every test shares: Hypothesis draws the same examples on every machine that sets CI; one run of the baseline."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# deadline=None: the first call of a compiled function takes seconds, and a shared machine is slow at times.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# tests share tiny_worlds.py and recompute.py; a package called tests would shadow nothing, but this needs no package
sys.path.insert(0, str(Path(__file__).parent))


@dataclass
class Run:
    """A finished run: the game, its folder of results, its manifest, and games forked on the way by week."""

    game: Any
    folder: Path
    manifest: dict[str, Any]
    forks: dict[int, Any] = field(default_factory=dict)


def _run(game: Any, folder: Path, *, until: str | None = None, fork_at: tuple[int, ...] = ()) -> Run:
    forks: dict[int, Any] = {}

    def keep(current: Any) -> None:
        if current.week in fork_at:
            forks[current.week] = current.fork()

    game.run(until=until, on_week=keep)
    return Run(game, folder, game.write(folder), forks)


@pytest.fixture(scope="session")
def baseline_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The baseline, seed 1, to the end of 2025; forks in January, April (after the controls) and July."""
    from agents import Game

    folder = tmp_path_factory.mktemp("baseline") / "run"
    return _run(Game("baseline", seed=1), folder, until="2025-12-29", fork_at=(2, 16, 26))


@pytest.fixture(scope="session")
def chain_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small chain with quota, licences, embargo, stockpile, floor, idling and a default, strategies on: 78
    weeks."""
    from busy_chain import busy

    from agents import Game

    folder = tmp_path_factory.mktemp("chain") / "run"
    return _run(Game(busy(), seed=3), folder, until="2026-06-29", fork_at=(20,))
