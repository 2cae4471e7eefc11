"""The sandbox page.  `offtake sandbox` serves it; `solara run viz.app` works too."""

from __future__ import annotations

import os
from html import escape
from typing import Any
from urllib.parse import parse_qs

import solara

from viz import offline, theme
from viz.panels import move, news, regions, shares
from viz.panels.controls import Controls, state_of
from viz.panels.prices import PriceChart
from viz.session import Frame, Session, View

offline.configure()

FIRST_SCENARIO = "OFFTAKE_SANDBOX_SCENARIO"
NOTICE = "Figures are model results; inputs marked est. are project estimates, see docs/data.md."


def first_world(search: str | None) -> tuple[str, str]:
    """Scenario and seed from the address (`?scenario=still&seed=3`), else from the command line, else the baseline."""
    asked = parse_qs(search or "")
    scenario = asked.get("scenario", [os.environ.get(FIRST_SCENARIO) or "baseline"])[0]
    return scenario, asked.get("seed", ["1"])[0]


def obey(session: Session, wish: dict[str, Any]) -> None:
    """Do what a button of the page asks."""
    match wish.get("do"):
        case "play":
            session.play()
        case "pause":
            session.pause()
        case "step":
            session.step(int(wish.get("weeks", 1)))
        case "speed":
            session.set_speed(int(wish.get("weeks", 4)))
        case "open":
            session.open(str(wish.get("scenario", "")), wish.get("seed", 0))
        case "restart":
            session.open(session.view.scenario, session.view.seed, weeks=0)
        case "resync":
            session.resync()


@solara.component
def Layout(children: list[Any]) -> Any:  # noqa: D103
    return solara.Div(children=children)


@solara.component
def Page() -> Any:
    """One browser tab: one session, one world."""
    view, set_view = solara.use_state(View())
    search = solara.use_router().search

    def begin() -> tuple[Session, Any]:
        charts: list[PriceChart] = []

        def on_frame(frame: Frame) -> None:
            for chart in charts:
                chart.push(frame)

        started = os.environ.get(FIRST_SCENARIO)
        session = Session(on_frame, set_view, (started,) if started else ())
        session.open(*first_world(search))

        def hear(widget: Any, wish: dict[str, Any]) -> None:
            if isinstance(widget, PriceChart):
                charts[:] = [widget]
            obey(session, wish)

        return session, hear

    session, hear = solara.use_memo(begin, [])
    solara.use_effect(lambda: session.close, [])
    bar = Controls.element(state=state_of(view), hear=hear)
    chart = PriceChart.element(hear=hear)

    def part(tag: str, name: str, html: str) -> Any:
        return solara.HTML(tag=tag, unsafe_innerHTML=html, classes=["ot-card", f"ot-{name}"])

    title = "<h1>Offtake sandbox</h1><p>Rare-earth supply chain, week by week</p>"
    top = f"{title}<p class='ot-notice' role='note'>{NOTICE}</p>"
    problem = []
    if view.error:
        text = f"<strong>That did not work.</strong>\n{escape(view.error)}"
        problem = [solara.HTML(tag="div", unsafe_innerHTML=text, classes=["ot-error"], attributes={"role": "alert"})]
    body = [
        solara.HTML(tag="div", unsafe_innerHTML=top, classes=["ot-top"]),
        solara.Div(children=[bar, *problem], classes=["ot-card", "ot-bar"]),
        part("section", "move", move.write(view)),
        solara.Div(children=[chart], classes=["ot-card", "ot-chart"]),
        part("section", "news", news.write(view)),
        part("section", "shares", shares.write(view)),
        part("section", "regions", regions.write(view, session.words)),
    ]
    return solara.Div(
        classes=["ot"],
        attributes={"role": "main"},
        children=[
            solara.Title("Offtake sandbox"),
            solara.Style(theme.CSS),
            solara.Div(classes=["ot-page"], children=body),
        ],
    )
