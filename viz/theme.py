"""Colours of the charts, and the style sheet of the page.

Seven hues that keep 3:1 on white and stay apart for colour-blind eyes; text uses the dark ones only.
"""

from __future__ import annotations

from pathlib import Path

#: one good: a colour a kind of price; several goods: a colour a good.  Kinds keep their dash in both
KIND_COLOURS = {
    "domestic": "#6E2200",
    "fob": "#2B20FF",
    "delivered": "#00A873",
    "contract": "#620094",
    "ask": "#D070C7",
}
GOOD_COLOURS = ("#2B20FF", "#6E2200", "#00A873", "#D070C7", "#8C9700", "#620094", "#0D2532")
KIND_DASHES: dict[str, tuple[int, ...]] = {
    "domestic": (),
    "fob": (12, 4),
    "delivered": (7, 3),
    "contract": (2, 3),
    "ask": (10, 3, 2, 3),
}
CSS = (Path(__file__).resolve().parent / "static" / "page.css").read_text(encoding="utf-8")
