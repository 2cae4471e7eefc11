"""Who sits where: one seat for every party that can act, with its kind's class and default strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mesa

from agents.kinds import KIND_CLASS
from agents.strategy import load_strategy
from env import MAY, Fault, InputError

if TYPE_CHECKING:
    from agents.game import Game

#: parties whose default is not that of their kind
SPECIAL = {"chn": "market_power"}


def cast(game: Game, strategies: Mapping[str, Any], *, seen: Mapping[str, int] | None = None) -> None:
    """Give `game` its seats.  Strategies are objects, built-in names or files; unknown seats are refused."""
    st = game.world.structure
    unknown = [p for p in strategies if p not in st.parties]
    if unknown:
        raise InputError([Fault("strategies", None, p, "seat", "no such seat", "see scenarios show") for p in unknown])
    shared: dict[str, Any] = {}
    seats = []
    for number, party in enumerate(st.parties.codes):
        kind = st.party_kind[number]
        if kind not in KIND_CLASS or not MAY.get(kind) or not _acts(game, number, kind):
            continue
        seat_class = KIND_CLASS[kind]
        wish = strategies.get(party, SPECIAL.get(party, seat_class.default_strategy))
        if isinstance(wish, (str,)) or hasattr(wish, "suffix"):
            key = str(wish)
            strategy = shared[key] if key in shared else shared.setdefault(key, load_strategy(wish))
        else:
            strategy = wish
        seat = seat_class(game, party, strategy, number)
        seat.seen_event = (seen or {}).get(party, 0)
        seats.append(seat)
    game._seats = seats
    # Mesa 3.3 keeps a class-level counter for every model ever made; ours are many and short-lived
    ids = getattr(mesa.Agent, "_ids", None)
    if isinstance(ids, dict):
        ids.pop(game, None)


def _acts(game: Game, party: int, kind: str) -> bool:
    """States always; firms that own a site, buyers that use something, agencies that keep a store."""
    if kind == "state":
        return True
    return bool((game.world.structure.holder_party == party).any())
