"""Default strategies on scripted observations: what they do, and what they leave."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents import BUILT_IN, Game, load_strategy
from agents.strategies.market_power import Doctrine
from agents.strategies.market_power import Strategy as MarketPower
from env import MAY, InputError

RNG = np.random.default_rng(0)


def view(**blocks: Any) -> Any:
    """A scripted observation: the blocks a test names, empty ones otherwise."""
    empty: dict[str, Any] = {
        "party": "x", "me": {"cash_usd": 1e9, "node": "CHN"}, "sites": [], "orders": [], "contracts": [], "mail": [],
        "quotes": {}, "policy": [], "news": [], "calendar": {"date": "2026-06-01", "week": 73},
        "limits": {"commands": []}, "history": {},
    }  # fmt: skip
    return SimpleNamespace(**(empty | blocks))


def site(**changes: Any) -> dict[str, Any]:
    """A healthy plant."""
    row: dict[str, Any] = {
        "site": "S", "stage": "metal", "node": "JPN", "running": True, "restarting": False, "ramp": 1.0,
        "nameplate_t": 1000.0, "capability_t_per_week": 19.0, "throughput_t_per_week": 12.0,
        "margin_usd_per_kg": 1.0, "margin_now_usd_per_kg": 1.0, "usual_margin_usd_per_kg": 0.0,
        "turnover_usd_per_kg": 10.0, "fixed_cost_usd_per_week": 1e5, "planned_share": None, "stock_weeks": 2.0,
        "project": None,
    }  # fmt: skip
    return row | changes


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_has_a_card_and_answers_an_empty_view(name: str) -> None:
    strategy = load_strategy(name)
    assert strategy.card.name == name
    assert strategy.decide(view(), RNG) == []


def test_margin_keeper_idles_only_in_deep_loss_without_cash() -> None:
    keeper = load_strategy("margin_keeper")
    loss = site(margin_usd_per_kg=-4.0)
    assert [c.kind for c in keeper.decide(view(sites=[loss], me={"cash_usd": 1e5}), RNG)] == ["idle"]
    assert keeper.decide(view(sites=[loss], me={"cash_usd": 1e9}), RNG) == []
    assert keeper.decide(view(sites=[site(margin_usd_per_kg=-1.0)], me={"cash_usd": 1e5}), RNG) == []


def test_margin_keeper_restarts_when_it_pays() -> None:
    keeper = load_strategy("margin_keeper")
    idle = site(running=False, throughput_t_per_week=0.0)
    assert [c.kind for c in keeper.decide(view(sites=[idle]), RNG)] == ["restart"]
    assert keeper.decide(view(sites=[idle | {"margin_now_usd_per_kg": 0.1}]), RNG) == []
    assert keeper.decide(view(sites=[idle | {"restarting": True}]), RNG) == []


def test_investment_decision_follows_value() -> None:
    keeper = load_strategy("margin_keeper")
    project = {
        "id": "P",
        "stage": "finance",
        "decision_due": True,
        "budget_usd": 1e8,
        "spent_usd": 0.0,
        "tonnes_per_year": 2000.0,
    }
    rich = site(running=False, margin_now_usd_per_kg=30.0, project=project)
    poor = site(running=False, margin_now_usd_per_kg=1.0, project=project)
    assert [c.kind for c in keeper.decide(view(sites=[rich]), RNG)] == ["advance_project"]
    assert keeper.decide(view(sites=[poor]), RNG) == []
    assert keeper.decide(view(sites=[rich | {"project": project | {"decision_due": False}}]), RNG) == []


def test_state_enterprise_builds_where_a_private_firm_would_not() -> None:
    full = site(throughput_t_per_week=16.2, margin_usd_per_kg=0.0)
    assert load_strategy("margin_keeper").decide(view(sites=[full]), RNG) == []
    assert [c.kind for c in load_strategy("state_enterprise").decide(view(sites=[full]), RNG)] == ["start_project"]


def test_cover_keeper_raises_cover_with_risk_and_only_then() -> None:
    keeper = load_strategy("cover_keeper")
    row = {"good": "magnet_n", "node": "EUU", "base_target_weeks": 4.0, "target_weeks": 4.0, "risk": 0.0}
    assert keeper.decide(view(orders=[row]), RNG) == []
    (order,) = keeper.decide(view(orders=[row | {"risk": 1.0}]), RNG)
    assert order.kind == "set_order"
    assert order.cover_weeks > 4.0


def test_china_eases_in_peace_and_tightens_for_those_who_raised_tariffs() -> None:
    rules = [
        {"rule": "R1", "kind": "set_control_list", "actor": "chn", "start_week": 0, "terms": {"elements": ["Dy"]}},
        {"rule": "R2", "kind": "set_licence_dial", "actor": "chn", "start_week": 0,
         "terms": {"destination": "USA", "end_use_class": "civil", "share": 0.5}},
    ]  # fmt: skip
    peace = view(party="chn", policy=rules)
    (eased,) = [c for c in MarketPower().decide(peace, RNG) if c.kind == "set_licence_dial"]
    assert eased.share > 0.5
    war = view(
        party="chn", policy=rules, news=[{"kind": "tariff", "actors": ["usa"], "target": "CHN", "week": 70, "text": ""}]
    )
    shares = [
        c.share
        for s in range(40)
        for c in MarketPower().decide(war, np.random.default_rng(s))
        if c.kind == "set_licence_dial"
    ]
    assert min(shares) < 0.5


def test_zero_weights_mean_no_action() -> None:
    quiet = MarketPower(Doctrine(leverage=0.0, stockpile_t_per_week=0.0))
    rules = [{"rule": "R1", "kind": "set_control_list", "actor": "chn", "start_week": 0, "terms": {"elements": ["Dy"]}}]
    history = {"ndpr_oxide": {"domestic_year_mean": 50.0}}
    assert (
        quiet.decide(view(party="chn", policy=rules, history=history, quotes={"ndpr_oxide": {"domestic": 90.0}}), RNG)
        == []
    )


def test_a_strategy_file_plays_a_seat_and_a_bad_one_is_named(tmp_path: Any) -> None:
    good = tmp_path / "frugal.py"
    good.write_text(
        "def decide(observation, rng):\n"
        "    return [{'kind': 'set_order', 'good': 'ndpr_oxide', 'rule': 'cover', 'cover_weeks': 2}]\n"
    )
    game = Game("one_mine_one_buyer", strategies={"maker": str(good)})
    game.run(until="2025-06-30")
    own = [c for c in game.world.record.commands if c["actor"] == "maker"]
    assert own
    assert all(c["accepted"] for c in own)
    bad = tmp_path / "bad.py"
    bad.write_text("x = 1\n")
    with pytest.raises(InputError, match=r"bad\.py"):
        Game("one_mine_one_buyer", strategies={"maker": str(bad)})


def test_default_seats_send_only_what_their_kind_may() -> None:
    game = Game("baseline", seed=5).run(until="2025-09-29")
    kinds = dict(zip(game.world.structure.parties.codes, game.world.structure.party_kind, strict=True))
    for row in game.world.record.commands:
        assert row["kind"] in MAY[kinds[row["actor"]]]
    refused = [r for r in game.world.record.commands if not r["accepted"]]
    assert refused == []


def test_five_kinds_of_actors_decide() -> None:
    game = Game("baseline", seed=5).run(until="2026-03-30")
    kinds = dict(zip(game.world.structure.parties.codes, game.world.structure.party_kind, strict=True))
    seated = {type(s).__name__ for s in game.seats}
    assert {"State", "Soe", "Producer", "OemBuyer", "Defence"} <= seated
    acted = {kinds[r["actor"]] for r in game.world.record.commands if r["origin"] == "strategy"}
    assert {"state", "oem"} <= acted
    assert acted & {"soe", "producer", "aggregate"}
    assert acted & {"defence", "agency"}
