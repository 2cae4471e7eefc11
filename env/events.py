"""News: what happened, to whom, and because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from env.instruments import HANDLERS

if TYPE_CHECKING:
    from env.world import World

NEWS_KEPT = 200
MOST_CAUSES = 4
#: acts that keep goods from buyers; found as `curb:good:dy_oxide` too
CURBS = ("embargo", "set_control_list", "set_quota")
THINGS = ("project", "site", "contract")  # named in the data of an event: topics too


def note(
    world: World,
    kind: str,
    actors: list[str],
    text: str,
    *,
    causes: list[str] | None = None,
    about: list[str] | None = None,
    data: dict[str, Any] | None = None,
    also: list[str] | None = None,
    target: str = "",
) -> str:
    """Record an event and return its id.

    `about` are topics (`good:dy_oxide`), with the project, site or contract named in `data`; `also` are topics under
    which later events find it.  `target` is the place an act is aimed at.  Without explicit causes the latest events
    on the same topics are named; an act of policy has none, its maker decided it.
    """
    s = world.state
    topics = [*(about or []), *(f"{key}:{data[key]}" for key in THINGS if data and key in data)]
    if causes is None:
        free = kind in HANDLERS or kind == "tariff"
        found = [] if free else [s.last_event[t] for t in topics if t in s.last_event]
        causes = list(dict.fromkeys(found))[:MOST_CAUSES]
    number = s.next_ids.get("news", 1)
    s.next_ids["news"] = number + 1
    event_id = f"E{number}"
    row = {
        "id": event_id,
        "date": world.date.isoformat(),
        "week": world.week,
        "kind": kind,
        "actors": actors,
        "text": text,
        "causes": causes,
        "data": data or {},
    }
    world.record.events.append(row)
    s.news.append((world.week, event_id, kind, tuple(actors), text, target))
    if len(s.news) > NEWS_KEPT:
        del s.news[: len(s.news) - NEWS_KEPT]
    terms = data or {}
    curb = kind in CURBS and not terms.get("lift") and terms.get("scope", "export") == "export"
    curbs = [f"curb:{topic}" for topic in about or []] if curb else []
    for topic in [*topics, *curbs, *(also or [])]:
        s.last_event[topic] = event_id
    return event_id
