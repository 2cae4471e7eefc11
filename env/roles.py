"""Who may ask for what: kinds of command by kind of party, and what makes a command legal."""

from __future__ import annotations

from env.instruments import HANDLERS

DEALS = ("offer", "accept", "reject", "withdraw", "terminate")
FIRM = (
    "plan_output",
    "set_order",
    "hold",
    "idle",
    "restart",
    "start_project",
    "advance_project",
    "cancel_project",
    *DEALS,
)
BUYER = ("set_order", *DEALS)


def _policy(kind: str) -> tuple[str, ...]:
    """Instruments a kind of party may use, as their handlers say."""
    return tuple(name for name, handler in HANDLERS.items() if kind in handler.sent_by)


MAY: dict[str, tuple[str, ...]] = {
    "state": (*_policy("state"), *DEALS),
    "soe": FIRM,
    "producer": FIRM,
    "aggregate": FIRM,
    "oem": BUYER,
    "defence": (*_policy("defence"), *DEALS),
    "agency": (*_policy("agency"), *DEALS),
    "trader": BUYER,
    "lender": (),
    "outside": (),
}

#: seats that decide in rhythm: kind -> months between decisions
RHYTHM = {"state": 3, "soe": 1, "producer": 1, "aggregate": 1, "oem": 1, "defence": 3, "agency": 3, "trader": 1}
#: commands accepted from one seat in one week; more are refused, so that a runaway strategy harms nobody
MOST_COMMANDS_A_WEEK = 60
