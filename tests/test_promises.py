"""The promises of the model: exact books, the same world from the same inputs, nothing from nothing, no peeking,
no crash."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from busy_chain import busy
from conftest import Run
from pydantic import ValidationError
from tiny_worlds import (
    OX,
    chain,
    contract,
    event,
    fate,
    lane,
    mine,
    one_good,
    opened,
    oxide,
    party,
    plant,
    play,
    table,
    use,
)

from agents import Game
from env import MAY, InputError, World, build_world, load_scenario, observe, parse_command, tick
from env.shocks import cut_mines, scale_demand, scale_prices
from env.spec import WorldSpec

SHORT = "2025-03-31"  # twelve weeks
TINY = "2025-12-29"


def advanced(game: Game, weeks: int) -> Game:
    for _ in range(weeks):
        game.step()
    return game


# ---- exact books ----------------------------------------------------------------------------------------
def test_largest_gaps_of_a_run(baseline_run: Run, chain_run: Run) -> None:
    for run in (baseline_run, chain_run):
        gaps = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))["largest_gap"]
        assert set(gaps) >= {"mass", "money"}
        assert gaps["mass"] < 1e-9
        assert gaps["money"] < 1e-9


# ---- the same world from the same inputs ----------------------------------------------------------------
def test_same_process_twice() -> None:
    hashes = [Game(busy(), seed=5).run(until=TINY).world.state_hash() for _ in range(2)]
    assert hashes[0] == hashes[1]


def test_the_seed_matters() -> None:
    assert (
        Game(busy(), seed=5).run(until=TINY).world.state_hash()
        != Game(busy(), seed=6).run(until=TINY).world.state_hash()
    )


def test_the_hash_sees_every_part_of_the_state() -> None:
    """Nothing may change unseen: any array moved by the smallest step gives another hash."""
    world = play(opened(chain()), 3)
    before = world.state_hash()
    for f in fields(world.state):
        value = getattr(world.state, f.name)
        if isinstance(value, np.ndarray) and value.size and value.dtype == np.float64:
            twin = world.fork()
            array = getattr(twin.state, f.name).reshape(-1)
            array[0] = np.nextafter(array[0], np.inf) if np.isfinite(array[0]) else 0.5
            assert twin.state_hash() != before, f.name
    assert world.fork().state_hash() == before


def test_another_process_gives_the_same_hash(baseline_run: Run, tmp_path: Path) -> None:
    """A new interpreter with another hash seed: the baseline for two weeks and the small chain for a year."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from agents import Game\nfrom busy_chain import busy\n"
        "g = Game('baseline', seed=1)\n"
        "[g.step() for _ in range(2)]\n"
        "print(g.world.state_hash(), Game(busy(), seed=5).run(until='2025-12-29').world.state_hash())\n"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    big, small = done.stdout.split()
    assert big == baseline_run.forks[2].world.state_hash()
    assert small == Game(busy(), seed=5).run(until=TINY).world.state_hash()


def test_saved_and_loaded_goes_on_bit_for_bit(baseline_run: Run, chain_run: Run, tmp_path: Path) -> None:
    for name, run, at, more in (("baseline", baseline_run, 16, 6), ("chain", chain_run, 20, 40)):
        path = tmp_path / f"{name}.game"
        game = run.forks[at].fork()
        game.save(path)
        advanced(game, more)
        loaded = Game.load(path)
        assert loaded.week == at
        advanced(loaded, more)
        assert loaded.world.state_hash() == game.world.state_hash()
        assert len(loaded.world.record.commands) == len(game.world.record.commands)


def test_saving_keeps_waiting_commands(chain_run: Run, tmp_path: Path) -> None:
    """A person's command handed in before saving is carried out after loading."""
    game = chain_run.forks[20].fork()
    game.submit("glass_chn", {"kind": "set_order", "good": "ce_oxide", "cover_weeks": 20})
    game.save(tmp_path / "g")
    loaded = Game.load(tmp_path / "g")
    for g in (game, loaded):
        g.step()
    assert any(c["origin"] == "human" for c in game.world.record.commands)
    assert loaded.world.state_hash() == game.world.state_hash()


def test_a_fork_is_an_ordinary_run_and_leaves_the_first_alone(baseline_run: Run) -> None:
    """Fork at week 16, play both six weeks, in either order: equal, and equal to a third played later."""
    first = baseline_run.forks[16].fork()
    start = first.world.state_hash()
    twin = first.fork()
    advanced(twin, 6)
    assert first.world.state_hash() == start
    assert first.week == 16
    advanced(first, 6)
    assert first.world.state_hash() == twin.world.state_hash()
    assert [c["seq"] for c in first.world.record.commands] == [c["seq"] for c in twin.world.record.commands]


def test_a_fork_played_to_the_end_is_the_run(chain_run: Run) -> None:
    twin = chain_run.forks[20].fork()
    twin.run(until="2026-06-29")
    assert twin.world.state_hash() == chain_run.game.world.state_hash() == chain_run.manifest["state_hash"]


@pytest.mark.parametrize("week", [0, 7, 26, 33])
def test_rewind_and_play_again(chain_run: Run, week: int) -> None:
    back = chain_run.game.rewind(week)
    assert back.week == week
    back.run(until="2026-06-29")
    assert back.world.state_hash() == chain_run.manifest["state_hash"]


def test_rewind_of_the_baseline(baseline_run: Run) -> None:
    back = baseline_run.game.rewind(16)
    assert back.world.state_hash() == baseline_run.forks[16].world.state_hash()
    advanced(back, 10)
    assert back.world.state_hash() == baseline_run.forks[26].world.state_hash()


@pytest.mark.parametrize("kind", ["baseline", "chain"])
def test_replay_of_the_log_without_strategies(kind: str, request: pytest.FixtureRequest) -> None:
    """The log alone (strategies off) gives the played run again."""
    run = request.getfixturevalue(f"{kind}_run")
    game = Game(run.game.spec, seed=run.manifest["seed"], replay=run.folder / "commands.jsonl")
    game.run(until="2025-12-29" if kind == "baseline" else "2026-06-29")
    assert game.world.state_hash() == run.manifest["state_hash"]


def test_a_played_run_with_a_person_replays(tmp_path: Path) -> None:
    game = Game(busy(), seed=2)
    advanced(game, 5)
    game.submit("miner", {"kind": "plan_output", "site": "MINE", "share": 0.4})
    game.submit("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.6})
    advanced(game, 25)
    head = game.write(tmp_path / "run")
    again = Game(busy(), seed=2, replay=tmp_path / "run" / "commands.jsonl")
    advanced(again, 30)
    assert again.world.state_hash() == head["state_hash"]


def test_a_human_command_is_injected_while_strategies_play_on(tmp_path: Path) -> None:
    """`commands=`: the mine is cut by hand in week 6; the strategies' own commands of the log are not repeated."""
    log = tmp_path / "log.jsonl"
    rows = [
        {
            "seq": 1,
            "date": "2025-02-17",
            "actor": "miner",
            "kind": "plan_output",
            "body": {"kind": "plan_output", "site": "MINE", "share": 0.4},
            "origin": "human",
        },
        {
            "seq": 2,
            "date": "2025-02-17",
            "actor": "miner",
            "kind": "idle",
            "body": {"kind": "idle", "site": "MINE"},
            "origin": "strategy",
        },
    ]
    log.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    game = Game(busy(), seed=2, commands=log)
    advanced(game, 10)
    told = [c for c in game.world.record.commands if c["actor"] == "miner"]
    assert [(c["kind"], c["origin"], c["accepted"], c["date"]) for c in told if c["origin"] == "human"] == [
        ("plan_output", "human", True, "2025-02-17")
    ]
    assert not any(c["kind"] == "idle" for c in told)
    # 100 t a week at most 2 x 5,200 t a year x 0.97 x 0.4 = 77.6 t from that week on
    process = game.frame("process")
    dug = process[process["site"] == "MINE"].groupby("date")["tonnes"].sum()
    assert dug.iloc[5] > 90.0
    assert dug.iloc[6] == pytest.approx(2 * 5200 / 52 * 0.97 * 0.4)
    assert any(c["origin"] == "strategy" for c in game.world.record.commands)


def test_commands_submitted_in_another_order_of_seats_give_the_same_world() -> None:
    games = []
    for order in (("miner", "usa"), ("usa", "miner")):
        game = Game(busy(), seed=2)
        advanced(game, 5)
        for seat in order:
            body = {
                "miner": {"kind": "idle", "site": "MINE"},
                "usa": {"kind": "set_tariff", "goods": ["all"], "origin": "CHN", "rate": 0.1},
            }[seat]
            game.submit(seat, body)
        games.append(advanced(game, 10).world.state_hash())
    assert games[0] == games[1]


# ---- common random numbers: nothing from nothing --------------------------------------------------------
#: what must not move when a policy does nothing; ids and the list of rules may
RESULTS = ("prices", "flows", "stocks", "payments", "use", "process", "books", "dependence")


def assert_same_results(a: World, b: World, tables: tuple[str, ...] = RESULTS) -> None:
    for name in tables:
        one, two = (w.record.table(name, w) for w in (a, b))
        for column in one:
            if column in ("ref", "licence_id", "contract_id"):
                continue
            x, y = np.asarray(one[column]), np.asarray(two[column])
            assert x.shape == y.shape, f"{name}.{column}: {x.shape} rows against {y.shape}"
            equal = (x == y) | ((x != x) & (y != y))
            assert equal.all(), (
                f"{name}.{column}, row {int(np.argmin(equal))}: {x[~equal][0]!r} against {y[~equal][0]!r}"
            )


NOTHING: dict[str, tuple[str, dict[str, Any]]] = {
    "tariff of zero": ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.0}),
    "tariff on a lane without trade": (
        "jpn",
        {"kind": "set_tariff", "goods": ["oxide"], "origin": "USA", "rate": 0.03},
    ),
    "duty of zero": ("chn", {"kind": "set_duty", "goods": ["magnet"], "rate": 0.0}),
    "duty on a good without exports": ("chn", {"kind": "set_duty", "goods": ["swarf"], "rate": 0.5}),
    "export quota far above trade": (
        "chn",
        {"kind": "set_quota", "scope": "export", "goods": ["magnet_n"], "tonnes_per_year": 1e7},
    ),
    "export quota of another place": (
        "jpn",
        {"kind": "set_quota", "scope": "export", "goods": ["magnet_n"], "tonnes_per_year": 10.0},
    ),
    "embargo on a lane without trade": ("jpn", {"kind": "embargo", "goods": ["magnet"], "destination": "AUS"}),
    "embargo lifted that was not there": (
        "chn",
        {"kind": "embargo", "goods": ["magnet"], "destination": "USA", "lift": True},
    ),
    "control of goods that do not trade": ("jpn", {"kind": "set_control_list", "elements": ["Dy"]}),
    "empty control list": ("chn", {"kind": "set_control_list", "elements": []}),
    "dial without a list": ("chn", {"kind": "set_licence_dial", "share": 0.0}),
    "price target far above": ("chn", {"kind": "set_price_target", "good": OX, "price_usd_per_kg": 1e6}),
    "price target lifted": ("chn", {"kind": "set_price_target", "good": OX, "price_usd_per_kg": 0.0}),
    "stockpile of nothing": (
        "dod",
        {"kind": "stockpile_buy", "good": "magnet_n", "tonnes_per_week": 0.0, "limit_usd_per_kg": 100.0},
    ),
    "stockpile at a price nobody takes": (
        "dod",
        {"kind": "stockpile_buy", "good": "magnet_n", "tonnes_per_week": 5.0, "limit_usd_per_kg": 0.01},
    ),
    "release of nothing": ("dod", {"kind": "stockpile_release", "good": OX, "tonnes_per_week": 0.0}),
    "hold of nothing": ("glass_chn", {"kind": "set_order", "good": "ce_oxide", "cover_weeks": 6.0}),
    "sells as before": ("magnet_maker", {"kind": "hold", "good": "magnet_n", "share": 0.0}),
    "ladder of nothing": (
        "cars_usa",
        {"kind": "set_order", "good": "magnet_n", "rule": "ladder", "tonnes_per_week": 0.0, "limit_usd_per_kg": 60.0},
    ),
    "own rule of a plant": ("miner", {"kind": "plan_output", "site": "MINE", "share": None}),
    "an offer nobody answers": (
        "dod",
        {"kind": "offer_floor", "to": "separator", "good": OX, "floor_usd_per_kg": 500.0, "start": "2025-06-02"},
    ),
}


@pytest.fixture(scope="module")
def quiet_chain() -> World:
    """The chain after six weeks, strategies off."""
    return play(opened(chain(constant_demand=False), seed=4), 6)


@pytest.fixture(scope="module")
def quiet_chain_later(quiet_chain: World) -> World:
    return play(quiet_chain.fork(), 26)


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_a_policy_that_does_nothing_changes_nothing(name: str, quiet_chain: World, quiet_chain_later: World) -> None:
    actor, body = NOTHING[name]
    twin = quiet_chain.fork()
    tick(twin, {actor: [body]})
    assert fate(twin) == (True, "")
    play(twin, 25)
    assert_same_results(quiet_chain_later, twin)


def test_the_comparison_would_notice_a_policy(quiet_chain: World, quiet_chain_later: World) -> None:
    twin = quiet_chain.fork()
    tick(twin, {"usa": [{"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.001}]})
    play(twin, 25)
    with pytest.raises(AssertionError):
        assert_same_results(quiet_chain_later, twin)


def test_a_floor_below_the_market_pays_nothing_and_changes_nothing(
    quiet_chain: World, quiet_chain_later: World
) -> None:
    twin = quiet_chain.fork()
    offer = {"kind": "offer_floor", "to": "separator", "good": OX, "floor_usd_per_kg": 1.0, "start": "2025-02-17"}
    tick(twin, {"dod": [offer]})
    tick(twin, {"separator": [{"kind": "accept", "offer": "from:dod"}]})
    assert fate(twin) == (True, "")
    play(twin, 24)
    assert_same_results(quiet_chain_later, twin)


def test_nothing_happens_with_strategies_on_either(baseline_run: Run) -> None:
    """After the controls of April a tariff of zero per cent by the US provokes nobody: not one tonne, not one
    dollar moves."""
    one, two = baseline_run.forks[16].fork(), baseline_run.forks[16].fork()
    two.world.inbox.append(("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "KOR", "rate": 0.0}, "event"))
    for game in (one, two):
        advanced(game, 18)
    assert two.world.record.commands[len(baseline_run.forks[16].world.record.commands)]["accepted"]
    assert_same_results(one.world, two.world, ("prices", "flows", "stocks", "use"))


def test_a_tariff_lifted_is_no_provocation(baseline_run: Run) -> None:
    """`rate = 0` lifts a tariff.  China's doctrine, asked at the end of its two quarters with the coin on the
    harsh side, sees no hostile act."""
    from agents.strategies.market_power import Strategy

    class Harsh:
        def random(self) -> float:
            return 0.0

    plain = advanced(baseline_run.forks[26].fork(), 24)  # week 50: the dials of June have stood for two quarters
    asked = {}
    for name, rate in (("nothing", None), ("lifted", 0.0), ("raised", 0.5)):
        twin = plain.fork()
        if rate is not None:
            twin.world.inbox.append(
                ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": rate}, "event")
            )
        twin.step()
        asked[name] = [c.model_dump() for c in Strategy().licences(observe(twin.world, "chn"), Harsh())]  # type: ignore[arg-type]
    assert asked["lifted"] == asked["nothing"]
    assert asked["raised"] != asked["nothing"], "a real tariff would be answered"


def test_shocks_of_size_zero_change_nothing(quiet_chain: World) -> None:
    worlds = []
    for shock in (None, lambda w: scale_prices(w, 1.0), lambda w: scale_demand(w, 1.0), lambda w: cut_mines(w, 0.0)):
        twin = quiet_chain.fork()
        if shock is not None:
            shock(twin)
        worlds.append(play(twin, 20).state_hash())
    assert len(set(worlds)) == 1


def test_shocks_of_some_size_change_something(quiet_chain: World) -> None:
    before = play(quiet_chain.fork(), 4).state_hash()
    for shock in (lambda w: scale_prices(w, 1.01), lambda w: scale_demand(w, 1.01), lambda w: cut_mines(w, 0.01)):
        twin = quiet_chain.fork()
        shock(twin)
        assert play(twin, 4).state_hash() != before


def test_an_idle_stranger_changes_nobodys_luck() -> None:
    """A site without output and a user without use, first in the order of codes: outages and noise of the others
    stay theirs."""
    plain = chain(constant_demand=False, parameters={"plants.outage_rate": 5.0})
    more = plain.model_copy(
        update={
            "parties": [*plain.parties, party("aaa_stranger"), party("aaa_user", "oem")],
            "sites": [*plain.sites, mine("AAA", "aaa_stranger", "JPN", makes={"conc_hill": 1.0}, t=0.0, nameplate=0.0)],
            "uses": [*plain.uses, use("aaa_use", "aaa_user", "JPN", {"magnet_n": 0.0})],
        }
    )
    made = []
    for what in (plain, more):
        world = play(opened(what, seed=1), 30)
        rows = table(world, "process")
        wanted = table(world, "use")
        made.append(
            (
                rows[rows["site"] == "MINE"].groupby("date")["tonnes"].sum(),
                wanted[wanted["holder"] == "cars_usa"].groupby("date")["wanted_t"].sum(),
            )
        )
    assert made[0][0].to_numpy() == pytest.approx(made[1][0].to_numpy(), rel=1e-6)
    assert made[0][1].to_numpy() == pytest.approx(made[1][1].to_numpy(), rel=1e-6)


def test_two_dials_share_their_luck() -> None:
    """Turning the dial for the US alone changes no fate of the files for Japan (the office is never short there)."""
    fates = []
    for share in (1.0, 0.3):
        events = [
            event(date(2025, 1, 13), "chn", kind="set_control_list", elements=["Dy"]),
            event(date(2025, 1, 20), "chn", kind="set_licence_dial", destination="USA", share=share),
        ]
        few = {
            "licence.tonnes_magnet": 0.5,
            "licence.tonnes_oxide": 0.5,
            "licence.first_lag_weeks": 2.0,
            "licence.office_capacity": 40.0,
        }
        world = play(opened(chain(events=events, parameters=few), seed=1), 14)
        files = table(world, "licences")
        mine_ = files[(files["place_to"] == "JPN") & (files["applied"] <= "2025-01-20")].sort_values(
            "licence_id", key=lambda x: x.str[1:].astype(int)
        )
        fates.append(list(zip(mine_["applied"], mine_["tonnes"], mine_["outcome"], mine_["decided"], strict=True)))
    assert len(fates[0]) > 5
    assert fates[0] == fates[1]


# ---- money has no scale ---------------------------------------------------------------------------------
def doubled(what: WorldSpec) -> WorldSpec:
    """Every amount of money twice."""
    return what.model_copy(
        update={
            "goods": [
                g.model_copy(
                    update={
                        "base_price_usd_per_kg": 2 * g.base_price_usd_per_kg,
                        "finishing_cost_usd_per_kg": 2 * g.finishing_cost_usd_per_kg,
                        "conversion_cost_usd_per_kg": 2 * g.conversion_cost_usd_per_kg,
                        "base_fob_usd_per_kg": None if g.base_fob_usd_per_kg is None else 2 * g.base_fob_usd_per_kg,
                    }
                )
                for g in what.goods
            ],
            "parties": [
                p.model_copy(update={"cash_usd": 2 * p.cash_usd, "debt_usd": 2 * p.debt_usd}) for p in what.parties
            ],
            "sites": [
                s.model_copy(
                    update={
                        "variable_cost_usd_per_kg": 2 * s.variable_cost_usd_per_kg,
                        "fixed_cost_usd_per_year": 2 * s.fixed_cost_usd_per_year,
                        "capex_usd": 2 * s.capex_usd,
                    }
                )
                for s in what.sites
            ],
            "uses": [
                u.model_copy(
                    update={
                        "margin_lost_usd_per_kg": 2 * u.margin_lost_usd_per_kg,
                        "output_value_usd_per_kg": 2 * u.output_value_usd_per_kg,
                    }
                )
                for u in what.uses
            ],
            "lanes": [
                x.model_copy(update={"freight_usd_per_t": {k: 2 * v for k, v in x.freight_usd_per_t.items()}})
                for x in what.lanes
            ],
            "contracts": [c.model_copy(update={"price_usd_per_kg": 2 * c.price_usd_per_kg}) for c in what.contracts],
            "traders": [t.model_copy(update={"capital_usd": 2 * t.capital_usd}) for t in what.traders],
            "events": [
                e.model_copy(
                    update={
                        "command": {k: 2 * v if k.endswith(("usd", "usd_per_kg")) else v for k, v in e.command.items()}
                    }
                )
                for e in what.events
            ],
            "parameters": what.parameters
            | {"sellers.tailings_cost": 2 * what.parameters.get("sellers.tailings_cost", 0.05)},
        }
    )


def assert_money_doubled(one: World, two: World) -> None:
    for name in RESULTS:
        a, b = (w.record.table(name, w) for w in (one, two))
        for column in a:
            x, y = np.asarray(a[column]), np.asarray(b[column])
            assert x.shape == y.shape, (name, column)
            money = "usd" in column or (name == "books" and column not in ("quarter", "firm"))
            want = 2.0 * x if money else x
            equal = (want == y) | ((want != want) & (y != y))
            assert equal.all(), (
                f"{name}.{column}, row {int(np.argmin(equal))}: {want[~equal][0]!r} against {y[~equal][0]!r}"
            )


def test_twice_the_money_same_tonnes() -> None:
    """The chain with all that happens to it, strategies off: bit for bit the same tonnes, every price exactly
    double."""
    what = busy(strategies=False)
    assert_money_doubled(*(play(opened(w, seed=1), 60) for w in (what, doubled(what))))


def with_capex(what: WorldSpec) -> WorldSpec:
    """Planned sites get an explicit budget, so that no number of the code stands in for it."""
    return what.model_copy(
        update={
            "sites": [
                s if s.capex_usd > 0 else s.model_copy(update={"capex_usd": 40_000.0 * max(s.nameplate_t, 1.0)})
                for s in what.sites
            ]
        }
    )


def test_twice_the_money_in_the_baseline() -> None:
    what = with_capex(load_scenario("baseline", {"strategies": False, "burn_in_weeks": 4}))
    assert_money_doubled(*(play(opened(w, seed=1), 20) for w in (what, doubled(what))))


# ---- order means nothing --------------------------------------------------------------------------------
LISTS = (
    "nodes",
    "places",
    "parties",
    "sites",
    "uses",
    "lanes",
    "tariffs",
    "export_taxes",
    "contracts",
    "stocks",
    "traders",
)


def shuffled(what: WorldSpec, lists: tuple[str, ...], seed: int = 1) -> WorldSpec:
    rng = random.Random(seed)  # noqa: S311
    update = {}
    for name in lists:
        rows = list(getattr(what, name))
        rng.shuffle(rows)
        update[name] = rows
    return what.model_copy(update=update)


def keyed(world: World, name: str) -> dict[tuple[Any, ...], float]:
    """A table's main number by its keys, whatever the order of its rows."""
    number = {"prices": "price_usd_kg", "stocks": "tonnes", "use": "used_t", "books": "cash", "flows": "tonnes"}[name]
    keys = {
        "prices": ["date", "good", "place", "kind"],
        "stocks": ["date", "holder", "good", "kind"],
        "use": ["date", "holder", "good"],
        "books": ["quarter", "firm"],
        "flows": ["date_shipped", "good", "origin", "destination", "seller", "buyer", "contract_id"],
    }[name]
    sums: dict[tuple[Any, ...], float] = table(world, name).groupby(keys)[number].sum().to_dict()
    return sums


@pytest.mark.parametrize("lists", [*[(x,) for x in LISTS], LISTS], ids=[*LISTS, "all at once"])
def test_order_of_rows_changes_nothing(lists: tuple[str, ...]) -> None:
    what = busy(strategies=False)
    one, two = (play(opened(w, seed=1), 40) for w in (what, shuffled(what, lists)))
    for name in ("prices", "stocks", "use", "books", "flows"):
        assert keyed(one, name) == keyed(two, name), name


def test_order_of_tariff_rows_changes_no_rate_in_any_week() -> None:
    """Rows of one importer add up over legal bases: to the last bit the same sum, in whatever order they stand."""
    from env.build import build_structure
    from env.policy import dated_export_taxes, dated_tariffs

    what = load_scenario("baseline")
    plain = build_structure(what)
    days = [date(2025, 1, 6) + timedelta(weeks=n) for n in range(0, 104, 4)]
    for seed in (1, 2, 3):
        mixed = build_structure(shuffled(what, ("tariffs", "export_taxes"), seed))
        for day in days:
            assert np.array_equal(dated_tariffs(plain, day), dated_tariffs(mixed, day)), (seed, day)
            assert np.array_equal(dated_export_taxes(plain, day), dated_export_taxes(mixed, day)), (seed, day)


def test_order_of_goods_changes_nothing_but_rounding() -> None:
    """Goods are the order of the arrays, so sums over goods may round otherwise; nothing else may differ."""
    what = busy(strategies=False)
    one, two = (play(opened(w, seed=1), 30) for w in (what, shuffled(what, ("goods",))))
    for name in ("prices", "stocks", "use"):
        a, b = keyed(one, name), keyed(two, name)
        assert set(a) == set(b)
        for key, value in a.items():
            assert b[key] == pytest.approx(value, rel=1e-6, abs=1e-9), (name, key)


@pytest.mark.parametrize(
    "lists", [tuple(x for x in LISTS if x != "contracts"), ("contracts",)], ids=["all but contracts", "contracts"]
)
def test_order_of_rows_changes_nothing_in_the_baseline(lists: tuple[str, ...]) -> None:
    what = load_scenario("baseline", {"burn_in_weeks": 4})
    one, two = (advanced(Game(w, seed=1), 10).world for w in (what, shuffled(what, lists)))
    for name in ("prices", "stocks", "use", "books", "flows"):
        assert keyed(one, name) == keyed(two, name), name


# ---- refusals -------------------------------------------------------------------------------------------
NAN, INF = float("nan"), float("inf")
ILLEGAL: list[tuple[str, Any]] = [
    ("usa", None),
    ("usa", 3),
    ("usa", "set_tariff"),
    ("usa", []),
    ("usa", [{"kind": "set_tariff"}]),
    ("usa", {}),
    ("usa", {"kind": None}),
    ("usa", {"kind": ["set_tariff"]}),
    ("usa", {"kind": "conquer"}),
    ("usa", {"kind": "set_tariff"}),
    ("usa", {1: 2}),
    ("nobody", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1}),
    ("outside", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1}),
    ("hub", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1}),
    ("usa", {"kind": "set_tariff", "goods": [], "origin": "CHN", "rate": 0.1}),
    ("usa", {"kind": "set_tariff", "goods": ["cheese"], "origin": "CHN", "rate": 0.1}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "XXX", "rate": 0.1}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "china", "rate": 0.1}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": -0.1}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": NAN}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": INF}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1, "colour": "red"}),
    ("usa", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1, "weeks": 0}),
    ("chn", {"kind": "set_quota", "scope": "export", "goods": [OX], "tonnes_per_year": -1}),
    ("chn", {"kind": "set_quota", "scope": "export", "goods": [OX], "tonnes_per_year": NAN}),
    ("chn", {"kind": "set_quota", "scope": "export", "goods": [OX], "sites": ["SEP"], "tonnes_per_year": 1}),
    ("chn", {"kind": "set_quota", "scope": "mining", "sites": ["MINE"], "tonnes_per_year": 1}),
    ("chn", {"kind": "set_quota", "scope": "mining", "sites": ["NOWHERE"], "tonnes_per_year": 1}),
    ("chn", {"kind": "set_quota", "goods": [OX], "destination": "XXX", "tonnes_per_year": 1}),
    ("chn", {"kind": "embargo", "goods": ["magnet"], "destination": "XXX"}),
    ("chn", {"kind": "embargo", "goods": ["magnet"], "destination": "USA", "leak": 1.5}),
    ("chn", {"kind": "set_control_list", "elements": ["Unobtainium"]}),
    ("chn", {"kind": "set_licence_dial", "share": 1.1}),
    ("chn", {"kind": "set_licence_dial", "destination": "XXX", "share": 0.5}),
    ("dod", {"kind": "stockpile_buy", "good": OX, "tonnes_per_week": 1.0, "limit_usd_per_kg": 0.0}),
    ("dod", {"kind": "stockpile_buy", "good": "conc_hill", "tonnes_per_week": 1.0, "limit_usd_per_kg": 10.0}),
    ("dod", {"kind": "stockpile_buy", "good": "cheese", "tonnes_per_week": 1.0, "limit_usd_per_kg": 10.0}),
    ("dod", {"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.1}),
    ("dod", {"kind": "offer_floor", "to": "miner", "good": OX, "floor_usd_per_kg": 60, "start": "2025-06-02"}),
    ("dod", {"kind": "offer_floor", "to": "separator", "good": OX, "floor_usd_per_kg": 60, "start": "when it suits"}),
    (
        "dod",
        {
            "kind": "offer_floor",
            "to": "separator",
            "good": OX,
            "floor_usd_per_kg": 60,
            "start": "2025-06-02",
            "years": -1,
        },
    ),
    ("miner", {"kind": "plan_output", "site": "SEP", "share": 0.5}),
    ("miner", {"kind": "plan_output", "site": "NOWHERE", "share": 0.5}),
    ("miner", {"kind": "plan_output", "site": "MINE", "share": 2.0}),
    ("miner", {"kind": "plan_output", "site": "MINE"}),
    ("miner", {"kind": "idle", "site": "SEP"}),
    ("miner", {"kind": "restart", "site": "MINE"}),
    ("miner", {"kind": "restart", "site": "NEW"}),
    ("miner", {"kind": "start_project", "site": "MINE"}),
    ("miner", {"kind": "start_project", "site": "NEW", "tonnes_per_year": 10}),
    ("miner", {"kind": "start_project", "site": "MINE", "tonnes_per_year": -5}),
    ("miner", {"kind": "start_project", "site": "MINE", "tonnes_per_year": INF}),
    ("miner", {"kind": "advance_project", "project": "P_NOWHERE"}),
    ("separator", {"kind": "advance_project", "project": "P_NEW"}),
    ("separator", {"kind": "cancel_project", "project": "P_NEW"}),
    ("miner", {"kind": "set_order", "good": OX, "cover_weeks": 3}),
    ("cars_usa", {"kind": "set_order", "good": OX, "cover_weeks": 3}),
    ("cars_usa", {"kind": "set_order", "good": "magnet_n"}),
    ("cars_usa", {"kind": "set_order", "good": "magnet_n", "cover_weeks": -1}),
    ("cars_usa", {"kind": "set_order", "good": "magnet_n", "cover_weeks": NAN}),
    ("cars_usa", {"kind": "set_order", "good": "magnet_n", "node": "JPN", "cover_weeks": 3}),
    ("cars_usa", {"kind": "hold", "good": "magnet_n", "share": 0.5}),
    ("magnet_maker", {"kind": "hold", "good": "magnet_n", "share": 2}),
    ("magnet_maker", {"kind": "hold", "good": OX, "share": 0.5}),
    ("magnet_maker", {"kind": "set_order", "good": "magnet_n", "side": "sell", "cover_weeks": 3}),
    ("hub", {"kind": "set_order", "good": OX, "cover_weeks": 3}),
    ("cars_usa", {"kind": "accept", "offer": "O99"}),
    ("cars_usa", {"kind": "accept", "offer": "from:nobody"}),
    ("cars_usa", {"kind": "reject", "offer": ""}),
    ("cars_usa", {"kind": "withdraw", "offer": "O99"}),
    ("cars_usa", {"kind": "terminate", "contract": "K_NONE"}),
    ("cars_jpn", {"kind": "terminate", "contract": "K_CARS"}),
    ("cars_usa", {"kind": "terminate", "contract": ""}),
    (
        "cars_usa",
        {
            "kind": "offer",
            "to": "magnet_maker",
            "side": "buy",
            "good": "magnet_n",
            "seller_node": "CHN",
            "buyer_node": "USA",
            "tonnes_per_year": 0,
            "start": "2025-06-02",
            "years": 1,
        },
    ),
    (
        "cars_usa",
        {
            "kind": "offer",
            "to": "magnet_maker",
            "side": "buy",
            "good": "magnet_n",
            "seller_node": "CHN",
            "buyer_node": "USA",
            "tonnes_per_year": 5,
            "start": "2020-06-02",
            "years": 1,
        },
    ),
    (
        "cars_usa",
        {
            "kind": "offer",
            "to": "cars_usa",
            "side": "buy",
            "good": "magnet_n",
            "seller_node": "CHN",
            "buyer_node": "USA",
            "tonnes_per_year": 5,
            "start": "2025-06-02",
            "years": 1,
        },
    ),
    (
        "cars_usa",
        {
            "kind": "offer",
            "to": "magnet_maker",
            "side": "buy",
            "good": "magnet_n",
            "seller_node": "JPN",
            "buyer_node": "USA",
            "tonnes_per_year": 5,
            "start": "2025-06-02",
            "years": 1,
        },
    ),
    (
        "cars_usa",
        {
            "kind": "offer",
            "to": "magnet_maker",
            "side": "buy",
            "good": "magnet_n",
            "seller_node": "CHN",
            "buyer_node": "USA",
            "tonnes_per_year": 5,
            "start": "2025-06-02",
            "years": 1,
            "price_rule": "fixed",
        },
    ),
]


@pytest.fixture(scope="module")
def calm_chain() -> World:
    return play(opened(chain()), 2)


@pytest.mark.parametrize("number", range(len(ILLEGAL)))
def test_what_makes_no_sense_is_refused_with_a_reason(number: int, calm_chain: World) -> None:
    actor, body = ILLEGAL[number]
    world, twin = calm_chain.fork(), calm_chain.fork()
    seen = len(world.record.commands)
    tick(world, {actor: [body]})
    tick(twin)
    row = world.record.commands[seen]
    assert (row["accepted"], row["actor"]) == (False, actor)
    assert len(row["reason"]) > 5
    for name in ("stock", "cash", "ref_dest", "plan"):
        assert np.array_equal(getattr(world.state, name), getattr(twin.state, name)), name


@pytest.mark.parametrize("kind", sorted({k for kinds in MAY.values() for k in kinds}))
def test_a_seat_may_only_do_what_its_kind_may(kind: str, calm_chain: World) -> None:
    """Each kind of command handed in by a seat of every kind: refused unless its kind may."""
    seats = {
        "chn": "state",
        "separator": "soe",
        "miner": "producer",
        "cars_usa": "oem",
        "dod": "defence",
        "hub": "trader",
    }
    for seat, seat_kind in seats.items():
        world = calm_chain.fork()
        tick(world, {seat: [{"kind": kind}]})
        accepted, reason = fate(world)
        assert not accepted
        if kind not in MAY[seat_kind]:
            body = {k: v for a, b in NOTHING.values() for k, v in b.items() if b["kind"] == kind}
            if body:
                tick(world, {seat: [body]})
                assert not fate(world)[0]
                assert seat_kind in fate(world)[1], reason


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "hold", "good": object(), "share": 0.5},
        {"kind": "hold", "good": "magnet_n", "share": np.float64(0.5), "x": np.arange(3)},
        {"kind": "nonsense", "when": date(2025, 1, 1)},
        {"kind": "hold", "good": b"magnet_n", "share": 1},
        {"kind": "hold", "good": {"a", "b"}, "share": NAN},
        {("a", "b"): 1, "kind": "hold"},
        object(),
        NAN,
    ],
    ids=["object", "array", "date", "bytes", "set", "tuple key", "bare object", "bare NaN"],
)
def test_refused_commands_of_any_make_can_be_written(body: Any, tmp_path: Path) -> None:
    """A student's file may hand in anything: it is refused, logged, and the log is valid JSON."""
    game = advanced(Game(chain(end=date(2025, 2, 3)), seed=1), 1)
    game.submit("magnet_maker", body)
    game.step()
    game.write(tmp_path / "run")
    rows = (tmp_path / "run" / "commands.jsonl").read_text(encoding="utf-8").splitlines()

    def no(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    last = [json.loads(row, parse_constant=no) for row in rows][-1]
    assert (last["actor"], last["accepted"]) == ("magnet_maker", False)


def test_too_many_commands_in_a_week_are_refused(calm_chain: World) -> None:
    world = calm_chain.fork()
    tick(
        world,
        {"usa": [{"kind": "set_tariff", "goods": ["magnet"], "origin": "CHN", "rate": 0.01 * i} for i in range(70)]},
    )
    rows = [c for c in world.record.commands if c["actor"] == "usa"]
    assert sum(c["accepted"] for c in rows) == 60
    assert not rows[-1]["accepted"]
    assert "60" in rows[-1]["reason"]


def test_a_strategy_that_answers_nonsense_is_told_so() -> None:
    class Wild:
        def decide(self, observation: Any, rng: Any) -> Any:
            return [None, {"kind": "conquer"}, {"kind": "idle", "site": "SEP"}, "idle"]

    game = Game(chain(strategies=True), seed=1, strategies={"miner": Wild()})
    advanced(game, 6)
    mine_ = [c for c in game.world.record.commands if c["actor"] == "miner"]
    assert len(mine_) >= 4
    assert not any(c["accepted"] for c in mine_)


# ---- no peeking -----------------------------------------------------------------------------------------
FUTURE = date(2025, 9, 1)


def future_of(what: WorldSpec, kind: str) -> WorldSpec:
    """The same world with one more row dated September 2025."""
    row, tax = what.tariffs[0], what.export_taxes[0]
    k_new = contract("K_ZZZ", "magnet_maker", "cars_usa", 10.0, good="magnet_uh", start=FUTURE)
    rows: dict[str, Any] = {
        "events": event(FUTURE, "usa", kind="set_tariff", goods=["all"], origin="CHN", rate=2.0),
        "tariffs": row.model_copy(update={"rate": 1.0, "valid_from": FUTURE, "legal_basis": "new"}),
        "export_taxes": tax.model_copy(update={"duty_rate": 0.5, "good_class": "magnet", "valid_from": FUTURE}),
        "contracts": k_new,
    }
    return what.model_copy(update={kind: [*getattr(what, kind), rows[kind]]})


@pytest.mark.parametrize("kind", ["events", "tariffs", "export_taxes", "contracts"])
def test_the_future_changes_no_past(kind: str) -> None:
    """An event, a tariff, a tax or a contract of September: until August everything is the same bit for bit, though
    other dated rows come into force in between.  When it comes, it matters."""
    row = busy().tariffs[0]
    steps = [
        row.model_copy(update={"rate": 0.01 * i, "valid_from": date(2025, 1 + i, 3), "legal_basis": f"b{i}"})
        for i in range(1, 7)
    ]
    what = busy(tariffs=[row, *steps])
    games = [Game(w, seed=1).run(until="2025-08-18") for w in (what, future_of(what, kind))]
    for name in ("prices", "flows", "stocks", "payments", "use"):
        assert games[0].frame(name).equals(games[1].frame(name)), name
    assert np.array_equal(games[0].world.state.tariff, games[1].world.state.tariff)
    for game in games:
        advanced(game, 6)
    assert not games[0].frame("flows").equals(games[1].frame("flows"))


def test_the_end_of_the_scenario_changes_no_past() -> None:
    hashes = {
        Game(busy(end=end), seed=1).run(until="2025-06-30").world.state_hash()
        for end in (date(2025, 7, 7), date(2031, 1, 6))
    }
    assert len(hashes) == 1


def test_the_future_of_the_baseline_changes_no_past(baseline_run: Run) -> None:
    """Without the controls of April the first twelve weeks are the same; so they are with a tariff of 2027 added."""
    what = load_scenario("baseline")
    far = date(2027, 3, 1)
    cut = what.model_copy(update={"events": [e for e in what.events if e.date < date(2025, 4, 1)]})
    more = what.model_copy(
        update={
            "tariffs": [
                *what.tariffs,
                what.tariffs[0].model_copy(update={"rate": 5.0, "valid_from": far, "valid_to": None}),
            ]
        }
    )
    hashes = {Game(w, seed=1).run(until="2025-01-13").world.state_hash() for w in (cut, more)}
    assert hashes == {baseline_run.forks[2].world.state_hash()}


HIDDEN = ("cash", "debt", "plant", "retained", "equity_in", "sales_year", "quarter_book", "dry_weeks")


def test_nobody_sees_anothers_books(baseline_run: Run) -> None:
    """Another firm's money changed by hand: every other seat's document is the same to the letter."""
    game = baseline_run.forks[16]
    parties = game.world.structure.parties
    seats = ["usa", "chn", "mp_materials", "dod", "china_northern", "gm", "jare", "shin_etsu"]
    plain = {s: json.dumps(observe(game.world, s).document(), sort_keys=True) for s in seats}
    for victim in ("lynas", "creg", "toyota", "jpn"):
        twin = game.world.fork()
        i = parties.index[victim]
        for name in HIDDEN:
            getattr(twin.state, name)[i] += 12345.678
        own_sites = twin.structure.site_party == i
        twin.state.margin[own_sites[twin.structure.r_site]] += 7.0
        twin.state.plan_override[own_sites] = 0.123
        mine_ = twin.structure.holder_party == i
        twin.state.stock[mine_] *= 1.01
        for seat in seats:
            assert json.dumps(observe(twin, seat).document(), sort_keys=True) == plain[seat], (victim, seat)
    own = game.world.fork()
    own.state.cash[parties.index["usa"]] += 1.0
    assert json.dumps(observe(own, "usa").document(), sort_keys=True) != plain["usa"]


def test_cash_of_another_firm_in_the_spec_is_unseen() -> None:
    what = busy()
    richer = what.model_copy(
        update={
            "parties": [
                p.model_copy(update={"cash_usd": p.cash_usd + 1e6}) if p.code == "miner" else p for p in what.parties
            ]
        }
    )
    one, two = (advanced(Game(w, seed=1), 4) for w in (what, richer))
    for seat in ("separator", "usa", "dod", "cars_jpn"):
        assert one.observe(seat).document() == two.observe(seat).document(), seat
    assert one.observe("miner").document() != two.observe("miner").document()


def test_private_offers_are_seen_by_two_only() -> None:
    world = play(opened(chain()), 2)
    twin = world.fork()
    tick(
        twin,
        {
            "dod": [
                {"kind": "offer_floor", "to": "separator", "good": OX, "floor_usd_per_kg": 60, "start": "2025-06-02"}
            ]
        },
    )
    tick(world)
    for seat in ("usa", "miner", "cars_usa"):
        assert observe(twin, seat).document() == observe(world, seat).document(), seat
    for seat in ("dod", "separator"):
        assert observe(twin, seat).document() != observe(world, seat).document(), seat


def test_the_document_is_plain_data(baseline_run: Run) -> None:
    """JSON without NaN, and no way back into the world: what a seat does to its document changes nothing."""
    game = baseline_run.forks[26]
    before = game.world.state_hash()

    def spoil(value: Any) -> None:
        if isinstance(value, dict):
            for item in list(value.values()):
                spoil(item)
            value.clear()
        elif isinstance(value, list):
            for item in value:
                spoil(item)
            value.clear()

    for seat in ("chn", "usa", "dod", "mp_materials", "gm"):
        document = game.observe(seat).document()
        json.dumps(document, allow_nan=False)
        assert set(document) >= {
            "party",
            "me",
            "sites",
            "stocks",
            "contracts",
            "mail",
            "quotes",
            "policy",
            "news",
            "calendar",
            "limits",
        }
        spoil(document)
    assert game.world.state_hash() == before


def test_one_seat_cannot_spoil_what_another_sees(chain_run: Run) -> None:
    """Published values are worked out once a week; a strategy that writes into its copy writes into its copy only."""
    game = chain_run.forks[20].fork()
    game.step()
    plain = json.dumps(observe(game.world.fork(), "usa").document(), sort_keys=True)
    first = game.observe("chn")
    first.quotes[OX]["domestic"] = 1e9
    first.news.clear()
    first.policy.clear()
    assert json.dumps(game.observe("usa").document(), sort_keys=True) == plain


# ---- odd input ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        lambda tmp: Game("no_such_scenario"),
        lambda tmp: Game(tmp / "missing.toml"),
        lambda tmp: Game("one_mine_one_buyer", overrides={"nonsense": "1"}),
        lambda tmp: Game("one_mine_one_buyer", overrides={"site.MINE.nameplate_t": "-5"}),
        lambda tmp: Game("one_mine_one_buyer", overrides={"site.MINE.nameplate_t": "nan"}),
        lambda tmp: Game("one_mine_one_buyer", strategies={"nobody": "quiet"}),
        lambda tmp: Game("one_mine_one_buyer", strategies={"miner": "no_such_strategy"}),
        lambda tmp: Game("one_mine_one_buyer", tables=["prices", "gossip"]),
        lambda tmp: Game("one_mine_one_buyer", commands=tmp / "missing.jsonl"),
        lambda tmp: Game("one_mine_one_buyer", replay=tmp / "missing.jsonl"),
        lambda tmp: Game("one_mine_one_buyer").frame("gossip"),
        lambda tmp: Game("one_mine_one_buyer").submit("nobody", {"kind": "idle", "site": "MINE"}),
        lambda tmp: Game("one_mine_one_buyer").rewind(-1),
        lambda tmp: Game("one_mine_one_buyer").rewind(1),
        lambda tmp: Game("one_mine_one_buyer").run(until="next year"),
        lambda tmp: Game("one_mine_one_buyer").explain("cheese", "2025-03-03"),
        lambda tmp: Game("one_mine_one_buyer").explain(OX, "2025-03-03"),
        lambda tmp: Game("one_mine_one_buyer", seed=-1),
        lambda tmp: Game.load(tmp / "missing.game"),
    ],
    ids=[
        "scenario",
        "scenario file",
        "override",
        "negative",
        "nan",
        "seat",
        "strategy",
        "table",
        "commands",
        "replay",
        "frame",
        "submit",
        "rewind before",
        "rewind ahead",
        "until",
        "explain good",
        "explain day",
        "seed",
        "load",
    ],
)
def test_odd_input_gives_one_clear_error(call: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        call(tmp_path)
    assert len(str(caught.value)) > 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{not json}\n", 1),
        (
            '{"kind": "idle", "actor": "miner", "date": "2025-02-03", "body": {"kind": "idle", "site": "MINE"}}\n'
            '{"kind": "idle"\n',
            2,
        ),
        ('{"kind": "idle", "date": "2025-02-03"}\n', 1),
        ('{"kind": "idle", "actor": "miner"}\n', 1),
        ('{"kind": "idle", "actor": "miner", "date": "the third"}\n', 1),
        ('{"kind": "idle", "actor": "miner", "date": "2020-02-03"}\n', 1),
        ('["a", "list"]\n', 1),
    ],
    ids=["not json", "cut off", "no actor", "no date", "bad date", "too early", "a list"],
)
def test_a_bad_command_log_names_file_and_line(text: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Game("one_mine_one_buyer", commands=path)
    assert "log.jsonl" in str(caught.value)
    assert str(line) in str(caught.value)


def test_a_file_that_is_no_game_is_refused(tmp_path: Path) -> None:
    for name, content in (("text", b"hello"), ("empty", b""), ("pickle", b"\x80\x04K\x01.")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=name):
            Game.load(path)


def test_results_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    game = advanced(Game("two_elements_one_ore"), 3)
    target = tmp_path / "run"
    target.mkdir()
    (target / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises((InputError, OSError)):
        game.write(target)
    assert [p.name for p in tmp_path.rglob("*")] == ["run", "mine.txt"]
    game.write(tmp_path / "new")
    assert (tmp_path / "new" / "manifest.json").exists()


@pytest.mark.parametrize("name", ["one_mine_one_buyer", "quota_between", "two_elements_one_ore"])
def test_teaching_worlds_run_to_their_end(name: str, tmp_path: Path) -> None:
    game = Game(name, seed=0)
    game.run()
    assert game.week == game.weeks_total
    gaps = game.write(tmp_path / "run")["largest_gap"]
    assert gaps["mass"] < 1e-9
    assert gaps["money"] < 1e-9
    assert game.summary()["prices"]


def test_worlds_of_almost_nothing_live() -> None:
    """No users, no sites, no lanes, no parties to trade: nothing to do is not an error."""
    for what in (
        one_good(uses=[]),
        one_good(sites=[]),
        one_good(lanes=[]),
        one_good(sites=[], uses=[], lanes=[]),
        one_good(uses=[use("use_chn", "maker_chn", "CHN", {OX: 0.0})]),
        one_good(sites=[mine(t=0.0, nameplate=0.0)]),
    ):
        world = play(opened(what), 8)
        assert (world.state.stock >= 0).all()


def test_contracts_without_a_seller_or_buyer_are_faults_of_the_scenario() -> None:
    """An offtake that nobody can fill is named when the world is built, not when it is settled."""
    for bad in (
        contract("K", "maker_usa", "miner", 100.0),
        contract("K", "miner", "maker_usa", 100.0, buyer_node="CHN"),
    ):
        with pytest.raises(InputError, match="K"):
            build_world(one_good(contracts=[bad]))


def test_a_plant_and_its_lane(tmp_path: Path) -> None:
    """Smoke: oxide at home, metal abroad; a plant may stand anywhere a lane leads."""
    what = one_good(
        goods=[oxide(), *[g for g in chain().goods if g.code == "ndpr_metal"]],
        parties=[*one_good().parties, party("smelter", place="USA")],
        sites=[mine(), plant("MET", "smelter", "metal", {OX: 1.2}, {"ndpr_metal": 1.0}, 400.0, node="USA")],
        lanes=[lane("CHN", "USA", 4)],
    )
    world = play(opened(what), 20)
    assert table(world, "process").query("site == 'MET' and tonnes > 0")["tonnes"].sum() > 0


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "stockpile_buy", "good": OX, "tonnes_per_week": 1e12, "limit_usd_per_kg": 100.0},
        {"kind": "stockpile_buy", "good": OX, "tonnes_per_week": 1.0, "limit_usd_per_kg": 1e9},
        {"kind": "stockpile_release", "good": OX, "tonnes_per_week": 1e12},
        {"kind": "set_order", "good": OX, "tonnes_per_week": 1e12},
        {"kind": "set_quota", "tonnes_per_year": 1e12},
        {"kind": "set_price_target", "good": OX, "price_usd_per_kg": 1e9},
        {"kind": "set_tariff", "goods": [OX], "origin": "CHN", "rate": 1e3},
        {"kind": "set_duty", "goods": [OX], "rate": 1e3},
        {"kind": "start_project", "site": "MINE", "tonnes_per_year": 1e12},
    ],
)
def test_commands_have_ceilings(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="less than or equal to"):
        parse_command(body)
