"""The control bar: scenario and seed, play and steps, speed, the date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from env import list_scenarios
from viz.session import SPEEDS, View

STATIC = Path(__file__).resolve().parent.parent / "static"


class Heard(anywidget.AnyWidget):
    """A widget whose messages from the page go to `hear(widget, message)`."""

    hear = traitlets.Any(None, allow_none=True)

    def __init__(self, **traits: object) -> None:
        super().__init__(**traits)
        self.on_msg(self._heard)

    def _heard(self, _widget: object, wish: object, _buffers: object) -> None:
        if self.hear is not None and isinstance(wish, dict):
            self.hear(self, wish)


class Controls(Heard):
    """Native controls; `state` goes to the page, wishes come back as messages."""

    _esm = (STATIC / "controls.js").read_text(encoding="utf-8")
    state = traitlets.Dict().tag(sync=True)


def state_of(view: View) -> dict[str, Any]:
    """What the bar shows of a view."""
    rows = [[info.name, info.title] for info in list_scenarios()]
    if view.scenario and view.scenario not in {name for name, _ in rows}:
        rows.append([view.scenario, view.title or view.scenario])
    return {
        "state": view.state,
        "scenario": view.scenario,
        "seed": str(view.seed),
        "week": view.week,
        "weeks_total": view.weeks_total,
        "date": view.date.isoformat() if view.date else "",
        "speed": view.speed,
        "speeds": list(SPEEDS),
        "scenarios": rows,
    }
