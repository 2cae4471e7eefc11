"""Aggregates: the many firms without a name.  They keep going by the rules of the world and cut only deep losses."""

from agents.seat import Seat


class Background(Seat):
    """Half-yearly look at the books."""

    every_weeks = 26
    default_strategy = "margin_keeper"
