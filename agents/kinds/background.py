"""Aggregates: the many firms without a name.  They keep going by the rules of the world and cut only deep losses."""

from agents.seat import QUARTER_WEEKS, Seat


class Background(Seat):
    """A quarterly look at the books."""

    every_weeks = QUARTER_WEEKS
    default_strategy = "margin_keeper"
