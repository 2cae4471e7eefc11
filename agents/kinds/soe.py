"""State-owned enterprises: volume and plan before margin, policy money behind them."""

from agents.seat import MONTH_WEEKS, Seat


class Soe(Seat):
    """China Northern, China Rare Earth Group, Shenghe, IREL, Eti Maden, Maaden."""

    every_weeks = MONTH_WEEKS
    default_strategy = "state_enterprise"
