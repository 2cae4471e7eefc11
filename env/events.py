"""News: what happened, to whom, and because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from env.world import World

NEWS_KEPT = 200


def note(
    world: World,
    kind: str,
    actors: list[str],
    text: str,
    *,
    causes: list[str] | None = None,
    about: list[str] | None = None,
    data: dict[str, Any] | None = None,
    target: str = "",
) -> str:
    """Record an event and return its id.  `about` are topics (`good:dy_oxide`, a party) later events can name as cause.

    `target` is the place an act is aimed at.  Without explicit causes the latest event about the same actors or
    topics is named.
    """
    s = world.state
    topics = [*(about or []), *actors]
    if causes is None:
        found = [s.last_event[t] for t in topics if t in s.last_event]
        causes = list(dict.fromkeys(found))[:4]
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
    for topic in topics:
        s.last_event[topic] = event_id
    return event_id
