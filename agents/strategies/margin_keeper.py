"""A firm living on its margin: idles plants in deep loss, restarts them, builds what pays, signs what covers cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.strategy import Card
from agents.valuation import project_npv_usd
from env import Accept, AdvanceProject, CancelProject, Idle, Observation, PlanOutput, Reject, Restart, StartProject

DEEP_LOSS = 0.25  # of turnover, below the usual margin
WELL_USED = 0.85
EXPANSION = 0.15
GOOD_MARGIN = 0.06
LEAST_RUNWAY_WEEKS = 13
TOO_MUCH_ORE_WEEKS, ENOUGH_ORE_WEEKS, LEAST_MINING = 78.0, 26.0, 0.05


class Strategy:
    """Default of producers and of aggregates."""

    card = Card(
        "margin_keeper",
        ("producer", "aggregate", "soe"),
        "keeps plants that cover variable cost, builds what clears its hurdle",
    )
    hurdle = 0.12
    expands = True

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Look at every own site, then at the mail."""
        commands: list[Any] = []
        for site in observation.sites:
            commands += self.run_site(observation, site)
        for mail in observation.mail:
            if mail["to"] == observation.party:
                commands.append(self.answer(observation, mail))
        return commands

    def run_site(self, observation: Observation, site: dict[str, Any]) -> list[Any]:
        """Idle, restart, decide on a project, expand."""
        if site["project"] is not None:
            return self.decide_project(observation, site)
        turnover = max(site["turnover_usd_per_kg"], 1e-9)
        gap = (site["margin_usd_per_kg"] - site["usual_margin_usd_per_kg"]) / turnover
        cash, weekly_fixed = observation.me["cash_usd"], site["fixed_cost_usd_per_week"]
        if site["running"] and gap < -DEEP_LOSS and cash < LEAST_RUNWAY_WEEKS * weekly_fixed:
            return [Idle(site=site["site"])]
        idle = not site["running"] and not site["restarting"]
        if (
            idle
            and site["ramp"] > 0
            and site["margin_now_usd_per_kg"] / turnover > GOOD_MARGIN
            and cash > LEAST_RUNWAY_WEEKS * weekly_fixed
        ):
            return [Restart(site=site["site"])]
        if site["stage"] == "mine" and site["running"]:  # ore nobody takes is not dug for ever
            if site["stock_weeks"] > TOO_MUCH_ORE_WEEKS and site["capability_t_per_week"] > 0:
                share = 0.9 * site["throughput_t_per_week"] / site["capability_t_per_week"]
                return [PlanOutput(site=site["site"], share=round(min(1.0, max(LEAST_MINING, share)), 3))]
            if site["stock_weeks"] < ENOUGH_ORE_WEEKS and site["planned_share"] is not None:
                return [PlanOutput(site=site["site"], share=None)]
        if self.expands and site["running"] and self.wants_more(site, turnover):
            return [StartProject(site=site["site"], tonnes_per_year=round(EXPANSION * site["nameplate_t"], 1))]
        return []

    def wants_more(self, site: dict[str, Any], turnover: float) -> bool:
        """A plant that is full and earns well is made larger."""
        full = site["throughput_t_per_week"] * 52 > WELL_USED * site["nameplate_t"] and site["stage"] != "byproduct"
        return bool(
            full
            and site["stock_weeks"] < ENOUGH_ORE_WEEKS
            and site["margin_usd_per_kg"] / turnover > GOOD_MARGIN
            and site["ramp"] >= 0.9
            and site["nameplate_t"] > 0
        )

    def decide_project(self, observation: Observation, site: dict[str, Any]) -> list[Any]:
        """Final investment decision: yes when the value is positive, no when it is hopeless."""
        project = site["project"]
        if not project["decision_due"]:
            return []
        margin = float(site["margin_now_usd_per_kg"])  # at going prices, floors in force included
        npv = project_npv_usd(site, margin_usd_per_kg=margin, hurdle=self.hurdle)
        if npv > 0.0:
            return [AdvanceProject(project=project["id"])]
        if npv < -3.0 * project["budget_usd"]:
            return [CancelProject(project=project["id"])]
        return []

    def answer(self, observation: Observation, mail: dict[str, Any]) -> Accept | Reject:
        """Sign floors, and offtakes that are no worse than the market."""
        terms = mail["terms"]
        if terms["kind"] == "offer_floor":
            return Accept(offer=mail["offer"])
        quote = observation.quotes[terms["good"]]
        market = quote["domestic"] or 0.0
        price = terms["price_usd_per_kg"] if terms["price_rule"] == "fixed" else terms["index_factor"] * market
        fair = price >= 0.97 * market if terms["side"] == "buy" else price <= 1.1 * market
        return Accept(offer=mail["offer"]) if fair else Reject(offer=mail["offer"])
