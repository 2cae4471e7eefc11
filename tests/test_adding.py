"""Adding a thing touches one place: each kind is added in a temporary folder and plays eight weeks."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents import Game
from env import load_facts, load_scenario

ROOT = Path(__file__).resolve().parents[1]
WEEKS = "2025-02-24"


def rows_of(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        return list(reader.fieldnames or []), list(reader)


def add_row(path: Path, like: dict[str, str], **changes: Any) -> None:
    """Append a row to a table: a copy of the first row that matches `like`, with changes."""
    columns, rows = rows_of(path)
    model = next(r for r in rows if all(r[k] == v for k, v in like.items()))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, model | {k: str(v) for k, v in changes.items()}])


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the fact tables to change."""
    return Path(shutil.copytree(ROOT / "env" / "data", tmp_path / "data"))


def play(tables: Path) -> Game:
    from env.from_facts import world_spec

    base = load_scenario("baseline")
    document = {"name": "changed", "start": base.start, "end": base.end, "burn_in_weeks": 4}
    return Game(world_spec(load_facts(tables), document), seed=1).run(until=WEEKS)


def test_a_firm_and_its_plant_are_rows(tables: Path) -> None:
    add_row(tables / "firms.csv", {"firm": "Ningbo Yunsheng"}, firm="New Magnets")
    add_row(
        tables / "parties.csv", {"firm": "Ningbo Yunsheng"}, firm="New Magnets", slug="new_magnets", name="New Magnets"
    )
    add_row(
        tables / "sites.csv",
        {"site_id": "MAG_KOR"},
        site_id="MAG_KOR_NEW",
        firm="New Magnets",
        nameplate_t=900,
        out_2024_t=0,
    )
    game = play(tables)
    assert "new_magnets" in game.world.structure.parties
    assert "MAG_KOR_NEW" in game.world.structure.sites


def test_a_good_is_a_row(tables: Path) -> None:
    add_row(
        tables / "goods.csv",
        {"code": "magnet_uh"},
        code="magnet_eh",
        name="NdFeB magnet EH",
        key="EH",
        price_usd_per_kg=95,
        fob_usd_per_kg=103,
    )
    game = play(tables)
    st = game.world.structure
    assert "magnet_eh" in st.goods
    makers = {st.holders.codes[h] for (h, g) in st.sell_slot if g == st.goods.index["magnet_eh"]}
    assert "MAG_CHN_JLMAG" in makers


def test_an_end_use_and_a_place_are_rows(tables: Path) -> None:
    add_row(
        tables / "end_use_place_2025.csv",
        {"end_use": "wind", "node": "USA"},
        end_use="robots",
        low_2024_t=40,
        demand_2024_t=50,
        high_2024_t=60,
    )
    add_row(tables / "buyers.csv", {"end_use": "wind", "node": "USA"}, end_use="robots")
    add_row(tables / "countries.csv", {"iso3": "MEX"}, iso3="PER", name="Peru")
    add_row(tables / "market_nodes.csv", {"iso3": "CHL"}, iso3="PER", name="Peru")
    add_row(tables / "parties.csv", {"slug": "chl"}, slug="per", name="Peru", country_iso3="PER")
    game = play(tables)
    assert "robots" in game.world.structure.end_uses
    assert "PER" in {p.code for p in game.spec.places}
    used = game.frame("use")
    assert used[used["end_use"] == "robots"]["used_t"].sum() > 0


def test_a_scenario_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "levy.toml"
    path.write_text(
        'name = "levy"\nbase = "baseline"\n\n[parameters]\n"demand.noise" = 0.0\n\n'
        '[[events]]\ndate = 2025-01-20\nactor = "usa"\ntext = "A tariff on magnets"\n'
        'command = { kind = "set_tariff", goods = ["magnet"], origin = "CHN", rate = 0.5 }\n',
        encoding="utf-8",
    )
    game = Game(str(path), seed=1).run(until=WEEKS)
    assert any(c["kind"] == "set_tariff" and c["accepted"] for c in game.world.record.commands)


INSTRUMENT = '''
"""A levy on every kilogram mined: an instrument in one file."""

from __future__ import annotations

from typing import Literal

from env.body import Body, Weeks
from env.instruments.base import Handler


class SetLevy(Body):
    """Levy on mining, USD a week."""

    kind: Literal["set_levy"] = "set_levy"
    payer: str
    usd_per_week: float
    weeks: Weeks = None


class Levy(Handler):
    """Paid to the state that set it."""

    terms = SetLevy

    def settle(self, world, rule, ledger):
        parties = world.structure.parties.index
        ledger.one(parties[rule.terms.payer], parties[rule.actor], rule.terms.usd_per_week, "penalty", rule.id)
'''
SCRIPT = """
from agents import Game
game = Game("two_elements_one_ore", seed=1)
party = next(p.code for p in game.spec.parties if p.kind in ("producer", "soe"))
from env import MAY
assert "set_levy" in MAY["state"]
from env.receive import carry_out
state = next((p.code for p in game.spec.parties if p.kind == "state"), None)
assert state is not None
game.submit(state, {"kind": "set_levy", "payer": party, "usd_per_week": 1000.0})
game.run(until="2025-02-24")
paid = game.frame("payments")
assert paid[paid["reason"] == "penalty"]["usd"].sum() == 8000.0, paid
print("ok")
"""


def test_an_instrument_is_one_file_and_one_line(tmp_path: Path) -> None:
    for package in ("env", "agents"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "env" / "instruments" / "levy.py").write_text(INSTRUMENT, encoding="utf-8")
    listing = tmp_path / "env" / "instruments" / "__init__.py"
    text = listing.read_text(encoding="utf-8")
    text = text.replace(
        "from env.instruments.base import", "from env.instruments.levy import Levy\nfrom env.instruments.base import", 1
    )
    listing.write_text(text.replace("        Tariff(),\n", "        Tariff(),\n        Levy(),\n", 1), encoding="utf-8")
    scenario = tmp_path / "env" / "scenarios" / "two_elements_one_ore.toml"
    scenario.write_text(
        scenario.read_text(encoding="utf-8") + '\n[[parties]]\ncode = "chn"\nkind = "state"\nplace = "CHN"\n',
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("ok")
