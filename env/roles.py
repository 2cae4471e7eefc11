"""Who may ask for what: kinds of command by kind of party, and what makes a command legal."""

from __future__ import annotations

DEALS = ("offer", "accept", "reject", "withdraw", "terminate")
FIRM = ("plan_output", "set_order", "hold", "idle", "restart", "start_project", "advance_project", "cancel_project", *DEALS)
STATE = (
    "set_tariff", "set_duty", "set_quota", "embargo", "set_control_list", "set_licence_dial", "set_price_target",
    "stockpile_buy", "stockpile_release", "offer_floor", *DEALS,
)  # fmt: skip
DEFENCE = ("stockpile_buy", "stockpile_release", "offer_floor", *DEALS)
BUYER = ("set_order", *DEALS)

MAY: dict[str, tuple[str, ...]] = {
    "state": STATE,
    "soe": FIRM,
    "producer": FIRM,
    "aggregate": FIRM,
    "oem": BUYER,
    "defence": DEFENCE,
    "agency": DEFENCE,
    "trader": BUYER,
    "lender": (),
    "outside": (),
}

#: seats that decide in rhythm: kind -> months between decisions
RHYTHM = {"state": 3, "soe": 1, "producer": 1, "aggregate": 1, "oem": 1, "defence": 3, "agency": 3, "trader": 1}
#: commands accepted from one seat in one week; more are refused, so that a runaway strategy harms nobody
MOST_COMMANDS_A_WEEK = 60
