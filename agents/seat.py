"""A seat: a Mesa agent that decides for one party, when its rhythm or an event says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mesa

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

    def is_due(self, world: World) -> bool:
        """In rhythm (seats take turns within a month or quarter), or woken by news since the last decision."""
        if (world.week + self.number) % self.every_weeks == 0:
            return True
        if not self.wakes_on:
            return False
        for _, event, kind, actors, _, _ in reversed(world.state.news):
            if int(event[1:]) <= self.seen_event:
                return False
            if kind in self.wakes_on and self.party not in actors:
                return True
        return False

    def decide(self, observation: Observation) -> list[Any]:
        """Commands of this week; the strategy's luck depends on seed, party and week only."""
        world = self.model.world
        if world.state.news:
            self.seen_event = int(world.state.news[-1][1][1:])
        rng = stream(world.seed, "strategy", self.party, world.week)
        return call(self.strategy, observation, rng)
