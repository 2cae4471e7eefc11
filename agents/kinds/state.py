"""States: rules, quotas, licences, tariffs, stockpiles; decide by the quarter, or at once when provoked."""

from agents.seat import QUARTER_WEEKS, Seat


class State(Seat):
    """A jurisdiction."""

    every_weeks = QUARTER_WEEKS
    wakes_on = ("set_control_list", "embargo", "set_tariff", "tariff", "set_quota", "default")
    default_strategy = "import_dependent"
