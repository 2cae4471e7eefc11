"""DoD and its peers: buy for the stockpile when supply looks unsafe and the price is not a panic price."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.strategy import Card
from env import Observation, StockpileBuy

#: tonnes a week of each good an agency buys in an unsafe quarter (fractions of published stockpile plans)
PROGRAMME: dict[str, dict[str, float]] = {
    "dod": {"ndpr_oxide": 4.0, "sm_oxide": 0.5},
    "jare": {"ndpr_oxide": 4.0, "dy_oxide": 0.5, "tb_oxide": 0.05},
    "komir": {"ndpr_oxide": 2.0, "dy_oxide": 0.2},
}
PANIC = 1.5


class Strategy:
    """Default of defence and resource agencies."""

    card = Card(
        "defence_buyer",
        ("defence", "agency"),
        "buys its programme after controls or embargoes, never at panic prices",
        "systems B4, B10",
    )

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Renew the quarter's programme."""
        unsafe = any(n["kind"] in ("set_control_list", "embargo", "set_quota") for n in observation.news)
        controls = any(
            r["kind"] in ("set_control_list", "embargo") and r["actor"] != observation.party for r in observation.policy
        )
        if not (unsafe or controls):
            return []
        commands: list[Any] = []
        for good, tonnes in PROGRAMME.get(observation.party, {}).items():
            quote = observation.quotes.get(good, {}).get("domestic")
            mean = observation.history.get(good, {}).get("domestic_year_mean", 0.0)
            if quote and quote < PANIC * mean:
                commands.append(
                    StockpileBuy(good=good, tonnes_per_week=tonnes, limit_usd_per_kg=round(quote * 1.35, 4), weeks=13)
                )
        return commands
