"""Random plays: whatever anybody orders, sense or nonsense, mass and money add up, no stock is negative, refusals
are on record.

Each example is some twenty weeks of a small world with up to three commands a week, drawn from every kind of
command and
every kind of seat, and some that are no commands at all.  A failing example shrinks to the fewest commands that
break it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import recompute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tiny_worlds import OX, START, chain, event, lane, mine, one_good, opened, oxide, party, table, use

from env import MAY, World, observe, tick
from env.commands import KINDS
from env.spec import WorldSpec

WEEKS = 20
CALM = [HealthCheck.too_slow, HealthCheck.data_too_large]
# the quick ones show what broke as it was drawn; the slow one takes its time to shrink it
FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=CALM, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=CALM)

PLACES = ("AUS", "CHN", "JPN", "USA")
GOODS = ("conc_hill", "ndpr_oxide", "dy_oxide", "ce_oxide", "ndpr_metal", "swarf_ndpr", "magnet_n", "magnet_uh")
CLASSES = ("oxide", "magnet", "metal", "oxide heavy", "all")
SITES = ("MINE", "SEP", "METAL", "MAG", "REC", "NEW")
PARTIES = (
    "chn",
    "usa",
    "jpn",
    "dod",
    "miner",
    "separator",
    "metal_maker",
    "magnet_maker",
    "recycler",
    "cars_chn",
    "cars_jpn",
    "cars_usa",
    "arms_usa",
    "glass_chn",
    "hub",
    "outside",
)


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def amount(top: float) -> st.SearchStrategy[float]:
    return st.one_of(some(0.0, top), st.floats(0.0, top, allow_nan=False))


good, place, site, seat = some(*GOODS), some(*PLACES), some(*SITES), some(*PARTIES)
goods = st.lists(some(*GOODS, *CLASSES), min_size=1, max_size=2)
weeks = st.one_of(st.none(), st.integers(1, 30))
share = st.one_of(some(0.0, 1.0), st.floats(0.0, 1.0))
day = some("2025-01-06", "2025-02-03", "2025-03-03", "2025-06-02")


def body(kind: str, **parts: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), **parts}).map(
        lambda b: {k: v for k, v in b.items() if v is not None}
    )


BODIES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "set_tariff": body("set_tariff", goods=goods, origin=place, rate=amount(2.0), weeks=weeks),
    "set_duty": body("set_duty", goods=goods, rate=amount(1.0), weeks=weeks),
    "set_quota": body(
        "set_quota",
        scope=some("export", "mining", "smelting"),
        goods=st.lists(some(*GOODS), max_size=2),
        sites=st.lists(site, max_size=1),
        destination=st.one_of(st.none(), place),
        tonnes_per_year=amount(6000.0),
        phase_in_weeks=some(0, 0, 8),
        weeks=weeks,
    ),
    "embargo": body(
        "embargo", goods=goods, destination=st.one_of(st.none(), place), lift=st.booleans(), leak=share, weeks=weeks
    ),
    "set_control_list": body(
        "set_control_list", elements=st.lists(some("NdPr", "Dy", "Ce"), max_size=2), customs_tests=share
    ),
    "set_licence_dial": body(
        "set_licence_dial",
        destination=some("ALL", *PLACES),
        end_use_class=some("all", "civil", "dual", "defence"),
        share=share,
        accept_reports=st.booleans(),
    ),
    "set_price_target": body("set_price_target", good=good, price_usd_per_kg=amount(100.0), weeks=st.integers(1, 30)),
    "stockpile_buy": body(
        "stockpile_buy",
        good=good,
        tonnes_per_week=amount(50.0),
        limit_usd_per_kg=st.floats(0.1, 500.0),
        weeks=st.integers(1, 30),
    ),
    "stockpile_release": body(
        "stockpile_release",
        good=good,
        tonnes_per_week=amount(50.0),
        limit_usd_per_kg=amount(100.0),
        weeks=st.integers(1, 30),
    ),
    "offer_floor": body(
        "offer_floor",
        to=seat,
        good=good,
        floor_usd_per_kg=st.floats(0.1, 400.0),
        start=day,
        years=st.floats(0.1, 3.0),
        stockpiled_share=share,
        upside_above_usd_per_kg=amount(60.0),
        upside_share=share,
        upside_cap_usd=amount(1e6),
        eligible_t_per_year=amount(500.0),
    ),
    "offer": body(
        "offer",
        to=seat,
        side=some("buy", "sell"),
        good=good,
        seller_node=place,
        buyer_node=place,
        tonnes_per_year=st.floats(1.0, 3000.0),
        start=day,
        years=st.floats(0.1, 2.0),
        price_rule=some("fixed", "index"),
        price_usd_per_kg=amount(100.0),
        index_factor=amount(2.0),
        index_lag_weeks=st.integers(1, 13),
        min_take_share=share,
    ),
    "accept": body("accept", offer=st.one_of(seat.map(lambda s: f"from:{s}"), some("O1", "O2"))),
    "reject": body("reject", offer=some("O1", "O2", "O3")),
    "withdraw": body("withdraw", offer=some("O1", "O2", "O3")),
    "terminate": body("terminate", contract=some("K_ORE", "K_CARS", "C1", "K")),
    "plan_output": st.builds(
        lambda s, x: {"kind": "plan_output", "site": s, "share": x}, site, st.one_of(st.none(), share)
    ),
    "set_order": body(
        "set_order",
        good=good,
        node=st.one_of(st.none(), place),
        rule=some("cover", "ladder"),
        side=some("buy", "sell"),
        cover_weeks=st.one_of(st.none(), st.floats(0.0, 60.0)),
        tonnes_per_week=amount(100.0),
        limit_usd_per_kg=amount(500.0),
        weeks=st.integers(1, 12),
    ),
    "hold": body("hold", good=good, share=share, node=st.one_of(st.none(), place)),
    "idle": body("idle", site=site),
    "restart": body("restart", site=site),
    "start_project": body("start_project", site=site, tonnes_per_year=amount(3000.0)),
    "advance_project": body("advance_project", project=some("P_NEW", "P_MINE_X0", "P_MAG_X0")),
    "cancel_project": body("cancel_project", project=some("P_NEW", "P_MINE_X0", "P_MAG_X0")),
}

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.text(max_size=6), st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=4)), max_size=3
    ),
    st.builds(
        lambda b, x: b | {"rate": x, "tonnes_per_year": x, "share": x},
        st.one_of(*BODIES.values()),
        some(float("nan"), float("inf"), -1.0, 1e308, "much", None),
    ),
    st.builds(
        lambda b, k: {x: y for x, y in b.items() if x != k},
        st.one_of(*BODIES.values()),
        some("good", "goods", "site", "share", "rate"),
    ),
)

KIND_OF = {
    "chn": "state",
    "usa": "state",
    "jpn": "state",
    "dod": "defence",
    "miner": "producer",
    "separator": "soe",
    "metal_maker": "producer",
    "magnet_maker": "producer",
    "recycler": "producer",
    "cars_chn": "oem",
    "cars_jpn": "oem",
    "cars_usa": "oem",
    "arms_usa": "oem",
    "glass_chn": "oem",
    "hub": "trader",
}


@st.composite
def sensible(draw: st.DrawFn) -> tuple[str, Any]:
    """A command its seat may give (it may still be refused for what it says)."""
    actor = draw(some(*KIND_OF))
    kind = draw(st.sampled_from(sorted(set(MAY[KIND_OF[actor]]))))
    return actor, draw(BODIES[kind])


anything: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    sensible(),
    sensible(),
    sensible(),
    st.tuples(seat, st.one_of(*BODIES.values())),
    st.tuples(some(*PARTIES, "nobody"), JUNK),
)
plays = st.lists(st.lists(anything, max_size=3), min_size=WEEKS, max_size=WEEKS)


def test_every_kind_of_command_is_drawn() -> None:
    assert set(BODIES) == set(KINDS)


# ---- what must hold -------------------------------------------------------------------------------------
def check_state(world: World, cash: float) -> None:
    """Every week, without the engine's own check."""
    s = world.state
    for name in ("stock", "wip", "sea", "on_order", "plan", "cost", "debt", "site_nameplate", "expected_use"):
        array = getattr(s, name)
        assert np.isfinite(array).all(), (world.week, name)
        assert array.min() >= (-1e-3 if name in ("cost", "debt") else 0.0), (world.week, name, float(array.min()))
    for name in ("ref_origin", "ref_dest", "fundamental", "cash", "retained", "sale_price"):
        assert np.isfinite(getattr(s, name)).all(), (world.week, name)
    assert (s.ref_origin > 0).all()
    assert (s.ref_dest > 0).all()
    assert abs(float(s.cash.sum()) - cash) <= 1e-9 * float(np.abs(s.cash).sum() + 1.0)


def check_tables(world: World) -> None:
    """Mass and money from the tables alone, as a reader of the files would."""
    tables = {
        name: table(world, name) for name in ("stocks", "flows", "process", "use", "payments", "books", "licences")
    }
    gap = recompute.balance(tables).stack()
    assert gap.max() < 1e-9, gap.idxmax()
    assert recompute.world_balance(tables).stack().max() < 1e-9
    sums = recompute.batches(tables)
    whole = sums[sums["made"] & sums["drew"]]
    assert ((whole["reo"] + whole["loss"]).abs() <= 1e-9 * whole["size"].clip(lower=1e-6)).all()
    payments = tables["payments"]
    assert (payments["usd"] > 0).all()
    assert np.isfinite(payments["usd"]).all()
    books = tables["books"].pivot_table(index="firm", columns="quarter", values="cash", aggfunc="last")
    got = recompute.received(payments).reindex(index=books.index, columns=books.columns, fill_value=0.0)
    first, last = books.columns[0], books.columns[-1]
    moved = (books[last] - books[first] - got.drop(columns=first).sum(axis=1)).abs()
    turnover = sum(payments.groupby(side)["usd"].sum().reindex(books.index).fillna(0.0) for side in ("payer", "payee"))
    assert (moved / (books[first].abs() + turnover + 1.0)).max() < 1e-9
    out = tables["flows"][(tables["flows"]["licence_id"] != "")]
    granted = (
        tables["licences"][tables["licences"]["outcome"] == "granted"].groupby(["good", "place_to"])["tonnes"].sum()
    )
    for (code, where), tonnes in out.groupby(["good", "destination"])["tonnes"].sum().items():
        assert tonnes <= granted.get((code, where), 0.0) * (1 + 1e-9) + 1e-9


def check_log(world: World, given_: list[tuple[int, str, Any]]) -> None:
    """Every command handed in is on record, in the order of its week, accepted or refused with a reason; the log
    is JSON."""
    rows = world.record.commands
    assert len(rows) == len(given_)
    assert [r["week"] for r in rows] == [w for w, _, _ in given_]
    assert sorted(r["actor"] for r in rows) == sorted(a for _, a, _ in given_)
    for row in rows:
        assert row["accepted"] or len(row["reason"]) > 5, row
        json.dumps(row)
    assert [r["seq"] for r in rows] == sorted(r["seq"] for r in rows)


def replayed(what: WorldSpec, rows: list[dict[str, Any]]) -> World:
    """The same weeks with the logged bodies."""
    world = opened(what, seed=1)
    for _ in range(WEEKS):
        for row in rows:
            if row["week"] == world.week and row["origin"] != "event":
                world.inbox.append((row["actor"], json.loads(json.dumps(row["body"])), row["origin"]))
        tick(world)
    return world


def check_replay(world: World) -> None:
    """The log, read back from JSON, has every command meet the same fate and ends in the same world."""
    again = replayed(SMALL, world.record.commands)
    fates = [[(r["week"], r["actor"], r["kind"], r["accepted"]) for r in w.record.commands] for w in (world, again)]
    assert fates[0] == fates[1]
    assert again.state_hash() == world.state_hash()


def live(what: WorldSpec, play: list[list[tuple[str, Any]]]) -> World:
    world = opened(what, seed=1)
    cash = float(world.state.cash.sum())
    given_: list[tuple[int, str, Any]] = []
    for wishes in play:
        orders: dict[str, list[Any]] = {}
        for actor, wish in wishes:
            orders.setdefault(actor, []).append(wish)
        given_ += [(world.week, actor, wish) for actor in sorted(orders) for wish in orders[actor]]
        tick(world, orders)
        check_state(world, cash)
    check_tables(world)
    check_log(world, given_)
    assert max(world.record.largest_gap[name] for name in ("mass", "money")) < 1e-9
    return world


SMALL = chain(
    burn_in_weeks=6,
    constant_demand=False,
    parameters={"mines.supply_elasticity": 0.1, "licence.tonnes_magnet": 0.5, "licence.tonnes_oxide": 0.5},
)


@FEW
@given(play=plays)
def test_random_plays_keep_the_books(play: list[list[tuple[str, Any]]]) -> None:
    live(SMALL, play)


@FEW
@given(play=plays)
def test_random_plays_replay_from_their_log(play: list[list[tuple[str, Any]]]) -> None:
    check_replay(live(SMALL, play))


@FEW
@given(play=plays, seed=st.integers(0, 5))
def test_random_plays_leave_documents_readable(play: list[list[tuple[str, Any]]], seed: int) -> None:
    """After any play every seat's document is plain JSON without NaN."""
    world = opened(SMALL, seed=seed)
    for wishes in play:
        tick(world, {actor: [wish] for actor, wish in wishes})
    for who in ("chn", "usa", "dod", "miner", "separator", "cars_usa"):
        json.dumps(observe(world, who).document(), allow_nan=False)


@pytest.mark.slow
@MANY
@given(play=plays)
def test_many_random_plays(play: list[list[tuple[str, Any]]]) -> None:
    check_replay(live(SMALL, play))


# ---- random worlds --------------------------------------------------------------------------------------
@st.composite
def small_worlds(draw: st.DrawFn) -> WorldSpec:
    """Two places, one good, sizes and costs over three orders of magnitude, perhaps a quota, a tariff, a poor or
    rich seller."""
    t = draw(st.floats(10.0, 20_000.0))
    home, abroad = draw(st.floats(0.01, 2.0)) * t, draw(st.floats(0.01, 2.0)) * t
    price = draw(st.floats(0.05, 2000.0))
    events = draw(
        st.lists(
            some(
                event(START, "chn", kind="set_quota", scope="export", goods=[OX], tonnes_per_year=0.3 * t),
                event(START, "usa", kind="set_tariff", goods=["all"], origin="CHN", rate=1.5),
                event(START, "chn", kind="set_control_list", elements=["NdPr"]),
                event(START, "chn", kind="embargo", goods=["all"], leak=0.5),
            ),
            max_size=2,
            unique_by=id,
        )
    )
    parties = [p for p in one_good().parties if p.code != "miner"]
    return one_good(
        goods=[oxide(price=price)],
        parties=[*parties, party("miner", cash=draw(st.floats(-1e7, 1e9)), debt_usd=draw(st.floats(0.0, 1e9)))],
        sites=[
            mine(
                t=t,
                nameplate=draw(st.floats(0.5, 3.0)) * t,
                cost=draw(st.floats(0.0, 2.0)) * price,
                fixed_cost_usd_per_year=draw(st.floats(0.0, 1e8)),
            )
        ],
        uses=[
            use("use_chn", "maker_chn", "CHN", {OX: home}, cover_weeks=draw(st.floats(0.0, 30.0))),
            use("use_usa", "maker_usa", "USA", {OX: abroad}, elasticity=draw(st.floats(-2.0, 0.0))),
        ],
        lanes=[lane("CHN", "USA", draw(st.floats(0.1, 10.0)), draw(st.floats(0.0, 5000.0)))],
        events=events,
        constant_demand=False,
    )


@FEW
@given(what=small_worlds(), seed=st.integers(0, 2**40))
def test_random_worlds_keep_the_books(what: WorldSpec, seed: int) -> None:
    live_quietly(what, seed)


@pytest.mark.slow
@MANY
@given(what=small_worlds(), seed=st.integers(0, 2**40))
def test_many_random_worlds(what: WorldSpec, seed: int) -> None:
    live_quietly(what, seed)


def live_quietly(what: WorldSpec, seed: int) -> None:
    world = opened(what, seed=seed)
    cash = float(world.state.cash.sum())
    for _ in range(WEEKS):
        tick(world)
        check_state(world, cash)
    check_tables(world)
