"""The still world keeps still, comes back when pushed, forgets a pulse, and feels a lasting cut: numbers of the
model's promise.

A price here is what sellers got for spot deals at an origin (quantity-weighted), judged on 13-week means; a good counts
where it has volume: an origin with a twentieth of its spot trade, trading in ten weeks of every thirteen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from env import World, build_world, load_scenario, tick
from env.shocks import cut_mines, scale_prices

Floats = npt.NDArray[np.float64]
QUARTER = 13
TWO_YEARS = 104
MADE = ("oxide", "metal", "magnet")


@dataclass
class Path:
    """Weekly spot price (W, G, N) USD/kg and kg, all kg that moved (W, G), use wanted and used (W, U) kg."""

    price: Floats
    spot: Floats
    moved: Floats
    wanted: Floats
    used: Floats

    def quarter(self, end: int) -> Floats:
        """Quantity-weighted mean price (G, N) of the thirteen weeks before `end`; NaN where fewer than ten traded."""
        weeks = slice(end - QUARTER, end)
        kg = self.spot[weeks].sum(axis=0)
        usd = (np.nan_to_num(self.price[weeks]) * self.spot[weeks]).sum(axis=0)
        often = (self.spot[weeks] > 0).sum(axis=0) >= 10
        return np.divide(usd, kg, out=np.full_like(kg, np.nan), where=often & (kg > 0))


def watch(world: World, weeks: int, each_week: Callable[[World, int], None] | None = None) -> Path:
    """Live some weeks and note what trades."""
    st = world.structure
    n_g, n_n = len(st.goods), len(st.nodes)
    price, spot = np.full((weeks, n_g, n_n), np.nan), np.zeros((weeks, n_g, n_n))
    moved = np.zeros((weeks, n_g))
    for week in range(weeks):
        if each_week is not None:
            each_week(world, week)
        seen = len(world.record.flows)
        tick(world)
        new = world.record.flows[seen:]
        g, o, kg, usd, term = (
            np.concatenate([f[name] for f in new]) for name in ("good", "origin", "kg", "price", "contract")
        )
        moved[week] = np.bincount(g, weights=kg, minlength=n_g)
        free = term < 0
        key = g[free].astype(np.int64) * n_n + o[free]
        spot[week] = np.bincount(key, weights=kg[free], minlength=n_g * n_n).reshape(n_g, n_n)
        value = np.bincount(key, weights=(kg * usd)[free], minlength=n_g * n_n).reshape(n_g, n_n)
        price[week] = np.divide(value, spot[week], out=price[week], where=spot[week] > 0)
    rows = world.record.weeks[-weeks:]
    return Path(price, spot, moved, np.array([w.wanted for w in rows]), np.array([w.used for w in rows]))


@pytest.fixture(scope="module")
def start() -> World:
    """The still world after its burn-in."""
    world = build_world(load_scenario("still"), 0)
    while world.week < 0:
        tick(world)
    world.record.keep = frozenset({"flows", "use"})
    world.record.open(world)
    return world


@pytest.fixture(scope="module")
def still(start: World) -> Path:
    return watch(start.fork(), TWO_YEARS)


@pytest.fixture(scope="module")
def cells(start: World, still: Path) -> list[tuple[int, int]]:
    """(good, origin) with volume."""
    total = still.spot.sum(axis=(0, 2), keepdims=True)[0]
    share = np.divide(still.spot.sum(axis=0), total, out=np.zeros_like(still.spot[0]), where=total > 0)
    steady = np.isfinite(still.quarter(QUARTER)) & np.isfinite(still.quarter(TWO_YEARS))
    found = [(int(g), int(n)) for g, n in np.argwhere((share >= 0.05) & steady)]
    assert len({g for g, _ in found}) >= 25
    return found


def names(world: World, off: dict[tuple[int, int], float]) -> dict[str, float]:
    """Worst first, readable: good@place -> relative change."""
    st = world.structure
    return {
        f"{st.goods.codes[g]}@{st.nodes.codes[n]}": round(v, 3)
        for (g, n), v in sorted(off.items(), key=lambda x: -abs(x[1]))
    }


def changes(before: Floats, after: Floats, cells: list[tuple[int, int]], limit: float) -> dict[tuple[int, int], float]:
    """Cells whose price changed by more than `limit` (or stopped trading)."""
    out = {}
    for g, n in cells:
        change = float(after[g, n] / before[g, n] - 1.0)
        if not abs(change) <= limit:
            out[g, n] = change
    return out


# ---- stillness ------------------------------------------------------------------------------------------
def test_prices_stand_still_after_two_years(start: World, still: Path, cells: list[tuple[int, int]]) -> None:
    """Mean of the last quarter of two years within 10 % of the first quarter's."""
    assert names(start, changes(still.quarter(QUARTER), still.quarter(TWO_YEARS), cells, 0.10)) == {}


def test_prices_stand_still_all_the_way(start: World, still: Path, cells: list[tuple[int, int]]) -> None:
    """No quarter of the two years strays further than 15 % from the first (the promise is 10 % at the end)."""
    worst: dict[tuple[int, int], float] = {}
    for end in range(2 * QUARTER, TWO_YEARS + 1, QUARTER):
        for cell, change in changes(still.quarter(QUARTER), still.quarter(end), cells, 0.15).items():
            worst[cell] = max(worst.get(cell, 0.0), change, key=abs)
    assert names(start, worst) == {}


def test_prices_stand_still_through_the_burn_in(start: World, still: Path) -> None:
    """What comes out of the burn-in is what the balance put in: the leading price of every oxide, metal and magnet
    within 10 % of the table."""
    st = start.structure
    first = still.quarter(QUARTER)
    off = {}
    for g, stage in enumerate(st.good_stage):
        if stage in MADE and np.isfinite(first[g, st.hub[g]]):
            change = float(first[g, st.hub[g]] / st.base_price[g] - 1.0)
            if abs(change) > 0.10:
                off[g, int(st.hub[g])] = change
    assert names(start, off) == {}


def test_volumes_stay_above_nine_tenths_of_the_balance(start: World, still: Path) -> None:
    """Every week, for every oxide, metal and magnet that is used: what moves is at least 90 % of what the balance
    says is used."""
    st = start.structure
    use = np.bincount(
        st.b_good,
        weights=np.where(st.b_role < 2, build_world(st.spec, 0).state.expected_use, 0.0),
        minlength=len(st.goods),
    )
    low = {
        code: round(float(still.moved[:, g].min() / use[g]), 3)
        for g, code in enumerate(st.goods.codes)
        if use[g] > 1.0 and st.good_stage[g] in MADE and still.moved[:, g].min() < 0.9 * use[g]
    }
    assert low == {}


def test_quarterly_volumes_of_every_good_stay_above_nine_tenths(start: World, still: Path) -> None:
    """Ore, mixed heavies and swarf included, quarter by quarter: still means that nothing dries up."""
    st = start.structure
    first = still.moved[:QUARTER].mean(axis=0)
    low = {}
    for end in range(2 * QUARTER, TWO_YEARS + 1, QUARTER):
        mean = still.moved[end - QUARTER : end].mean(axis=0)
        for g, code in enumerate(st.goods.codes):
            if first[g] > 100.0 and mean[g] < 0.9 * first[g]:
                low[code] = min(low.get(code, 9.0), round(float(mean[g] / first[g]), 3))
    assert low == {}


def test_users_get_what_they_want(still: Path) -> None:
    assert (still.used.sum(axis=1) > 0.98 * still.wanted.sum(axis=1)).all()


# ---- return ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_prices_come_back_from_a_wrong_start(
    factor: float, start: World, still: Path, cells: list[tuple[int, int]]
) -> None:
    """Everything anybody remembers about prices times 0.7 or 1.4: within 15 % of the still world's start after two
    years."""
    world = start.fork()
    scale_prices(world, factor)
    path = watch(world, TWO_YEARS)
    early = path.quarter(QUARTER)
    moved = [early[g, n] / still.quarter(QUARTER)[g, n] - 1.0 for g, n in cells]
    assert abs(float(np.nanmedian(moved))) > 0.1, "the push was felt"
    assert names(start, changes(still.quarter(QUARTER), path.quarter(TWO_YEARS), cells, 0.15)) == {}


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_trade_goes_on_on_the_way_back(factor: float, start: World, still: Path) -> None:
    world = start.fork()
    scale_prices(world, factor)
    path = watch(world, 2 * QUARTER)
    assert path.used.sum() > 0.95 * path.wanted.sum()
    assert path.used.sum() > 0.90 * still.used[: 2 * QUARTER].sum(), "dearer material is used less, but not by a tenth"


# ---- pulse ----------------------------------------------------------------------------------------------
PULSE_WEEKS = 4


def test_a_pulse_of_demand_is_half_forgotten_in_half_a_year(
    start: World, still: Path, cells: list[tuple[int, int]]
) -> None:
    """One per cent more of everything for four weeks.  The difference to the undisturbed twin, as 13-week means, has
    fallen to half of its largest value 26 weeks after that (differences under 0.2 per cent count as none)."""
    usual = start.state.demand_scale.copy()

    def pulse(world: World, week: int) -> None:
        world.state.demand_scale[:] = usual * (1.01 if week < PULSE_WEEKS else 1.0)

    path = watch(start.fork(), TWO_YEARS, pulse)
    ends = range(QUARTER, TWO_YEARS + 1)
    gaps = np.array([path.quarter(end) / still.quarter(end) - 1.0 for end in ends])
    slow: dict[tuple[int, int], float] = {}
    felt = 0
    for g, n in cells:
        gap = np.nan_to_num(gaps[:, g, n])
        first = gap[: 52 - QUARTER + 1]  # its peak belongs to the first year
        top = int(np.argmax(np.abs(first)))
        felt += abs(first[top]) > 2e-3
        if abs(first[top]) > 2e-3 and abs(gap[top + 26]) > 0.5 * abs(first[top]):
            slow[g, n] = float(gap[top + 26] / first[top])
    assert felt > 0
    assert names(start, slow) == {}


def test_a_pulse_raises_prices_and_not_by_much(start: World, still: Path, cells: list[tuple[int, int]]) -> None:
    """One per cent for four weeks moves no quarterly price by more than five per cent, ever."""
    usual = start.state.demand_scale.copy()

    def pulse(world: World, week: int) -> None:
        world.state.demand_scale[:] = usual * (1.01 if week < PULSE_WEEKS else 1.0)

    path = watch(start.fork(), 52, pulse)
    wild: dict[tuple[int, int], float] = {}
    for end in range(QUARTER, 53):
        for cell, change in changes(still.quarter(end), path.quarter(end), cells, 0.05).items():
            if np.isfinite(change):  # not traded often enough to say
                wild[cell] = max(wild.get(cell, 0.0), change, key=abs)
    assert names(start, wild) == {}


# ---- a lasting cut --------------------------------------------------------------------------------------
def test_five_per_cent_less_ore_makes_ndpr_dearer(start: World, still: Path) -> None:
    """A lasting cut of all mines by 5 %: NdPr oxide at home 8-40 % dearer than in the twin within a year, and the
    year ends in there."""
    world = start.fork()
    cut_mines(world, 0.05)
    path = watch(world, 52)
    st = start.structure
    g, n = st.good("ndpr_oxide"), st.node("CHN")
    rise = [float(path.quarter(end)[g, n] / still.quarter(end)[g, n] - 1.0) for end in range(QUARTER, 53)]
    assert 0.08 <= max(rise) <= 0.40
    assert 0.08 <= rise[-1] <= 0.40
    assert min(rise) > -0.02, "never cheaper"


def test_a_larger_cut_is_felt_more(start: World, still: Path) -> None:
    st = start.structure
    g, n = st.good("ndpr_oxide"), st.node("CHN")
    rises = []
    for share in (0.02, 0.05, 0.10):
        world = start.fork()
        cut_mines(world, share)
        rises.append(float(watch(world, 52).quarter(52)[g, n] / still.quarter(52)[g, n] - 1.0))
    assert 0.0 < rises[0] < rises[1] < rises[2]
