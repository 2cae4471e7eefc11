"""China's default doctrine: plan volume with use, keep licences as a lever, answer like with like, ease for relief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.strategy import Card
from env import Observation, SetLicenceDial, SetPriceTarget, SetQuota, StockpileBuy, StockpileRelease

NDPR = "ndpr_oxide"


@dataclass(frozen=True, slots=True)
class Doctrine:
    """Weights of the doctrine; zero weights mean no action."""

    growth_low: float = 0.03
    growth_high: float = 0.09
    dear: float = 1.15  # NdPr over its year mean that calls for more quota
    cheap: float = 0.85
    leverage: float = 1.0
    retaliation: float = 1.0
    stockpile_t_per_week: float = 40.0


class Strategy:
    """Yearly quotas by the balance of use and supply; licences tighter for those who raised tariffs, else looser."""

    card = Card(
        "market_power",
        ("state",),
        "plans quota with use, holds licences as a lever, answers tariffs, eases in a truce",
        "systems A2, A6, A7, A12",
    )

    def __init__(self, doctrine: Doctrine | None = None) -> None:
        self.doctrine = doctrine or Doctrine()

    def decide(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Quota in January, licences and stockpile each quarter."""
        commands: list[Any] = []
        quarter = observation.calendar["date"][5:7]
        if quarter in ("01", "02", "03"):
            commands += self.quota(observation)
        commands += self.licences(observation, rng)
        commands += self.stockpile(observation)
        return commands

    def quota(self, observation: Observation) -> list[Any]:
        """Next year's mining quota grows with the tightness of NdPr, once a year."""
        d = self.doctrine
        for rule in observation.policy:
            terms = rule["terms"]
            if rule["kind"] == "set_quota" and rule["actor"] == observation.party and terms["scope"] == "mining":
                if observation.calendar["week"] - rule["start_week"] < 45:
                    return []
                tight = observation.history.get(NDPR, {}).get("use_over_supply", 1.0)
                growth = float(np.clip(tight - 1.0 + 0.5 * (d.growth_low + d.growth_high), d.growth_low, d.growth_high))
                tonnes = round(terms["tonnes_per_year"] * (1.0 + growth), 0)
                return [SetQuota(scope="mining", sites=terms["sites"], tonnes_per_year=tonnes)]
        return []

    def licences(self, observation: Observation, rng: np.random.Generator) -> list[Any]:
        """Tighten for a place that has raised tariffs lately, ease by a step for everybody else."""
        d = self.doctrine
        own = [r for r in observation.policy if r["actor"] == observation.party]
        if not any(r["kind"] == "set_control_list" and r["terms"]["elements"] for r in own) or d.leverage <= 0:
            return []
        hostile = {
            n["actors"][0].upper()
            for n in observation.news
            if n["kind"] in ("tariff", "set_tariff", "embargo")
            and n["actors"]
            and n["target"] == observation.me["node"]
        }
        commands: list[Any] = []
        for rule in own:
            terms = rule["terms"]
            if rule["kind"] != "set_licence_dial" or terms["end_use_class"] == "defence":
                continue
            if observation.calendar["week"] - rule["start_week"] < 26:
                continue  # a package binds for two quarters
            place, share = terms["destination"], terms["share"]
            if place in hostile and rng.random() < d.retaliation * 0.5:
                target = max(0.1, share - 0.3 * d.retaliation)
            else:
                target = min(1.0, share + 0.1)
            if abs(target - share) > 1e-9:
                commands.append(
                    SetLicenceDial(destination=place, end_use_class=terms["end_use_class"], share=round(target, 3))
                )
        return commands

    def stockpile(self, observation: Observation) -> list[Any]:
        """Buy NdPr when it is cheap against its year, release when it is dear; keep SOE asks down in a spike."""
        d = self.doctrine
        history = observation.history.get(NDPR)
        quote = observation.quotes.get(NDPR, {}).get("domestic")
        if not history or not quote or d.stockpile_t_per_week <= 0:
            return []
        ratio = quote / max(history["domestic_year_mean"], 1e-9)
        if ratio < d.cheap:
            return [
                StockpileBuy(
                    good=NDPR, tonnes_per_week=d.stockpile_t_per_week, limit_usd_per_kg=round(quote * 1.02, 4), weeks=13
                )
            ]
        if ratio > d.dear:
            release = StockpileRelease(
                good=NDPR, tonnes_per_week=d.stockpile_t_per_week, limit_usd_per_kg=round(quote * 0.98, 4), weeks=13
            )
            return [release, SetPriceTarget(good=NDPR, price_usd_per_kg=round(quote * 1.05, 4), weeks=13)]
        return []
