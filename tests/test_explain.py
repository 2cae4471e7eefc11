"""Why did the price move: parts that add up, twelve clearings, nothing out of nothing, and policy where policy
acted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Run
from tiny_worlds import OX, chain, monday, one_good, opened, play, put, table

from agents import Game
from env import Explanation, InputError, NoTrade, World, explain_week, tick
from env import explain as explaining
from env.market import GROUPS, Desk, swap

PARTS = ("supply", "demand", "stocks", "policy", "contracts", "expectations")


def check(told: Explanation) -> None:
    """Parts of the six groups that add up to the change, in twelve clearings."""
    assert tuple(sorted(told.parts)) == tuple(sorted(PARTS))
    change = told.after - told.before
    assert abs(sum(told.parts.values()) - change) <= 1e-9 * max(abs(told.after), abs(told.before))
    assert told.clearings == 12


def desks(world: World, weeks: int = 1, orders: dict[str, list[Any]] | None = None) -> tuple[Desk, Desk]:
    """The desk of the last week lived and the one of `weeks` later; `orders` in the first of them."""
    before = world.last_desk
    for week in range(weeks):
        tick(world, orders if orders and week == 0 else {})
    return before, world.last_desk


# ---- all weeks ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("good", "day", "place", "kind"),
    [
        ("ndpr_oxide", "2025-02-10", None, "domestic"),
        ("ndpr_oxide", "2025-11-03", None, "domestic"),
        ("dy_oxide", "2025-04-14", "JPN", "delivered"),
        ("dy_oxide", "2025-05-05", "EUU", "ask"),
        ("tb_oxide", "2025-06-23", None, "domestic"),
        ("magnet_n", "2025-07-07", "USA", "delivered"),
        ("magnet_uh_gbd", "2025-09-01", "EUU", "delivered"),
        ("ce_oxide", "2025-03-03", None, "fob"),
        ("ndpr_metal", "2025-08-04", None, "domestic"),
    ],
)
def test_parts_add_up_in_the_baseline(baseline_run: Run, good: str, day: str, place: str | None, kind: str) -> None:
    try:
        told = baseline_run.game.explain(good, day, place=place, kind=kind)
    except NoTrade:
        pytest.skip("no trade there in both weeks")
    check(told)
    assert told.before > 0
    assert told.after > 0
    assert good in told.in_words()
    assert f"{told.change_pct:+.1f}" in told.in_words()


def test_parts_add_up_for_every_good_of_the_chain(chain_run: Run) -> None:
    """Every fifth week, every good, both ends of its leading lane."""
    game = chain_run.game
    done = 0
    for week in range(1, game.week, 9):
        for good in game.world.structure.goods.codes:
            for kind in ("domestic", "delivered"):
                try:
                    told = game.explain(good, game.spec.start + timedelta(weeks=week), kind=kind)
                except NoTrade:
                    continue
                check(told)
                done += 1
    assert done > 50


def test_it_takes_exactly_twelve_clearings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where the clearing is called, not where it says so."""
    world = play(opened(chain()), 4)
    before, after = desks(world)
    calls = []
    real = explaining.clear_book
    monkeypatch.setattr(explaining, "clear_book", lambda *args: calls.append(1) or real(*args))
    told = explain_week(world, before, after, OX, "CHN", delivered=True)
    assert len(calls) == 12
    assert told.clearings == 12


def test_explaining_changes_nothing(chain_run: Run) -> None:
    game = chain_run.game
    before = game.world.state_hash()
    first = game.explain(OX, "2025-06-02")
    assert game.explain(OX, "2025-06-02") == first
    assert game.world.state_hash() == before


# ---- what it starts and ends with is what cleared -------------------------------------------------------
def cleared(world: World, good: str, week: int, origin: str = "CHN", destination: str = "CHN") -> float:
    """What sellers got for spot deals on a lane in a week, from the flows."""
    rows = table(world, "flows")
    rows = rows[
        (rows["good"] == good)
        & (rows["origin"] == origin)
        & (rows["destination"] == destination)
        & (rows["contract_id"] == "")
        & (rows["date_shipped"] == monday(week))
    ]
    return float((rows["tonnes"] * rows["price_usd_kg"]).sum() / rows["tonnes"].sum())


def test_before_and_after_are_the_cleared_prices() -> None:
    world = play(opened(chain()), 10)
    for _ in range(5):
        before, after = desks(world)
        for good in (OX, "ndpr_metal", "magnet_n"):
            told = explain_week(world, before, after, good, "CHN", delivered=False)
            assert told.before == pytest.approx(cleared(world, good, world.week - 2), rel=1e-9)
            assert told.after == pytest.approx(cleared(world, good, world.week - 1), rel=1e-9)


def test_it_explains_the_price_under_an_export_quota_too() -> None:
    """The quota's shadow price is part of the price abroad: before, after, and the step is policy's."""
    world = play(opened(one_good()), 4)
    before, after = desks(
        world, 1, {"chn": [{"kind": "set_quota", "scope": "export", "goods": [OX], "tonnes_per_year": 1040}]}
    )
    told = explain_week(world, before, after, OX, "USA", delivered=True)
    freight = 0.4
    assert told.after == pytest.approx(cleared(world, OX, 4, destination="USA") + freight, rel=1e-6)
    check(told)
    assert told.after - told.before > 1.0
    assert told.parts["policy"] > 0.8 * (told.after - told.before)


# ---- nothing out of nothing -----------------------------------------------------------------------------
def test_equal_desks_have_nothing_to_explain() -> None:
    world = play(opened(chain()), 6)
    for good in (OX, "dy_oxide", "magnet_n", "magnet_uh"):
        told = explain_week(world, world.last_desk, world.last_desk, good, "CHN", delivered=True)
        assert told.before == told.after
        assert set(told.parts.values()) == {0.0}
        check(told)


def test_the_way_back_is_the_way_there() -> None:
    """Explained from this week to last: every part with the other sign."""
    world = play(opened(chain()), 6)
    before, after = desks(world, 4)
    there = explain_week(world, before, after, OX, "CHN", delivered=True)
    back = explain_week(world, after, before, OX, "CHN", delivered=True)
    for name in PARTS:
        assert back.parts[name] == pytest.approx(-there.parts[name], abs=1e-9), name


@pytest.mark.parametrize("group", PARTS)
def test_a_group_that_did_not_change_has_no_part(group: str) -> None:
    """All but one group swapped by hand: that one explains nothing; that one alone: it explains all."""
    world = play(opened(chain()), 6)
    before, after = desks(world, 8)
    without = before
    for name in PARTS:
        if name != group:
            without = swap(without, after, name)
    assert explain_week(world, before, without, "magnet_n", "CHN", delivered=True).parts[group] == 0.0
    alone = explain_week(world, before, swap(before, after, group), "magnet_n", "CHN", delivered=True)
    assert alone.parts[group] == pytest.approx(alone.after - alone.before, abs=1e-9)
    assert all(alone.parts[name] == 0.0 for name in PARTS if name != group)


def test_every_field_of_the_desk_is_in_one_group() -> None:
    grouped = [name for fields in GROUPS.values() for name in fields]
    assert sorted(grouped) == sorted(Desk.__dataclass_fields__)


# ---- it names the culprit -------------------------------------------------------------------------------
def steady() -> World:
    """The one-good world, left alone for a while."""
    return play(opened(one_good()), 12)


def leading(told: Explanation) -> str:
    return max(told.parts, key=lambda name: abs(told.parts[name]))


def test_a_tariff_step_shows_up_under_policy() -> None:
    """A tariff of 30 % on what is worth about 50 USD/kg: the price abroad jumps, and policy is why."""
    world = steady()
    before, after = desks(
        world, 2, {"usa": [{"kind": "set_tariff", "goods": ["oxide"], "origin": "CHN", "rate": 0.30}]}
    )
    told = explain_week(world, before, after, OX, "USA", delivered=True)
    check(told)
    assert told.after > told.before + 3.0
    assert leading(told) == "policy"
    assert told.parts["policy"] > 0.6 * (told.after - told.before)  # the rest: buyers abroad grow afraid and order more
    assert "policy" in told.in_words()


def test_an_embargo_shows_up_under_policy_at_home() -> None:
    """Half of the trade may not leave: the price at home falls, and policy is why."""
    world = steady()
    before, after = desks(world, 1, {"chn": [{"kind": "embargo", "goods": [OX], "destination": "USA"}]})
    told = explain_week(world, before, after, OX, "CHN", delivered=True)
    check(told)
    assert told.after < told.before
    assert leading(told) == "policy"


def test_a_price_target_shows_up_under_policy() -> None:
    from tiny_worlds import party

    parties = [p for p in one_good().parties if p.code != "miner"]
    world = play(opened(one_good(parties=[*parties, party("miner", "soe")])), 12)
    before, after = desks(world, 1, {"chn": [{"kind": "set_price_target", "good": OX, "price_usd_per_kg": 30.0}]})
    told = explain_week(world, before, after, OX, "CHN", delivered=True)
    check(told)
    assert told.after < told.before - 1.0
    assert leading(told) == "policy"


def test_lost_stock_shows_up_under_stocks() -> None:
    """The user abroad loses nine tenths of its stock over night."""
    world = steady()
    put(world, "use_usa", OX, 30.0)
    before, after = desks(world)
    told = explain_week(world, before, after, OX, "USA", delivered=True)
    check(told)
    assert told.after > told.before
    assert leading(told) == "stocks"


def test_held_supply_shows_up_under_stocks_or_supply() -> None:
    """The only seller withholds three quarters of its stock: dearer, because of what is offered, not of policy or
    demand."""
    world = steady()
    before, after = desks(world, 1, {"miner": [{"kind": "hold", "good": OX, "share": 0.75}]})
    told = explain_week(world, before, after, OX, "CHN", delivered=True)
    check(told)
    assert told.after > told.before
    assert leading(told) in ("stocks", "supply")


def test_a_bid_by_hand_is_not_called_policy_or_supply() -> None:
    world = steady()
    order = {"kind": "set_order", "good": OX, "rule": "ladder", "tonnes_per_week": 400, "limit_usd_per_kg": 300}
    before, after = desks(world, 1, {"maker_usa": [order]})
    told = explain_week(world, before, after, OX, "USA", delivered=True)
    check(told)
    assert told.after > told.before
    assert leading(told) in ("expectations", "demand")


# ---- the way in -----------------------------------------------------------------------------------------
def test_the_game_explains_the_weeks_it_says(chain_run: Run) -> None:
    """`explain` of a day is about the week that holds it: any day of the week gives the same answer."""
    game = chain_run.game
    days = pd.date_range("2025-06-02", "2025-06-08")
    told = {game.explain(OX, day.date(), kind="domestic").in_words() for day in days}
    assert len(told) == 1


def test_the_game_explains_after_a_rewind_and_a_load(chain_run: Run, tmp_path: Any) -> None:
    first = chain_run.game.explain("magnet_n", "2025-07-07")
    back = chain_run.game.rewind(40)
    assert back.explain("magnet_n", "2025-07-07") == first
    back.save(tmp_path / "game")
    loaded = Game.load(tmp_path / "game")
    loaded.step()
    with pytest.raises(NoTrade):
        loaded.explain("magnet_n", "2025-07-07")  # older than its first snapshot: says so


def test_no_trade_is_said(chain_run: Run) -> None:
    with pytest.raises(NoTrade, match="did not trade"):
        chain_run.game.explain("conc_hill", "2025-06-02", place="JPN", kind="delivered")


@pytest.mark.parametrize(
    ("good", "day", "place"),
    [
        ("cheese", "2025-06-02", None),
        (OX, "2024-06-02", None),
        (OX, "2035-06-02", None),
        (OX, "2025-06-02", "XXX"),
        (OX, "2025-01-06", None),
    ],
)
def test_what_cannot_be_explained_is_refused(chain_run: Run, good: str, day: str, place: str | None) -> None:
    with pytest.raises(InputError):
        chain_run.game.explain(good, day, place=place)


def test_the_largest_moves_of_a_summary_add_up(baseline_run: Run) -> None:
    rows = baseline_run.game.summary()["explained"]
    assert 1 <= len(rows) <= 3
    for row in rows:
        parts = row.get("parts_usd_per_kg", row["parts"])
        assert sum(parts.values()) == pytest.approx(row["after"] - row["before"], rel=1e-9, abs=1e-9)
        assert row["change_pct"] == pytest.approx(100 * (row["after"] / row["before"] - 1))
        assert np.isfinite(list(parts.values())).all()
