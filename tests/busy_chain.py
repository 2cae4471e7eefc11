"""The small chain with something of everything happening to it, for tests that read result files."""

from __future__ import annotations

from datetime import date
from typing import Any

from tiny_worlds import OX, chain, event, party

from env.spec import WorldSpec

EMBARGO_FROM, EMBARGO_TO = date(2025, 9, 1), date(2025, 12, 1)  # 13 weeks
QUOTA_T = 20.0  # of dy and ndpr oxide together
CONTROL_FROM = date(2025, 3, 3)


def busy(**rows: Any) -> WorldSpec:
    """Strategies on; dated commands: licences for Dy, an embargo, quotas, tariffs, a floor, a stockpile, idling,
    orders by hand."""
    events = [
        event(
            date(2025, 1, 13), "chn", kind="set_quota", scope="export", goods=[OX, "dy_oxide"], tonnes_per_year=QUOTA_T
        ),
        event(
            date(2025, 1, 13), "dod", kind="stockpile_buy", good=OX, tonnes_per_week=0.4, limit_usd_per_kg=90, weeks=60
        ),
        event(
            date(2025, 1, 13),
            "dod",
            kind="offer_floor",
            to="separator",
            good=OX,
            floor_usd_per_kg=60,
            start="2025-01-20",
            years=1,
        ),
        event(date(2025, 1, 20), "separator", kind="accept", offer="from:dod"),
        event(date(2025, 2, 3), "usa", kind="set_tariff", goods=["magnet"], origin="CHN", rate=0.25),
        event(CONTROL_FROM, "chn", kind="set_control_list", elements=["Dy"], customs_tests=0.5),
        event(date(2025, 3, 10), "chn", kind="set_licence_dial", destination="USA", end_use_class="all", share=0.5),
        event(
            date(2025, 5, 5),
            "chn",
            kind="set_licence_dial",
            destination="ALL",
            end_use_class="civil",
            share=1.0,
            accept_reports=True,
        ),
        event(date(2025, 6, 2), "chn", kind="set_duty", goods=["magnet"], rate=0.05),
        event(date(2025, 7, 7), "recycler", kind="idle", site="REC"),
        event(EMBARGO_FROM, "chn", kind="embargo", goods=["magnet"], destination="JPN", weeks=13),
        event(date(2025, 10, 6), "cars_usa", kind="set_order", good="magnet_n", cover_weeks=12),
        event(date(2025, 11, 3), "recycler", kind="restart", site="REC"),
        event(date(2026, 1, 5), "chn", kind="set_quota", scope="smelting", tonnes_per_year=3900),
    ]
    # the metal maker owes more than it can carry: it runs dry, defaults, and is restructured
    parties = [p for p in chain().parties if p.code != "metal_maker"]
    parties.append(party("metal_maker", cash=1e6, debt_usd=900e6, interest_rate=0.15))
    few_officers = {
        "licence.office_capacity": 3.0,
        "licence.tonnes_magnet": 0.5,
        "licence.tonnes_oxide": 0.5,
        "licence.first_lag_weeks": 2.0,
    }
    return chain(
        **(
            {
                "name": "busy",
                "events": events,
                "parties": parties,
                "strategies": True,
                "constant_demand": False,
                "parameters": few_officers,
            }
            | rows
        )
    )
