"""Stocks that firms and users aim at, in weeks of use or output (`initial_state_2025.csv`, weeks rows)."""

from __future__ import annotations

#: weeks of own use of an input, by stage of the site, then node (`*` = elsewhere)
INPUT_WEEKS: dict[str, dict[str, float]] = {
    "separation_light": {"CHN": 6.0, "*": 6.0},
    "separation_heavy": {"CHN": 5.0, "*": 6.0},
    "metal": {"CHN": 2.0, "*": 5.0},
    "magnet": {"CHN": 4.0, "JPN": 10.0, "EUU": 8.0, "*": 6.0},
    "recycling": {"CHN": 4.0, "*": 4.0},
}
CLAY_INPUT_WEEKS = 7.0
JAPANESE_HEAVY_METAL_WEEKS = 16.0

#: weeks of own output held as finished stock, by stage
OUTPUT_WEEKS: dict[str, dict[str, float]] = {
    "mine": {"USA": 5.0, "*": 2.0},
    "separation_light": {"CHN": 2.5, "MYS": 4.0, "USA": 8.0, "*": 4.0},
    "separation_heavy": {"*": 4.0},
    "metal": {"*": 1.5},
    "magnet": {"*": 2.0},
    "recycling": {"*": 2.0},
    "byproduct": {"*": 8.0},
}
SLOW_OXIDE_WEEKS = 8.0  # La, Ce, Y, Gd and the other slow oxides at separators
SEG_OUTPUT_WEEKS = 2.0
FAST = ("ndpr_oxide", "dy_oxide", "tb_oxide")


def input_weeks(stage: str, node: str, good: str) -> float:
    """Target weeks of an input at a site."""
    if stage == "separation_light" and "clay" in good:
        return CLAY_INPUT_WEEKS
    if stage == "magnet" and node == "JPN" and good in ("dy_metal", "tb_metal"):
        return JAPANESE_HEAVY_METAL_WEEKS
    table = INPUT_WEEKS.get(stage, {"*": 4.0})
    return table.get(node, table["*"])


def output_weeks(stage: str, node: str, good: str) -> float:
    """Target weeks of an output at a site."""
    if good.startswith("seg_"):
        return SEG_OUTPUT_WEEKS
    if good.startswith("swarf"):
        return 1.0
    if stage.startswith("separation") and good.endswith("_oxide"):
        if good in FAST:
            return 4.0 if good != "ndpr_oxide" else OUTPUT_WEEKS["separation_light"].get(node, 4.0)
        return SLOW_OXIDE_WEEKS
    table = OUTPUT_WEEKS.get(stage, {"*": 2.0})
    return table.get(node, table["*"])
