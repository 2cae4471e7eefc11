"""A seat: a Mesa agent that decides for one party, when its rhythm or an event says so."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import mesa
import numpy as np

from agents.strategy import Strategy, call
from env import Observation, World, stream

if TYPE_CHECKING:
    from agents.game import Game

MONTH_WEEKS, QUARTER_WEEKS = 4, 13


class Seat(mesa.Agent):
    """One party's decider.  Subclasses say how often, what wakes them, and what plays them by default."""

    every_weeks: int = MONTH_WEEKS
    #: kinds of news that make the seat decide at once
    wakes_on: tuple[str, ...] = ()
    default_strategy: str = "quiet"

    def __init__(self, model: Game, party: str, strategy: Strategy, number: int) -> None:
        super().__init__(model)
        self.party = party
        self.strategy = strategy
        self.number = number
        self.seen_event = 0

    def is_due(self, world: World, newest: dict[str, int]) -> bool:
        """In rhythm (seats take turns within a month or quarter), or woken by news since the last decision.

        `newest` is the number of the newest event of each kind (`latest_news`).
        """
        if (world.week + self.number) % self.every_weeks == 0:
            return True
        for kind in self.wakes_on:
            if newest.get(kind, 0) > self.seen_event:
                break
        else:
            return False
        for _, event, kind, actors, _, _ in reversed(world.state.news):
            if int(event[1:]) <= self.seen_event:
                return False
            if kind in self.wakes_on and self.party not in actors:
                return True
        return False

    def decide(self, observation: Observation) -> list[Any]:
        """Commands of this week; the strategy's luck depends on seed, party and week only."""
        world: World = cast("Game", self.model).world
        if world.state.news:
            self.seen_event = int(world.state.news[-1][1][1:])
        luck = Luck(world.seed, "strategy", self.party, world.week)
        return call(self.strategy, observation, cast(np.random.Generator, luck))


class Luck:
    """A `numpy.random.Generator` that is made when it is first used: few strategies draw."""

    def __init__(self, seed: int, *names: str | int) -> None:
        self._key = (seed, names)

    @cached_property
    def generator(self) -> np.random.Generator:
        """The stream itself."""
        seed, names = self._key
        return stream(seed, *names)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an attribute of the generator
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.generator, name)


def latest_news(world: World) -> dict[str, int]:
    """Number of the newest event of each kind."""
    return {kind: int(event[1:]) for _, event, kind, _, _, _ in world.state.news}
