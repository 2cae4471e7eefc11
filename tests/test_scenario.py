"""Scenario files: inheritance, overrides, hashes and line numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from env.errors import InputError
from env.scenario import (
    SCENARIOS,
    check_scenario,
    index_lines,
    list_scenarios,
    load_scenario,
    scenario_hash,
)
from env.spec import WorldSpec

SHIPPED = ["baseline", "one_mine_one_buyer", "quota_between", "still", "two_elements_one_ore"]


@pytest.fixture(scope="module")
def baseline() -> WorldSpec:
    return load_scenario("baseline")


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_scenarios_are_listed_and_sound() -> None:
    found = list_scenarios()
    assert set(SHIPPED) <= {info.name for info in found}
    for info in found:
        assert info.title
        assert info.description
        assert check_scenario(info.path) == []


def test_baseline_is_the_present_day(baseline: WorldSpec) -> None:
    assert (baseline.start, baseline.end) == (date(2025, 1, 6), date(2035, 12, 31))
    assert baseline.start.weekday() == 0
    assert baseline.burn_in_weeks == 52
    assert not baseline.constant_demand
    assert baseline.strategies
    assert len(baseline.nodes) == 17
    assert {party.code for party in baseline.parties} >= {"chn", "usa", "mp_materials", "lynas", "dod", "jare", "gm"}


def test_still_is_the_baseline_without_movement(baseline: WorldSpec) -> None:
    still = load_scenario("still")
    assert still.constant_demand
    assert not still.strategies
    assert still.events == []
    assert still.sites == baseline.sites
    assert still.title != baseline.title


@pytest.mark.parametrize("name", ["one_mine_one_buyer", "two_elements_one_ore", "quota_between"])
def test_teaching_worlds_are_small(name: str) -> None:
    spec = load_scenario(name)
    assert len(spec.sites) <= 3
    assert len(spec.nodes) <= 2
    text = (SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")
    assert "# Idea:" in text


def test_quota_is_a_command_of_a_party() -> None:
    (event,) = load_scenario("quota_between").events
    assert event.command["kind"] == "set_quota"
    assert event.actor == "chn"


# ---------------------------------------------------------------- overrides


def test_options_and_dates() -> None:
    spec = load_scenario("one_mine_one_buyer", {"demand": "low", "end": "2026-01-05", "strategies": "false"})
    assert spec.demand_variant == "low"
    assert not spec.constant_demand
    assert spec.end == date(2026, 1, 5)
    assert not spec.strategies


def test_rows() -> None:
    spec = load_scenario(
        "one_mine_one_buyer",
        {
            "site.MINE.nameplate_t": "900",
            "use.magnets.goods_t.ndpr_oxide": 800,
            "party.miner.soft_budget": True,
            "good.ndpr_oxide.base_price_usd_per_kg": "60",
        },
    )
    assert spec.sites[0].nameplate_t == 900.0
    assert spec.uses[0].goods_t == {"ndpr_oxide": 800.0}
    assert spec.parties[0].soft_budget
    assert spec.goods[0].base_price_usd_per_kg == 60.0


def test_parameters_by_either_name() -> None:
    assert load_scenario("one_mine_one_buyer", {"index.d": "0.8"}).parameters["index.d"] == 0.8
    assert load_scenario("one_mine_one_buyer", {"parameters.index.d": 0.8}).parameters["index.d"] == 0.8
    by_prior = load_scenario("one_mine_one_buyer", {"substitution.smax.all": 0.05})
    assert by_prior.parameters == {"thrift.smax": 0.05}


def test_all_wrong_overrides_are_reported() -> None:
    with pytest.raises(InputError) as caught:
        load_scenario("still", {"demand": "lots", "nonsense": "1", "index.d": "x"})
    assert len(caught.value.faults) == 3


# ---------------------------------------------------------------- inheritance


def test_derived_file_changes_and_adds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
base = "one_mine_one_buyer"
end = 2026-01-05

[options]
demand = "base"

[parameters]
index.d = 0.8
"thrift.smax" = 0.02

[set]
site.MINE.nameplate_t = 1000

[[nodes]]
code = "USA"
""",
    )
    spec = load_scenario(path)
    assert spec.name == "mine"
    assert spec.end == date(2026, 1, 5)
    assert not spec.constant_demand
    assert spec.parameters == {"index.d": 0.8, "thrift.smax": 0.02}
    assert spec.sites[0].nameplate_t == 1000.0
    assert [node.code for node in spec.nodes] == ["AUS", "JPN", "USA"]


def test_base_may_be_a_file_beside_it(tmp_path: Path) -> None:
    write(tmp_path, 'base = "still"\n[parameters]\nindex.d = 0.8\n', "first.toml")
    spec = load_scenario(write(tmp_path, 'base = "first.toml"\n[parameters]\nthrift.smax = 0.02\n', "second.toml"))
    assert (spec.parameters["index.d"], spec.parameters["thrift.smax"]) == (0.8, 0.02)
    assert spec.constant_demand


EVENT = """
[[events]]
date = 2026-01-05
actor = "chn"
[events.command]
kind = "set_quota"
scope = "export"
goods = ["ndpr_oxide"]
tonnes_per_year = 100
"""


def test_dated_events_can_be_left_out(tmp_path: Path) -> None:
    """A file that switches dated events off drops those it inherits and keeps its own."""
    added = write(tmp_path, 'base = "quota_between"\n' + EVENT, "added.toml")
    alone = write(tmp_path, 'base = "quota_between"\n[options]\ndated_events = false\n' + EVENT, "alone.toml")
    later = write(tmp_path, 'base = "alone.toml"\n' + EVENT.replace("100", "50"), "later.toml")
    assert len(load_scenario(added).events) == 2
    assert [event.date for event in load_scenario(alone).events] == [date(2026, 1, 5)]
    assert [event.command["tonnes_per_year"] for event in load_scenario(later).events] == [100, 50]
    assert load_scenario(added, {"dated_events": "false"}).events == []
    assert len(load_scenario(later, {"dated_events": "true"}).events) == 3


# ---------------------------------------------------------------- hashes and lines


def test_hash_says_what_the_world_is(tmp_path: Path) -> None:
    first = scenario_hash(load_scenario("one_mine_one_buyer"))
    assert first == scenario_hash(load_scenario("one_mine_one_buyer"))
    assert first != scenario_hash(load_scenario("one_mine_one_buyer", {"site.MINE.nameplate_t": 900}))
    text = (SCENARIOS / "one_mine_one_buyer.toml").read_text(encoding="utf-8")
    renamed = write(tmp_path, text.replace('title = "One mine', 'title = "A mine'), "copy.toml")
    assert first == scenario_hash(load_scenario(renamed))


def test_lines_of_tables_and_keys() -> None:
    lines = index_lines(
        """name = "x"
text = '''
[[sites]]
code = "not a key"
'''
[options]  # switches
demand = "low"
[[sites]]
code = "A"
[[sites.recipes]]
batch = "a"
[[sites.recipes]]
batch = "b"
[[sites]]
code = "B"
[[sites.recipes]]
batch = "c"
[parameters]
index.d = 0.8
"thrift.smax" = 0.1
"""
    )
    assert lines["name",] == 1
    assert lines["options", "demand"] == 7
    assert lines["sites", 0, "code"] == 9
    assert lines["sites", 0, "recipes", 1, "batch"] == 13
    assert lines["sites", 1, "code"] == 15
    assert lines["sites", 1, "recipes", 0, "batch"] == 17
    assert lines["parameters", "index.d"] == 19
    assert lines["parameters", "thrift.smax"] == 20
    assert ("sites", 2) not in lines


def test_faults_of_fact_rows_are_named_by_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A row that comes from the tables has no line in the scenario file; its code must do."""
    path = write(tmp_path, 'base = "baseline"\n[[sites]]\ncode = "MIN_USA_MP"\nparty = "mp_materials"\nnode = "USA"\n'
                 'stage = "mine"\nnameplate_t = 1\n')  # fmt: skip
    (fault,) = check_scenario(path)
    assert (fault.file, fault.line, fault.row) == ("mine.toml", 3, "sites MIN_USA_MP")
