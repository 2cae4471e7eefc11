"""Broken scenarios, tables, logs and command lines: exit code 2, a message that says where and what to do.

Scenario files state what they expect in comments (`# expect: <regex>`); tables are the shipped ones with
one patch each; command lines are lists.  Nothing may be written and no traceback shown.
"""

# ruff: noqa: E501  one case a line: the messages looked for are long

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import env.facts
from experiments.cli import main

HERE = Path(__file__).parent / "bad_input"
SCENARIOS = sorted((HERE / "scenarios").glob("*.toml"))
LOGS = HERE / "logs"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line in an empty folder; afterwards the folder must hold what it held before."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        before = sorted(tmp_path.rglob("*"))
        result = CliRunner().invoke(main, list(arguments))
        assert "Traceback" not in result.output
        assert sorted(tmp_path.rglob("*")) == before, "something was written"
        return result

    return run


def assert_faults(result: Result, expected: list[str], code: int = 2) -> None:
    """The exit code, each expected message, and a remedy in every line that names a fault."""
    assert result.exit_code == code, result.output
    for pattern in expected:
        assert re.search(pattern, result.stderr), f"{pattern}\nnot in\n{result.stderr}"
    assert result.stdout == ""
    if code == 2:
        for line in result.stderr.splitlines():
            if line and not line.startswith(("Usage:", "Try ")) and "nothing was written" not in line:
                assert "; " in line, f"no remedy: {line}"


# ---------------------------------------------------------------- scenario files


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_file(path: Path, cli: Callable[..., Result]) -> None:
    expected = re.findall(r"^# expect: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert expected, "a broken file must say what it expects"
    assert_faults(cli("run", str(path), "--out", "out"), expected)
    assert_faults(cli("scenarios", "check", str(path)), expected)


def test_faults_come_all_at_once(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "many.toml").write_text(
        'base = "one_mine_one_buyer"\nstat = 1\n[[lanes]]\norigin = "aus"\ndestination = "JPN"\ntransit_weeks = -1\n'
    )
    result = cli("scenarios", "check", "many.toml")
    assert result.exit_code == 2
    assert "many.toml line 2, field stat" in result.stderr
    assert "many.toml line 4" in result.stderr
    assert "many.toml line 6" in result.stderr
    assert "3 faults; nothing was written" in result.stderr


# ---------------------------------------------------------------- fact tables


@dataclass(frozen=True)
class Patch:
    """One change to a shipped table: the first `old` becomes `new` (`old` empty: the file is removed)."""

    name: str
    file: str
    old: str
    new: str
    expected: str


PATCHES = (
    Patch(
        "text_for_number", "sites.csv", "mountain_pass,50700,", "mountain_pass,abc,",
        r"sites\.csv line \d+ \(MIN_USA_MP\), field nameplate_t: 'abc' is not a number; "
        r"write tonnes a year, for instance 50700",
    ),
    Patch("nan", "lanes.csv", "CHN,USA,sea,4.0,", "CHN,USA,sea,nan,",
          r"lanes\.csv line 2 \(CHN / USA\), field transit_weeks: 'nan' is not a finite number; write weeks"),
    Patch("infinite", "priors.csv", "applications a week,260,", "applications a week,inf,",
          r"priors\.csv line 2 .*field value: 'inf' is not a finite number; write a number"),
    Patch("negative", "quotas.csv", "2005,export,year,65609,", "2005,export,year,-65609,",
          r"quotas\.csv line 2 \(2005 / export / year\), field total_t_reo: '-65609' is below 0; write tonnes a year"),
    Patch("share_above_one", "initial_contracts.csv", ",0.95,,\"take-or-pay", ",95,,\"take-or-pay",
          r"initial_contracts\.csv line 2 \(K_MP_SHENGHE\), field min_take_share: '95' is above 1; write a share from 0"),
    Patch("positive_elasticity", "other_uses_2025.csv", ",2,-0.15,-0.27,-0.06,", ",2,0.15,-0.27,-0.06,",
          r"other_uses_2025\.csv line 2 .*elasticity_short_run: '0\.15' is above 0; write an elasticity, 0 or less"),
    Patch("unknown_stage", "sites.csv", "CHN,CHN,mine,ore", "CHN,CHN,mines,ore",
          r"sites\.csv line 2 \(MIN_CHN_BO\), field stage: 'mines' is not one of .*; did you mean 'mine'\?"),
    Patch("unknown_confidence", "trade.csv", "EconoTimes 2025 (derived),medium", "EconoTimes 2025 (derived),sure",
          r"trade\.csv line 2 .*field confidence: 'sure' is not one of 'high', 'medium' or 'low'; write one of them"),
    Patch("no_source", "quotas.csv", "memory: TMR (Hatch) and WTO DS431 exhibit series", "",
          r"quotas\.csv line 2 .*field source: is blank; write a text"),
    Patch("unknown_firm", "sites.csv", "MIN_USA_MP,MP Materials,", "MIN_USA_MP,MP Material,",
          r"sites\.csv line \d+ \(MIN_USA_MP\), field firm: 'MP Material' is not in column firm of parties\.csv; "
          r"did you mean 'MP Materials'\?"),
    Patch("unknown_node", "lanes.csv", "CHN,USA,sea", "CHN,XXA,sea",
          r"lanes\.csv line 2 .*field destination: 'XXA' is not in market_nodes\.csv; "),
    Patch("unknown_basket", "sites.csv", "concentrate,bayan_obo,200000", "concentrate,bayan_ob,200000",
          r"sites\.csv line 2 \(MIN_CHN_BO\), field basket_key: 'bayan_ob' .*did you mean 'bayan_obo'\?"),
    Patch("unknown_good", "sites.csv", "concentrate,La;Ce;NdPr oxide;SEG+,bayan_obo", "concentrate,La;Xe oxide,bayan_obo",
          r"sites\.csv line \d+ \(SEP_CHN_NRE\), field good_out: 'Xe' is not a known good; "),
    Patch("unknown_priced_good", "base_prices_2025.csv", "NdPr oxide,CHN,domestic", "NdPrr oxide,CHN,domestic",
          r"base_prices_2025\.csv line 2 .*field good: 'NdPrr oxide' is not a known good; did you mean 'NdPr'\?"),
    Patch("wrong_unit", "base_prices_2025.csv", "USD/kg oxide,398000", "yuan/t oxide,398000",
          r"base_prices_2025\.csv line 2 .*field unit: 'yuan/t oxide' has the wrong form; write the unit .*USD/kg oxide"),
    Patch("unit_of_another_stage", "sites.csv", "200000,t TREO in concentrate a year", "200000,t metal a year",
          r"sites\.csv line 2 \(MIN_CHN_BO\), field nameplate_unit: 't metal a year' does not fit the stage mine; state"),
    Patch("range_reversed", "priors.csv", "applications a week,260,150,450", "applications a week,260,450,150",
          r"priors\.csv line 2 .*field value: 260 is outside its range 450\.0 to 150\.0 .*; order the cells"),
    Patch("basket_not_100", "baskets_2025.csv", "mountain_pass,La,33.237", "mountain_pass,La,43.237",
          r"baskets_2025\.csv line \d+ .*pct_of_treo: the values of mountain_pass add up to 110, not 100; scale them"),
    Patch("grades_not_one", "end_use_place_2025.csv", "17.4,6.3,0.0285,", "17.4,6.3,0.5285,",
          r"end_use_place_2025\.csv line 2 .*EV traction / CHN add up to 1\.5, not 1; scale them"),
    Patch("buyers_not_one", "buyers.csv", "EV traction,USA,gm,0.17", "EV traction,USA,gm,0.57",
          r"buyers\.csv line \d+ .*field share: the values of EV traction / USA add up to 1\.4, not 1; scale them"),
    Patch("nobody_buys", "buyers.csv", "EV traction,CHN,ev_makers_chn,1,estimate,project estimate,low\n", "",
          r"buyers\.csv \(EV traction / CHN\), field end_use: nobody buys 'EV traction' at CHN; add a row"),
    Patch("unknown_buyer", "buyers.csv", "EV traction,USA,gm,", "EV traction,USA,GM,",
          r"buyers\.csv line \d+ .*field party: 'GM' has the wrong form; write lower-case letters"),
    Patch("lane_to_itself", "lanes.csv", "CHN,USA,sea", "CHN,CHN,sea",
          r"lanes\.csv line 2 \(CHN / CHN\), field destination: the lane leads from CHN to itself; remove the row"),
    Patch("tariffs_overlap", "tariffs.csv", "USA,CHN,all goods,10,2025-02-04,2025-03-03", "USA,CHN,all goods,10,2025-02-04,2025-03-10",
          r"tariffs\.csv line \d+ .*field valid_from: overlaps the row on line \d+ of the same importer.*; end one row"),
    Patch("wrong_date", "tariffs.csv", "USA,ALL,oxide,0,2018-01-01", "USA,ALL,oxide,0,2018-13-01",
          r"tariffs\.csv line 2 .*field valid_from: '2018-13-01' is not a date; write YYYY-MM-DD"),
    Patch("dates_reversed", "vat_refunds.csv", "CHN,concentrate,17,0,,2004-01-01,2018-04-30", "CHN,concentrate,17,0,,2004-01-01,2003-04-30",
          r"vat_refunds\.csv line 2 .*field valid_to: 2003-04-30 is before valid_from 2004-01-01; exchange or correct"),
    Patch("contract_ends_early", "initial_contracts.csv", "2024-01,2026-01,index net-back", "2024-01,2023-01,index net-back",
          r"initial_contracts\.csv line 2 \(K_MP_SHENGHE\), field end: 2023-01 is before start 2024-01; correct the months"),
    Patch("wrong_month", "initial_contracts.csv", "2024-01,2026-01,index net-back", "Jan 2024,2026-01,index net-back",
          r"initial_contracts\.csv line 2 .*field start: 'Jan 2024' has the wrong form; write a month, for instance 2025-01"),
    Patch("duplicate_row", "countries.csv", "USA,United States,", "CHN,United States,",
          r"countries\.csv line 3 \(CHN\), field iso3: the same row stands on line 2; keep one of them"),
    Patch("missing_column", "trade.csv", "month,flow,", "month,",
          r"trade\.csv line 1, field flow: the column is missing; add it"),
    Patch("unknown_column", "trade.csv", "month,flow,", "month,flows,",
          r"trade\.csv line 1, field flows: is not a known column; did you mean 'flow'\?"),
    Patch("too_many_cells", "trade.csv", "2025-Q1,magnets,CHN,World,15266,", "2025-Q1,magnets,CHN,World,15,266,",
          r"trade\.csv line 2 \(2025-Q1\): has 9 cells, the header has 8; put texts that contain a comma in double quotes"),
    Patch("missing_file", "priors.csv", "", "", r"priors\.csv: the file is missing in .*; copy the shipped table there"),
    Patch("site_in_wrong_node", "sites.csv", "MIN_USA_MP,MP Materials,USA,", "MIN_USA_MP,MP Materials,EUU,",
          r"sites\.csv line \d+ \(MIN_USA_MP\), field node: 'EUU' is not the market node of USA; market_nodes\.csv says USA"),
)  # fmt: skip


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_table(patch: Patch, cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    shutil.copytree(env.facts.DATA, folder)
    path = folder / patch.file
    if patch.old:
        text = path.read_text(encoding="utf-8")
        assert patch.old in text, "the shipped table changed: adapt the patch"
        path.write_text(text.replace(patch.old, patch.new, 1), encoding="utf-8")
    else:
        path.unlink()
    monkeypatch.setattr(env.facts, "DATA", folder)
    assert_faults(cli("run", "baseline", "--out", "out"), [patch.expected])


# ---------------------------------------------------------------- command lines

LINES = (
    ("unknown_scenario", ["run", "base-line"], r"there is no scenario 'base-line'; did you mean 'baseline'\?"),
    ("missing_file", ["run", "nowhere.toml"], r"nowhere\.toml: there is no such file; check the path"),
    ("folder_as_scenario", ["run", "./"], r"is a folder, not a scenario file; name a \.toml file"),
    ("bad_seed", ["run", "still", "--seed", "seven"], r"'--seed': 'seven' is not a whole number; write 0 or more"),
    ("negative_seed", ["run", "still", "--seed", "-3"], r"'--seed': -3 is out of range; write a whole number from 0"),
    ("bad_until", ["run", "still", "--until", "2025-13-01"], r"'--until': '2025-13-01' is not a date; write YYYY-MM-DD"),
    ("until_too_early", ["run", "still", "--until", "2020-01-06"], r"--until: 2020-01-06 is before the scenario starts"),
    ("until_too_late", ["run", "still", "--until", "2050-01-03"], r"--until: 2050-01-03 is after .*; write an earlier date"),
    ("set_without_value", ["run", "still", "--set", "demand"], r"'--set': 'demand' has the wrong form; write key=value"),
    ("set_unknown", ["run", "still", "--set", "demnd=low"], r"--set \(demnd\): is not something .*; did you mean 'demand'\?"),
    ("set_wrong", ["run", "still", "--set", "demand=lots"], r"--set \(demand\): 'lots' is not one of 'base', 'low' or"),
    ("set_not_a_flag", ["run", "still", "--set", "strategies=perhaps"], r"'perhaps' is neither true nor false; write true"),
    ("set_nan", ["run", "still", "--set", "index.d=nan"], r"--set \(index\.d\): 'nan' is not a finite number; write a"),
    ("set_text", ["run", "still", "--set", "index.d=much"], r"--set \(index\.d\): 'much' is not a finite number; write a"),
    ("set_twice", ["run", "still", "--set", "demand=low", "--set", "demand=base"], r"'demand' is given twice; keep one"),
    ("set_bad_start", ["run", "still", "--set", "start=2025-01-07"], r"2025-01-07 is a Tuesday, .*; write 2025-01-06"),
    ("set_no_such_field", ["run", "one_mine_one_buyer", "--set", "site.MINE.nameplate=5"],
     r"there is no field 'nameplate' to set; did you mean 'nameplate_t'\?"),
    ("set_negative", ["run", "one_mine_one_buyer", "--set", "site.MINE.nameplate_t=-5"],
     r"--set \(site\.MINE\.nameplate_t\): '-5' is below 0; write tonnes a year, for instance 50700"),
    ("set_cash_too_low", ["run", "one_mine_one_buyer", "--set", "party.miner.cash_usd=-1e30"],
     r"'-1e30' is below -1e\+13; write USD"),
    ("set_price_too_high", ["run", "one_mine_one_buyer", "--set", "good.ndpr_oxide.base_price_usd_per_kg=1e308"],
     r"'1e308' is above 1e\+06; write USD per kg"),
    ("set_too_many_tonnes", ["run", "one_mine_one_buyer", "--set", "site.MINE.nameplate_t=1e15"],
     r"'1e15' is above 1e\+09; write tonnes a year"),
    ("set_no_such_good", ["run", "one_mine_one_buyer", "--set", "good.gold.base_price_usd_per_kg=5"],
     r"there is no good 'gold'; see 'offtake scenarios show'"),
    ("set_half_a_name", ["run", "one_mine_one_buyer", "--set", "good.ndpr_oxide=5"], r"; write good\.CODE\.FIELD"),
    ("commands_and_replay", ["run", "still", "--commands", "a.jsonl", "--replay", "a.jsonl"],
     r"--commands and --replay exclude each other; keep one of them"),
    ("missing_log", ["run", "still", "--replay", "a.jsonl"], r"a\.jsonl: there is no such file; name a commands\.jsonl"),
    ("log_cut_off", ["run", "quota_between", "--replay", str(LOGS / "cut_off.jsonl")],
     r"cut_off\.jsonl line 3: is not JSON: .*; one JSON object a line"),
    ("log_wrong_lines", ["run", "quota_between", "--commands", str(LOGS / "wrong_lines.jsonl")],
     r"line 1, field date: '7 July' is not a date; (.|\n)*line 2, field actor: is missing(.|\n)*line 3: is not a JSON "
     r"object; (.|\n)*line 4: is not JSON: NaN is not a finite number; "),
    ("log_empty", ["run", "quota_between", "--commands", str(LOGS / "empty.jsonl")], r"empty\.jsonl: is empty; name a"),
    ("unknown_table", ["run", "still", "--tables", "prices,share"], r"there is no table 'share'; did you mean 'shares'\?"),
    ("no_table", ["run", "still", "--tables", ","], r"'--tables': names no table; write for instance prices,shares"),
    ("missing_strategy", ["run", "still", "--strategy", "usa=mine.py"], r"--strategy \(usa\): there is no file mine\.py; check"),
    ("broken_strategy", ["run", "still", "--strategy", f"usa={HERE / 'strategies' / 'no_colon.py'}"],
     r"no_colon\.py line 1 \(usa\): is not Python: expected ':' .*; correct the file"),
    ("unknown_seat", ["run", "quota_between", "--strategy", f"china={HERE / 'strategies' / 'fine.py'}"],
     r"--strategy \(china\): there is no party 'china'; did you mean 'chn'\?"),
    ("strategy_without_seat", ["run", "still", "--strategy", "mine.py"], r"'mine\.py' has the wrong form; write SEAT=FILE"),
    ("export_nothing", ["export", "nowhere"], r"nowhere: there is no run in it \(no manifest\.json\); name a folder"),
    ("check_unknown", ["scenarios", "check", "stil"], r"there is no scenario 'stil'; did you mean 'still'\?"),
    ("show_unknown", ["scenarios", "show", "stil", "--json"], r"there is no scenario 'stil'; did you mean 'still'\?"),
)  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), [line[1:] for line in LINES], ids=[line[0] for line in LINES])
def test_command_line(arguments: list[str], expected: str, cli: Callable[..., Result]) -> None:
    assert_faults(cli(*arguments), [expected])


@pytest.mark.parametrize("arguments", [["run"], ["run", "still", "--sed", "1"], ["rum", "still"], ["scenarios", "shw"]])
def test_usage(arguments: list[str], cli: Callable[..., Result]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


# ---------------------------------------------------------------- output folders


def test_out_is_a_file(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert_faults(cli("run", "still", "--out", "out"), [r"--out out: is a file, not a folder; name a folder"])
    assert_faults(
        cli("run", "still", "--out", "out/run"), [r"--out out/run: cannot be a folder: out is a file; name a"]
    )


def test_out_holds_a_run(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(json.dumps({"scenario": "still", "seed": 3}))
    assert_faults(
        cli("run", "still", "--out", "out"), [r"out already holds a run \(scenario still, seed 3\); name"], code=6
    )


def test_out_holds_something_else(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    assert_faults(cli("run", "still", "--out", "out"), [r"out holds files that are not an Offtake run; name"], code=6)


@pytest.mark.parametrize(("out", "expected"), [("/proc/x", "may not be written to: .*; name"), ("", "is empty; name")])
def test_out_cannot_be_written(out: str, expected: str, cli: Callable[..., Result]) -> None:
    assert_faults(cli("run", "still", "--out", out), [f"--out ?{out}: {expected}"])


# ---------------------------------------------------------------- strategies and logs that go wrong while playing


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1 / 0", r"mine\.py line 2 .*: the strategy fails: ZeroDivisionError: .*; correct"),
        ("5", r"returned int, not a list"),
    ],
)
def test_strategy_goes_wrong(answer: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(f"def decide(observation, rng):\n    return {answer}\n")
    result = CliRunner().invoke(main, ["run", "one_mine_one_buyer", "--strategy", "miner=mine.py", "--out", "out"])
    assert_faults(result, [expected, r"mine\.py .*\(miner, week of 2025-\d\d-\d\d\): the strategy"])
    assert not (tmp_path / "out").exists()


HEAD = {
    "schema": 1,
    "scenario": "still",
    "scenario_hash": "0123456789abcdef",
    "seed": 4,
    "overrides": {"demand": "low"},
}
CUT = {"date": "2025-02-17", "actor": "miner", "kind": "plan_output", "body": {"site": "MINE", "share": 0.5}}


def write_log(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_log_of_another_run(cli: Callable[..., Result], tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", HEAD, CUT)
    expected = (
        r"log\.jsonl: the log is of scenario still \(hash 0123456789ab\), seed 4, --set demand=low, "
        r"not of scenario one_mine_one_buyer \(hash \w{12}\), seed 1; replay it with"
    )
    assert_faults(cli("run", "one_mine_one_buyer", "--seed", "1", "--replay", log), [expected])


def test_refused_and_late_commands_are_told(cli: Callable[..., Result], tmp_path: Path) -> None:
    """The kind outside `body` is enough; what the world refuses, or never sees, is said on stderr."""
    huge = {"good": "ndpr_oxide", "tonnes_per_week": 1e12, "limit_usd_per_kg": 1e9}
    rows = [CUT, {**CUT, "kind": "set_order", "body": huge}, {**CUT, "date": "2026-02-16"}]
    line = [
        "run",
        "one_mine_one_buyer",
        "--until",
        "2025-06-30",
        "--commands",
        write_log(tmp_path / "log.jsonl", *rows),
    ]
    result = cli(*line)
    assert result.exit_code == 0
    assert re.search(r"^1 command was refused, first: 2025-02-17 miner set_order: .*less than or equal", result.stderr)
    assert "1 command was not played (the last week is that of 2025-06-30), first: 2026-02-16 miner" in result.stderr
    assert cli(*line, "--quiet").stderr == ""


# ---------------------------------------------------------------- the real program


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", str(HERE / "scenarios" / "not_a_monday.toml")], "write 2024-12-30"),
        (["run", "still", "--set", "demand=lots"], "is not one of"),
        (["run", "nowhere.toml"], "check the path"),
    ],
)
def test_as_a_program(arguments: list[str], expected: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "experiments.cli", *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_there_are_enough_of_them() -> None:
    assert len(SCENARIOS) + len(PATCHES) + len(LINES) >= 100


# ---------------------------------------------------------------- faults of the program, interruptions


class StubGame:
    """A game of ten empty weeks that does something at week 3."""

    weeks_total = 10
    at_week_3: Callable[[], None]

    def __init__(self, scenario: str, **_: object) -> None:
        self.scenario = scenario
        self.week = 0

    @property
    def date(self) -> date:
        return date(2025, 1, 6) + timedelta(weeks=self.week)

    def run(self, until: date | None, on_week: Callable[..., None]) -> None:
        while self.week < self.weeks_total:
            self.week += 1
            if self.week == 3:
                type(self).at_week_3()
            on_week()

    def manifest(self) -> dict[str, object]:
        return {"scenario": self.scenario, "seed": 0, "start": "2025-01-06", "end": str(self.date), "weeks": self.week}

    def write(self, folder: Path, complete: bool) -> dict[str, object]:
        folder.mkdir()
        manifest = {**self.manifest(), "complete": complete}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return manifest

    def summary(self) -> dict[str, object]:
        return {"prices": [], "stoppages": []}


def play(monkeypatch: pytest.MonkeyPatch, at_week_3: Callable[[], None], *arguments: str) -> Result:
    monkeypatch.setattr(StubGame, "at_week_3", staticmethod(at_week_3), raising=False)
    monkeypatch.setattr("agents.Game", StubGame, raising=False)
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    result = play(monkeypatch, lambda: os.kill(os.getpid(), number), "run", "still", "--out", str(out))
    assert result.exit_code == code
    assert "Interrupted: these are the weeks that were finished." in result.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["weeks"], manifest["complete"]) == (3, False)
    assert signal.getsignal(number) is not None


def test_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    result = play(monkeypatch, lambda: None, "run", "still", "--out", str(out), "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["weeks"], document["complete"], document["summary"]["stoppages"]) == (10, True, [])
    again = play(monkeypatch, lambda: None, "run", "still", "--out", str(out))
    assert again.exit_code == 6
    assert play(monkeypatch, lambda: None, "run", "still", "--quiet").stdout == ""


def test_fault_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("no stock\nat all")

    out = tmp_path / "out"
    result = play(monkeypatch, fail, "run", "still", "--out", str(out))
    assert result.exit_code == 1
    assert "sorry, this is a fault of the program: ZeroDivisionError: no stock" in result.stderr
    assert "Traceback" not in result.output
    assert not out.exists()
    assert "Traceback" in play(monkeypatch, fail, "--debug", "run", "still").stderr
