"""What a game has written down so far, as columns a chart can draw.  No web library: tests and pages share it.

The tables of a run (docs/results.md) are read a few weeks at a time, so that drawing week 500 costs what week 5 did.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from agents import Game

KINDS = ("domestic", "fob", "delivered", "contract", "ask")
#: kind -> where a reader wants to see it, best first; elsewhere only when the scenario has no such place
WANTED_PLACE = {"domestic": ("CHN",), "fob": ("CHN",), "delivered": ("EUU",), "contract": ("EUU",), "ask": ("EUU",)}
STAGES = (
    ("mining", "all", "Mining"),
    ("separation", "all", "Separation"),
    ("separation", "heavy", "Heavy separation"),
    ("metal", "all", "Metal"),
    ("magnet", "all", "Magnets"),
)
CHARTED = ("oxide", "metal", "magnet")
QUARTER = 13

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Series:
    """One price line: a good, a kind of price, the place where it is paid."""

    good: str
    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class Share:
    """China's part of a stage over the last and the first quarter of the game (None: nothing was made)."""

    name: str
    now: float | None
    then: float | None


@dataclass(frozen=True, slots=True)
class Region:
    """Supply security of a place: cover in weeks of use, stopped as a share of wanted use.  None: no such good or use.

    `thinnest` is the magnet with least cover, or any good where no magnets are used.
    """

    place: str
    magnets_cover: float | None
    thinnest: str
    thinnest_cover: float | None
    stopped: float | None
    stopped_quarter: float | None


@dataclass(frozen=True, slots=True)
class Move:
    """A weekly price move worth explaining."""

    series: Series
    week: int
    before: float
    after: float


@dataclass
class History:
    """Columns of everything the page shows, week by week."""

    start: date
    goods: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    weeks: int = 0
    price: dict[Series, list[float]] = field(default_factory=dict)
    volume: dict[Series, list[float]] = field(default_factory=dict)
    made: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    cover: dict[tuple[str, str], float] = field(default_factory=dict)
    need: dict[tuple[str, str], float] = field(default_factory=dict)
    wanted: dict[str, list[float]] = field(default_factory=dict)
    stopped: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, game: Game) -> History:
        """An empty history for a game: oxides, metals and magnets, or all goods when there are none of these."""
        goods = tuple(g.code for g in game.spec.goods if g.stage in CHARTED) or tuple(g.code for g in game.spec.goods)
        return cls(game.spec.start, goods, tuple(n.code for n in game.spec.nodes))

    # ---- taking weeks in ---------------------------------------------------------------------------------
    def take(self, game: Game) -> None:
        """Read the weeks played since the last call."""
        first, last = self.weeks, game.week
        if last <= first:
            return
        self._prices(tail(game, "prices", first), first, last)
        self._shares(tail(game, "shares", first), first, last)
        self._security(tail(game, "dependence", last - 1), tail(game, "use", first), first, last)
        self.weeks = last

    def _week(self, dates: Any) -> Any:
        days = np.asarray(dates, dtype="datetime64[D]") - np.datetime64(self.start)
        return (days.astype(int) // 7).tolist()

    def _prices(self, table: dict[str, Any], first: int, last: int) -> None:
        known = set(self.goods)
        rows = zip(
            self._week(table["date"]),
            table["good"],
            table["kind"],
            table["place"],
            table["price_usd_kg"].tolist(),
            table["volume_t"].tolist(),
            strict=True,
        )
        for week, good, kind, place, price, volume in rows:
            if good not in known:
                continue
            key = Series(good, kind, place)
            if key not in self.price:
                self.price[key], self.volume[key] = [], []
            pad(self.price[key], week, float("nan")).append(price)
            pad(self.volume[key], week, 0.0).append(volume)
        for key in self.price:
            pad(self.price[key], last, float("nan"))
            pad(self.volume[key], last, 0.0)

    def _shares(self, table: dict[str, Any], first: int, last: int) -> None:
        size = last - first
        china: dict[tuple[str, str], list[float]] = {}
        total: dict[tuple[str, str], list[float]] = {}
        rows = zip(
            self._week(table["date"]), table["stage"], table["group"], table["place"], table["tonnes"], strict=True
        )
        for week, stage, group, place, tonnes in rows:
            key = (stage, group)
            total.setdefault(key, [0.0] * size)[week - first] += float(tonnes)
            if place == "CHN":
                china.setdefault(key, [0.0] * size)[week - first] += float(tonnes)
        for key, sums in total.items():
            past = pad(self.made.setdefault(key, []), first, (0.0, 0.0))
            past += zip(china.get(key, [0.0] * size), sums, strict=True)
        for past in self.made.values():
            pad(past, last, (0.0, 0.0))

    def _security(self, cover: dict[str, Any], use: dict[str, Any], first: int, last: int) -> None:
        self.cover = {
            (place, good): float(weeks)
            for place, good, weeks in zip(cover["place"], cover["good"], cover["cover_weeks"], strict=True)
            if np.isfinite(weeks)
        }
        wanted: dict[tuple[str, int], float] = {}
        lost: dict[tuple[str, int], float] = {}
        need: dict[tuple[str, str], float] = {}
        rows = zip(
            self._week(use["date"]),
            use["place"],
            use["good"],
            use["wanted_t"].tolist(),
            use["lines_stopped"].tolist(),
            strict=True,
        )
        for week, place, good, tonnes, share in rows:
            wanted[place, week] = wanted.get((place, week), 0.0) + tonnes
            lost[place, week] = lost.get((place, week), 0.0) + tonnes * share
            if week == last - 1:
                need[place, good] = need.get((place, good), 0.0) + tonnes
        self.need = need
        for place in {place for place, _ in wanted}:
            past, gone = (
                pad(self.wanted.setdefault(place, []), first, 0.0),
                pad(self.stopped.setdefault(place, []), first, 0.0),
            )
            past += [wanted.get((place, week), 0.0) for week in range(first, last)]
            gone += [lost.get((place, week), 0.0) for week in range(first, last)]

    # ---- prices ------------------------------------------------------------------------------------------
    def shown(self) -> list[Series]:
        """The line of each good and kind: at the place readers want, else where most is traded."""
        found: dict[tuple[str, str], list[Series]] = {}
        for key in self.price:
            found.setdefault((key.good, key.kind), []).append(key)
        chosen = []
        for good in self.goods:
            for kind in KINDS:
                offered = found.get((good, kind), [])
                best = next((s for p in WANTED_PLACE[kind] for s in offered if s.place == p), None)
                if best is None and offered and not self._has(WANTED_PLACE[kind]):
                    best = max(offered, key=lambda s: (sum(self.volume[s]), s.place))
                if best is not None:
                    chosen.append(best)
        return chosen

    def _has(self, places: tuple[str, ...]) -> bool:
        return any(place in self.places for place in places)

    def columns(self, series: list[Series], first: int = 0) -> Floats:
        """Prices of `series` from week `first` on, one row a series; NaN where there is none."""
        rows = [self.price[s][first:] for s in series]
        return np.array(rows, dtype=np.float32).reshape(len(series), self.weeks - first)

    def largest_moves(self, weeks: int = QUARTER, most: int = 6) -> list[Move]:
        """Largest weekly moves of well-traded goods in the last weeks, largest first, one a good and kind."""
        lines = [s for s in self.shown() if s.kind in ("domestic", "delivered")]
        first = max(1, self.weeks - weeks)
        if not lines or first >= self.weeks:
            return []
        price = np.array([self.price[s] for s in lines])
        volume = np.array([self.volume[s][-52 - weeks :] for s in lines])
        usual = np.median(volume, axis=1, keepdims=True)
        recent = volume[:, -(self.weeks - first) - 1 :]
        with np.errstate(invalid="ignore", divide="ignore"):
            move = np.abs(np.log(price[:, first:] / price[:, first - 1 : -1]))
        thin = (recent[:, 1:] <= 0.2 * usual) | (recent[:, :-1] <= 0.2 * usual) | (usual <= 0)
        move = np.nan_to_num(np.where(thin, 0.0, move))
        best = move.argmax(axis=1)
        size = move[np.arange(len(lines)), best]
        return [
            Move(lines[i], first + int(best[i]), float(price[i, first + best[i] - 1]), float(price[i, first + best[i]]))
            for i in np.argsort(-size, kind="stable")[:most]
            if size[i] > 0.005
        ]

    # ---- who makes it, who waits for it --------------------------------------------------------------------
    def shares(self) -> list[Share]:
        """China's share by stage, last and first quarter played."""
        rows = []
        for stage, group, name in STAGES:
            past = self.made.get((stage, group))
            if past:
                rows.append(Share(name, _share(past[-QUARTER:]), _share(past[:QUARTER])))
        return rows

    def regions(self, magnets: set[str]) -> list[Region]:
        """Cover and stopped lines by place, largest user first."""
        rows = []
        for place in sorted(self.wanted, key=lambda p: -sum(self.wanted[p][-QUARTER:])):
            goods = {g: w for (p, g), w in self.need.items() if p == place and w > 0 and (p, g) in self.cover}
            held = {g: w for g, w in goods.items() if g in magnets}
            mean = sum(self.cover[place, g] * w for g, w in held.items()) / sum(held.values()) if held else None
            thinnest = min(held or goods, key=lambda g: self.cover[place, g], default="")
            rows.append(
                Region(
                    place,
                    mean,
                    thinnest,
                    self.cover[place, thinnest] if thinnest else None,
                    _part(self.stopped[place][-1:], self.wanted[place][-1:]),
                    _part(self.stopped[place][-QUARTER:], self.wanted[place][-QUARTER:]),
                )
            )
        return rows

    def day(self, week: int) -> date:
        """Monday of a week."""
        return self.start + timedelta(weeks=week)


def tail(game: Game, table: str, first: int) -> dict[str, Any]:
    """The rows of a result table from week `first` on, without building the rows before."""
    part = copy.copy(game.world.record)
    part.weeks = game.world.record.weeks[first:]
    return part.table(table, game.world)


def pad(values: list[Any], length: int, filler: Any) -> list[Any]:
    """Fill a list up to a length, in place."""
    values += [filler] * (length - len(values))
    return values


def _share(pairs: list[tuple[float, float]]) -> float | None:
    return _part([c for c, _ in pairs], [t for _, t in pairs])


def _part(parts: list[float], wholes: list[float]) -> float | None:
    whole = sum(wholes)
    return sum(parts) / whole if whole > 0 else None
