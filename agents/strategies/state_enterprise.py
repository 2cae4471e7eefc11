"""A state enterprise: fills its plan, bears losses longer, builds ahead at a low hurdle."""

from __future__ import annotations

from typing import Any

from agents.strategies.margin_keeper import Strategy as MarginKeeper
from agents.strategy import Card

BUILD_AHEAD_AT = 0.82


class Strategy(MarginKeeper):
    """Default of SOEs: policy loans make the hurdle low and the patience long."""

    card = Card("state_enterprise", ("soe",), "volume before margin: builds ahead of use, idles last", "systems A7, A9")
    hurdle = 0.05

    def wants_more(self, site: dict[str, Any], turnover: float) -> bool:
        """Expand from 82 percent of nameplate on, at any margin that is not a loss."""
        full = site["throughput_t_per_week"] * 52 > BUILD_AHEAD_AT * site["nameplate_t"]
        return bool(
            full
            and site["margin_usd_per_kg"] >= site["usual_margin_usd_per_kg"] - 0.02 * turnover
            and site["nameplate_t"] > 0
        )
