"""Who has how much in store, and whose lines stand still."""

from __future__ import annotations

from html import escape

from viz.session import View
from viz.words import Dictionary, capital

MOST = 8
NUMBER = " class='n'"
COLUMNS = (
    ("Region", ""),
    ("Magnets, weeks", NUMBER),
    ("Scarcest, weeks", ""),
    ("Stopped now", NUMBER),
    ("in 13 weeks", NUMBER),
)


def write(view: View, words: Dictionary | None) -> str:
    """The panel as HTML: a row a region, largest user first."""
    head = "<h2>Weeks of cover and stopped lines</h2>"
    if not view.regions or words is None:
        return f"{head}<p class='ot-empty'>No week has been played yet.</p>"
    rows = []
    for region in view.regions[:MOST]:
        grade = words.good(region.thinnest).removeprefix("NdFeB magnet ")
        thin = (
            f"{_weeks(region.thinnest_cover)} <span class='ot-hint'>{escape(grade)}</span>" if region.thinnest else "–"
        )
        place = capital(words.place(region.place))
        rows.append(
            f"<tr><td>{escape(place)}</td>"
            f"<td class='n'>{_weeks(region.magnets_cover)}</td><td>{thin}</td>"
            f"{_percent(region.stopped)}{_percent(region.stopped_quarter)}</tr>"
        )
    more = len(view.regions) - MOST
    rest = f" The {MOST} largest users of {len(view.regions)}." if more > 0 else ""
    heads = "".join(f"<th scope='col'{kind}>{name}</th>" for name, kind in COLUMNS)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    label = "Weeks of cover and stopped lines by region"
    return (
        f"{head}<div class='ot-scroll-x' tabindex='0' role='region' aria-label='{label}'>{table}</div>"
        "<p class='ot-hint'>Cover: stock over expected use; scarcest: the grade with least. "
        f"Stopped: share of wanted use that stood still.{rest}</p>"
    )


def _weeks(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _percent(value: float | None) -> str:
    if value is None:
        return "<td class='n'>–</td>"
    bad = " bad" if value >= 0.05 else ""
    return (
        f"<td class='n{bad}'>{100 * value:.0f}%</td>"
        if value == 0 or value >= 0.005
        else f"<td class='n{bad}'>&lt;1%</td>"
    )
