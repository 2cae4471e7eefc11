"""`Game`: a Mesa model that asks the seats that are due and lets the world live one week at a time."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date as Day
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Any

import mesa
import pandas as pd

from agents import results
from agents.casting import cast
from agents.command_log import check_header, read_log
from agents.seat import Seat, latest_news
from env import (
    TABLES,
    Command,
    Explanation,
    Fault,
    InputError,
    NoTrade,
    Observation,
    World,
    WorldSpec,
    build_world,
    explain_week,
    load_scenario,
    observe,
    scenario_hash,
    suggest_or_list,
    tick,
    week_index,
    weeks_between,
)

SAVED = {"spec", "overrides", "seed", "state", "pending", "record", "playing", "log", "seats"}  # what `save` writes
SNAPSHOT_WEEKS, EARLY_WEEKS = 26, 104  # snapshots every half year, after the first two years every year


class Game(mesa.Model):
    """A world with its seats.

    Parameters: `scenario` a name, path or `WorldSpec`; `seed` an integer from 0; `overrides` key -> value as in
    `--set`; `strategies` seat -> file, built-in name or object; `commands` a log whose human and event commands are
    injected while strategies play on; `replay` a log played with strategies off; `tables` the result tables to keep.
    Raises `env.InputError` when any of it is wrong.
    """

    def __init__(
        self,
        scenario: str | Path | WorldSpec = "baseline",
        seed: int = 0,
        *,
        overrides: Mapping[str, Any] | None = None,
        strategies: Mapping[str, Any] | None = None,
        commands: str | Path | None = None,
        replay: str | Path | None = None,
        tables: Iterable[str] | None = None,
    ) -> None:
        seed = _seed(seed)
        super().__init__(rng=seed)
        self.began = perf_counter()
        self._seats: list[Seat] = []
        self.overrides = dict(overrides or {})
        self.spec = load_scenario(scenario, self.overrides) if isinstance(scenario, (str, Path)) else scenario
        self.scenario_hash = scenario_hash(self.spec)
        if replay is not None and Path(replay).is_file():
            check_header(replay, self.spec.name, self.scenario_hash, seed)
        self.world: World = build_world(self.spec, seed)
        self.world.record.keep = _kept(tables)
        self.playing = self.spec.strategies and replay is None
        cast(self, strategies or {})
        self.origins = ("human", "event") if replay is None else ("human", "event", "strategy")
        self.log = _by_date(replay or commands, self.origins, self.world)
        self.waiting: dict[str, list[Any]] = {}
        self.snapshots: dict[int, World] = {}
        while self.world.week < 0:
            tick(self.world)
        self.world.record.open(self.world)
        self.snapshots[0] = self.world.fork()

    # ---- time --------------------------------------------------------------------------------------------
    @property
    def week(self) -> int:
        """Weeks played."""
        return self.world.week

    @property
    def date(self) -> Day:
        """Monday of the week to come."""
        return self.world.date

    @property
    def weeks_total(self) -> int:
        """Weeks from start to the scenario's end."""
        return weeks_between(self.spec.start, self.spec.end)

    def step(self) -> None:
        """One week: due seats decide on what they see, the world carries it out."""
        world = self.world
        every = SNAPSHOT_WEEKS if world.week < EARLY_WEEKS else 2 * SNAPSHOT_WEEKS
        if world.week % every == 0 and world.week not in self.snapshots:
            self.snapshots[world.week] = world.fork()
        for actor, body, origin in self.log.pop(world.week, ()):
            _inject(world, actor, body, origin)
        orders: dict[str, list[Any]] = {}
        if self.playing:
            newest = latest_news(world)
            for seat in self.seats:
                if seat.party not in self.waiting and seat.is_due(world, newest):
                    wish = seat.decide(observe(world, seat.party))
                    if wish:
                        orders[seat.party] = wish
        human, self.waiting = self.waiting, {}
        for actor, bodies in sorted(human.items()):
            for body in bodies:
                _inject(world, actor, body, "human")
        tick(world, orders)

    def run(self, until: str | Day | None = None, on_week: Callable[[Game], None] | None = None) -> Game:
        """Play to the week that holds `until` (default: the scenario's end); `on_week` is called after each week."""
        end = self.spec.end if until is None else _day(until, "until")
        last = weeks_between(self.spec.start, end)
        while self.world.week < last:
            self.step()
            if on_week is not None:
                on_week(self)
        return self

    # ---- seats -------------------------------------------------------------------------------------------
    @property
    def seats(self) -> list[Seat]:
        """All seats, in the order of their codes."""
        return self._seats

    def observe(self, party: str) -> Observation:
        """What a seat sees now."""
        self._check_party("observe", party)
        return observe(self.world, party)

    def submit(self, party: str, command: Command | Mapping[str, Any]) -> None:
        """Hand in a command of a person for the coming week; the seat's strategy keeps quiet that week."""
        self._check_party("submit", party)
        self.waiting.setdefault(party, []).append(command)

    def _check_party(self, call: str, party: str) -> None:
        if party not in self.world.structure.parties:
            remedy = suggest_or_list(str(party), self.world.structure.parties.codes[1:])
            raise InputError([Fault(call, None, str(party), "party", "no such seat", remedy)])

    # ---- forks, files ------------------------------------------------------------------------------------
    def fork(self) -> Game:
        """An independent game with the same past."""
        twin = object.__new__(Game)
        mesa.Model.__init__(twin, rng=self.world.seed)
        for name in ("overrides", "spec", "scenario_hash", "playing", "origins", "began"):
            setattr(twin, name, getattr(self, name))
        twin.world = self.world.fork()
        twin.log = {week: list(rows) for week, rows in self.log.items()}
        twin.waiting = {party: list(rows) for party, rows in self.waiting.items()}
        twin.snapshots = dict(self.snapshots)
        cast(twin, {seat.party: seat.strategy for seat in self.seats}, seen={s.party: s.seen_event for s in self.seats})
        return twin

    def rewind(self, week: int) -> Game:
        """A fork as things stood before `week`: the nearest snapshot, then the logged commands again."""
        if not 0 <= week <= self.world.week:
            raise InputError(
                [Fault("rewind", None, "", "week", f"{week} is outside 0..{self.world.week}", "name a week played")]
            )
        at = max(w for w in self.snapshots if w <= week)
        twin = self.fork()
        twin.world = self.snapshots[at].fork()
        twin.snapshots = {w: s for w, s in self.snapshots.items() if w <= at}
        twin.waiting = {}
        logged = _by_week(self.world.record.commands, at)
        while twin.world.week < week:
            twin.world = _replay_week(twin.world, logged.get(twin.world.week, []))
        for seat in twin.seats:
            seat.seen_event = int(twin.world.state.news[-1][1][1:]) if twin.world.state.news else 0
        return twin

    def save(self, path: str | Path) -> None:
        """Write the whole game to a file; `Game.load` goes on bit for bit."""
        payload = {
            "format": 1,
            "spec": self.spec,
            "overrides": self.overrides,
            "seed": self.world.seed,
            "state": self.world.state,
            "pending": self.world.pending,
            "record": self.world.record,
            "playing": self.playing,
            "log": self.log,
            "waiting": self.waiting,
            "inbox": self.world.inbox,
            "seats": {s.party: (s.strategy, s.seen_event) for s in self.seats},
        }
        target = Path(path)
        part = target.with_name(target.name + ".part")
        with part.open("wb") as handle:
            pickle.dump(payload, handle, protocol=pickle.HIGHEST_PROTOCOL)
        part.replace(target)

    @classmethod
    def load(cls, path: str | Path) -> Game:
        """Read a game written by `save`.  Open only files you trust: they are Python pickles."""
        try:
            with Path(path).open("rb") as handle:
                payload = pickle.load(handle)  # noqa: S301
        except OSError as error:
            raise InputError.one(f"cannot be read: {error.strerror}", "check the path", file=str(path)) from error
        except Exception as error:  # bytes that are no pickle, or one of other code, fail in any way they like
            raise _no_game(path, str(error)) from error
        if not isinstance(payload, dict) or payload.get("format") != 1 or not payload.keys() >= SAVED:
            raise _no_game(path, "it holds something else, or was saved by another version")
        state = payload["state"]
        if not is_dataclass(state) or any(not hasattr(state, f.name) for f in fields(state)):
            raise _no_game(path, "it was saved by another version")
        game = object.__new__(cls)
        mesa.Model.__init__(game, rng=payload["seed"])
        game.began = perf_counter()
        game.overrides, game.spec, game.playing, game.log = (
            payload["overrides"],
            payload["spec"],
            payload["playing"],
            payload["log"],
        )
        game.scenario_hash = scenario_hash(game.spec)
        game.origins = ("human", "event")
        game.waiting, game.snapshots = payload.get("waiting", {}), {}
        game.world = build_world(game.spec, payload["seed"])
        game.world.state, game.world.pending = payload["state"], payload["pending"]
        game.world.inbox = payload.get("inbox", [])
        game.world.record = payload["record"]
        game.world.record.structure = game.world.structure
        cast(
            game,
            {p: s for p, (s, _) in payload["seats"].items()},
            seen={p: e for p, (_, e) in payload["seats"].items()},
        )
        game.snapshots[game.week] = game.world.fork()
        return game

    # ---- results -----------------------------------------------------------------------------------------
    def frame(self, table: str) -> pd.DataFrame:
        """A result table as pandas (see docs/results.md)."""
        if table not in TABLES:
            raise InputError([Fault("frame", None, table, "table", "no such table", f"one of {', '.join(TABLES)}")])
        return pd.DataFrame(self.world.record.table(table, self.world))

    def events(self) -> list[dict[str, Any]]:
        """What happened, in order."""
        return list(self.world.record.events)

    def manifest(self, *, complete: bool = True) -> dict[str, Any]:
        """Where a run comes from and how it ended."""
        return results.manifest(self, complete=complete)

    def summary(self) -> dict[str, Any]:
        """What an analyst wants to know first."""
        return results.summary(self)

    def write(self, out: str | Path, *, complete: bool = True) -> dict[str, Any]:
        """Write all tables to a new folder, at once or not at all; returns the manifest."""
        return results.write(self, Path(out), complete=complete)

    def explain(self, good: str, day: str | Day, *, place: str | None = None, kind: str = "delivered") -> Explanation:
        """Why the cleared price moved in the week that holds `day`, against the week before.

        `kind` domestic or fob looks at the seller's end of `place` (default: the good's leading place); delivered,
        contract and ask at the buyer's end.  Raises `NoTrade` when there is no price in one of the two weeks.
        """
        st = self.world.structure
        if good not in st.goods:
            raise InputError([Fault("explain", None, good, "good", "no such good", "see scenarios show")])
        where = place or st.nodes.codes[int(st.hub[st.goods.index[good]])]
        if where not in st.nodes:
            raise InputError(
                [Fault("explain", None, where, "place", "no such market place", f"one of {', '.join(st.nodes.codes)}")]
            )
        when = _day(day, "date")
        week = week_index(self.spec.start, when)
        if not 1 <= week < self.world.week:
            raise InputError(
                [Fault("explain", None, str(when), "date", "is not a week played (from the second on)", "name one")]
            )
        before, after = self._desks(week)
        return explain_week(self.world, before, after, good, where, delivered=kind not in ("domestic", "fob"))

    def _desks(self, week: int) -> tuple[Any, Any]:
        """Desks of the week before and of `week`, by replaying from a snapshot."""
        at = max((w for w in self.snapshots if w < week), default=None)
        if at is None:
            raise NoTrade("that week lies before the oldest snapshot of this game")
        world = self.snapshots[at].fork()
        logged = _by_week(self.world.record.commands, at)
        before = None
        while world.week <= week:
            before = world.last_desk
            world = _replay_week(world, logged.get(world.week, []))
        return before, world.last_desk


def _no_game(path: str | Path, reason: str) -> InputError:
    return InputError.one(f"is not a saved game: {reason}", "use a file written by Game.save", file=str(path))


def _kept(tables: Iterable[str] | None) -> frozenset[str]:
    if tables is None:
        return frozenset(TABLES)
    unknown = [t for t in tables if t not in TABLES]
    if unknown:
        raise InputError(
            [Fault("tables", None, unknown[0], "table", "no such table", f"choose from {', '.join(TABLES)}")]
        )
    return frozenset(tables)


def _inject(world: World, actor: str, body: object, origin: str) -> None:
    world.inbox.append((actor, body, origin))


def _by_week(commands: list[dict[str, Any]], first: int) -> dict[int, list[dict[str, Any]]]:
    table: dict[int, list[dict[str, Any]]] = {}
    for row in commands:
        if row["week"] >= first and row["origin"] != "event":
            table.setdefault(row["week"], []).append(row)
    return table


def _replay_week(world: World, rows: list[dict[str, Any]]) -> World:
    """One week with logged commands in place of strategies."""
    for row in rows:
        _inject(world, row["actor"], row["body"], row["origin"])
    tick(world)
    return world


def _by_date(path: str | Path | None, origins: tuple[str, ...], world: World) -> dict[int, list[tuple[str, Any, str]]]:
    """Commands of a log by week; events that the scenario itself will bring are left to it."""
    if path is None:
        return {}
    own_kinds = {(w, e.actor, e.command.get("kind")) for w, _, e in world.pending}
    table: dict[int, list[tuple[str, Any, str]]] = {}
    faults = []
    for number, row in read_log(path):
        origin, actor = row.get("origin", "human"), row["actor"]
        week = week_index(world.start, Day.fromisoformat(row["date"]))
        if origin not in origins or (origin == "event" and (week, actor, row["kind"]) in own_kinds):
            continue
        if week < 0:
            remedy = f"use dates from {world.start}"
            faults.append(Fault(Path(path).name, number, actor, "date", "lies before the scenario's start", remedy))
        table.setdefault(week, []).append((actor, row.get("body") or {"kind": row["kind"]}, origin))
    if faults:
        raise InputError(faults)
    return table


def _day(value: str | Day, name: str) -> Day:
    """A date, or InputError for what is none."""
    try:
        return value if isinstance(value, Day) else Day.fromisoformat(value)
    except (TypeError, ValueError):
        remedy = "write YYYY-MM-DD, for instance 2025-01-06"
        raise InputError.one(f"{value!r} is not a date", remedy, file=name) from None


def _seed(value: object) -> int:
    """A seed, or InputError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise InputError.one(f"{value!r} is not a whole number from 0", "write seed=1", file="seed")
    return int(value)
