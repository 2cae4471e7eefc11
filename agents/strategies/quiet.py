"""Does nothing: standing orders go on."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.strategy import Card
from env import Observation


class Strategy:
    """The neutral element of every comparison."""

    card = Card("quiet", ("any",), "sends no commands; standing orders and plant rules go on")

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Nothing."""
        return []
