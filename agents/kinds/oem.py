"""OEM buyers: car makers, wind, electronics, industry, defence primes; one per sector and place where unnamed."""

from agents.seat import MONTH_WEEKS, Seat


class OemBuyer(Seat):
    """A buyer whose lines stop without magnets."""

    every_weeks = MONTH_WEEKS
    wakes_on = ("set_control_list", "embargo")
    default_strategy = "cover_keeper"
