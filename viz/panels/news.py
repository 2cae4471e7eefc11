"""What happened, in plain words, newest first."""

from __future__ import annotations

from datetime import date
from html import escape

from viz.session import View
from viz.words import long_day


def write(view: View) -> str:
    """The panel as HTML."""
    head = "<h2>News</h2>"
    if not view.news:
        return f"{head}<p class='ot-empty'>Nothing has happened yet.</p>"
    lines = []
    for news in view.news:
        day = long_day(date.fromisoformat(news.day))
        tag = f"<span class='ot-tag {escape(news.group)}'>{escape(news.group)}</span>"
        lines.append(f"<li><time datetime='{escape(news.day)}'>{day}</time>{tag}<br>{escape(news.text)}</li>")
    box = "<div class='ot-scroll' tabindex='0' role='region' aria-label='News, newest first'>"
    return f"{head}{box}<ol>{''.join(lines)}</ol></div>"
