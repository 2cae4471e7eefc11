"""Value of projects and contracts under a seat's own beliefs: pure functions for authors of strategies."""

from __future__ import annotations

from typing import Any


def annuity(rate: float, years: float) -> float:
    """Present value of one USD a year at the end of each of `years` years."""
    return years if rate <= 0 else (1.0 - (1.0 + rate) ** -years) / rate


def project_npv_usd(
    site: dict[str, Any], *, margin_usd_per_kg: float, hurdle: float, overrun: float = 0.45,
    years: float = 15.0, load: float = 0.8, delay_years: float = 2.5,
) -> float:  # fmt: skip
    """Net present value of a project as its owner sees it on the decision day.

    Yearly cash = margin x tonnes x load - fixed cost; capex is the budget with the overrun others had.
    """
    project = site["project"]
    tonnes = project["tonnes_per_year"]
    cash = margin_usd_per_kg * tonnes * 1e3 * load - site["fixed_cost_usd_per_week"] * 52
    value = cash * annuity(hurdle, years) / (1.0 + hurdle) ** delay_years
    return float(value - (project["budget_usd"] - project["spent_usd"]) * (1.0 + overrun))
