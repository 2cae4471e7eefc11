"""The price chart: the browser keeps the history, the session sends new weeks."""

from __future__ import annotations

from typing import Any

import traitlets

from viz.charts import KINDS
from viz.panels.controls import STATIC, Heard
from viz.session import Frame
from viz.theme import GOOD_COLOURS, KIND_COLOURS, KIND_DASHES

LOOK = {
    "goods": ["dy_oxide"],
    "kinds": ["domestic", "fob", "delivered", "ask"],
    "order": list(KINDS),
    "kindColours": KIND_COLOURS,
    "goodColours": list(GOOD_COLOURS),
    "dashes": {kind: list(dash) for kind, dash in KIND_DASHES.items()},
    "height": 236,
}


class PriceChart(Heard):
    """Lines of prices by good and kind, drawn by uPlot."""

    _esm = (STATIC / "prices.js").read_text(encoding="utf-8")
    look = traitlets.Dict(LOOK).tag(sync=True)

    def push(self, frame: Frame) -> None:
        """Send new columns; a frame from week 0 on carries the names too."""
        self.send(message(frame), [frame.prices.tobytes()])


def message(frame: Frame) -> dict[str, Any]:
    """What goes before the numbers."""
    series = None
    if frame.first == 0:
        series = [
            {"good": s.good, "kind": s.kind, "place": s.place, "goodName": good, "kindName": kind, "placeName": place}
            for s, (good, kind, place) in zip(frame.series, frame.labels, strict=True)
        ]
    return {
        "do": "columns",
        "series": series,
        "start": frame.start.isoformat(),
        "first": frame.first,
        "weeks": frame.weeks,
    }
