"""A buyer that holds more when supply looks unsafe, and signs up makers outside the place it depends on."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.strategy import Card
from env import Accept, Observation, Reject, SetOrder

MOST_FACTOR = 2.5
RISK_FACTOR = 1.5
LEAST_CHANGE = 0.1
MOST_PREMIUM = 0.3


class Strategy:
    """Default of OEM buyers."""

    card = Card(
        "cover_keeper",
        ("oem",),
        "raises target cover with perceived risk, signs offtakes within its premium",
        "initial_state cover rows; priors risk_response",
    )

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """One standing order a good, changed only when it would change by a tenth."""
        commands: list[Any] = []
        wish: dict[tuple[str, str], list[float]] = {}
        now: dict[tuple[str, str], list[float]] = {}
        for row in observation.orders:
            factor = min(MOST_FACTOR, 1.0 + RISK_FACTOR * max(0.0, row["risk"] - 0.25))
            key = (row["good"], row["node"])
            wish.setdefault(key, []).append(row["base_target_weeks"] * factor)
            now.setdefault(key, []).append(row["target_weeks"])
        for (good, node), weeks in wish.items():
            target, current = sum(weeks) / len(weeks), sum(now[good, node]) / len(now[good, node])
            if abs(target - current) > LEAST_CHANGE * max(current, 0.1):
                commands.append(SetOrder(good=good, node=node, rule="cover", cover_weeks=min(156.0, round(target, 3))))
        for mail in observation.mail:
            if mail["to"] == observation.party and mail["terms"]["kind"] == "offer":
                commands.append(self.answer(observation, mail))
        return commands

    def answer(self, observation: Observation, mail: dict[str, Any]) -> Accept | Reject:
        """Take an offer whose price is within the premium over what the good costs here."""
        terms = mail["terms"]
        quote = observation.quotes[terms["good"]]
        market = quote["delivered"] or quote["domestic"] or 0.0
        price = (
            terms["price_usd_per_kg"]
            if terms["price_rule"] == "fixed"
            else terms["index_factor"] * (quote["domestic"] or 0.0)
        )
        return Accept(offer=mail["offer"]) if price <= (1.0 + MOST_PREMIUM) * market else Reject(offer=mail["offer"])
