"""Producers: miners, separators, metal and magnet makers, recyclers with a name."""

from agents.seat import MONTH_WEEKS, Seat


class Producer(Seat):
    """A firm that lives on its margin."""

    every_weeks = MONTH_WEEKS
    wakes_on = ("floor", "offtake")
    default_strategy = "margin_keeper"
