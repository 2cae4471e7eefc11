"""The largest move of the last quarter and, under it, why."""

from __future__ import annotations

from html import escape

from viz.session import View


def write(view: View) -> str:
    """The panel as HTML."""
    head = "<h2>Largest weekly move of a traded price, last 13 weeks</h2>"
    if view.state == "building":
        return f"{head}<p class='ot-hint'>The world is being built and its first weeks played.</p>"
    if view.move:
        return f"{head}<p class='ot-said'>{escape(view.move)}.</p><p class='ot-why'><b>Why:</b> {escape(view.why)}.</p>"
    if view.week < 2:
        return f"{head}<p class='ot-hint'>A move needs two weeks played.</p>"
    if view.state in ("playing", "stepping"):
        return f"{head}<p class='ot-hint'>Worked out when time stands still.</p>"
    return f"{head}<p class='ot-hint'>No well-traded good moved by half a percent in a week.</p>"
