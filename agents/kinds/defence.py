"""The DoD and its peers: stockpiles, floors, guarantees for supply that must not fail."""

from agents.seat import QUARTER_WEEKS, Seat


class Defence(Seat):
    """DoD, JARE, KOMIR."""

    every_weeks = QUARTER_WEEKS
    wakes_on = ("set_control_list", "embargo")
    default_strategy = "defence_buyer"
