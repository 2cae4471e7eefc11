"""China's share by stage, now and at the start."""

from __future__ import annotations

from html import escape

from viz.session import View


def write(view: View) -> str:
    """The panel as HTML: a bar a stage, a mark where it began."""
    head = "<h2>China's share by stage</h2>"
    if not view.shares:
        return f"{head}<p class='ot-empty'>No week has been played yet.</p>"
    rows = []
    for share in view.shares:
        now, then = share.now, share.then
        if now is None:
            rows.append(
                f"<div class='ot-share'><span>{escape(share.name)}</span><span class='ot-track'></span><b>–</b>"
                "<span>none made</span></div>"
            )
            continue
        mark = "" if then is None else f"<u style='left:calc({100 * then:.1f}% - 1px)'></u>"
        began = "" if then is None else f"was {100 * then:.0f}%"
        rows.append(
            f"<div class='ot-share'><span>{escape(share.name)}</span><span class='ot-track' aria-hidden='true'>"
            f"<i style='width:{100 * now:.1f}%'></i>{mark}</span><b>{100 * now:.0f}%</b><span>{began}</span></div>"
        )
    hint = "<p class='ot-hint'>Of tonnes made in the last 13 weeks; dark mark and “was”: the first 13.</p>"
    return f"{head}{''.join(rows)}{hint}"
