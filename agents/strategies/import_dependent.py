"""Default of states that import: answer controls with a tariff if they can afford it, otherwise wait and watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.strategy import Card
from env import Observation, SetTariff

BIG_MARKETS = ("usa",)


@dataclass(frozen=True, slots=True)
class Doctrine:
    """Weights; zero means no action."""

    retaliation: float = 1.0
    tariff: float = 0.10


class Strategy:
    """Importers depend on what they would punish: most do nothing by themselves in this version."""

    card = Card(
        "import_dependent",
        ("state",),
        "a large market answers an embargo with a tariff on magnets; small ones wait",
        "systems B1",
    )

    def __init__(self, doctrine: Doctrine | None = None) -> None:
        self.doctrine = doctrine or Doctrine()

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Answer an embargo against the own place."""
        if observation.party not in BIG_MARKETS or self.doctrine.retaliation <= 0:
            return []
        me = observation.me["node"]
        for rule in observation.policy:
            terms = rule["terms"]
            against_me = rule["kind"] == "embargo" and not terms.get("lift") and terms.get("destination") in (None, me)
            if against_me and observation.calendar["week"] - rule["start_week"] <= 13:
                origin = rule["actor"].upper()
                mine = any(r["kind"] == "set_tariff" and r["actor"] == observation.party for r in observation.policy)
                if not mine and len(origin) == 3:
                    return [SetTariff(goods=["magnet"], origin=origin, rate=self.doctrine.tariff, weeks=104)]
        return []
