"""The shipped fact tables read, close and say where they come from."""

from __future__ import annotations

import csv
import shutil
import time
from collections import defaultdict
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import ValidationError

from env.errors import Fault, InputError, suggest, suggest_or_list
from env.facts import DATA, TABLES, Facts, field_help, load_facts


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load_facts()


def test_every_table_has_rows(facts: Facts) -> None:
    counts = facts.counts()
    assert set(counts) == {table.name for table in TABLES}
    for table in TABLES:
        if (DATA / table.file).is_file():
            assert counts[table.name] > 0, table.file


def test_every_csv_of_the_folder_is_read() -> None:
    assert {path.name for path in DATA.glob("*.csv")} <= {table.file for table in TABLES}


def test_every_row_has_source_and_confidence(facts: Facts) -> None:
    for name in facts.counts():
        for row in getattr(facts, name):
            assert row.source
            assert row.confidence in {"high", "medium", "low"}


def test_every_number_has_a_unit() -> None:
    """A column of numbers says what it counts, for messages and documentation."""
    for table in TABLES:
        for name, info in table.model.model_fields.items():
            if "float" in str(info.annotation) or "int" in str(info.annotation):
                unit, example = field_help(info)
                assert unit, f"{table.file} {name}"
                assert example is not None, f"{table.file} {name}"


def test_row_count_is_that_of_the_file(facts: Facts) -> None:
    with (DATA / "sites.csv").open(newline="", encoding="utf-8") as handle:
        assert len(facts.sites) == sum(1 for _ in csv.DictReader(handle))


def test_known_figures(facts: Facts) -> None:
    site = next(row for row in facts.sites if row.site_id == "MIN_USA_MP")
    assert (site.nameplate_t, site.node, site.firm) == (50700, "USA", "MP Materials")
    assert sum(row.demand_2024_t for row in facts.end_use_place) == pytest.approx(240_000, rel=0.01)


def test_rows_do_not_change(facts: Facts) -> None:
    with pytest.raises(ValidationError):
        facts.sites[0].nameplate_t = 1.0
    with pytest.raises(FrozenInstanceError):
        facts.sites = ()  # type: ignore[misc]


def test_each_firm_has_one_party(facts: Facts) -> None:
    firms = {row.firm for row in facts.firms} | {row.firm for row in facts.sites}
    named = [row.firm for row in facts.parties if row.firm]
    assert firms <= set(named)
    assert len(named) == len(set(named))


def test_each_jurisdiction_has_its_state(facts: Facts) -> None:
    states = {row.country_iso3: row for row in facts.parties if row.kind == "state"}
    assert set(states) == {row.iso3 for row in facts.countries}
    for code, row in states.items():
        assert row.slug == code.lower()


def test_parties_are_few_enough(facts: Facts) -> None:
    assert len(facts.parties) <= 260


def test_buyers_cover_every_use(facts: Facts) -> None:
    share: dict[tuple[str, str], float] = defaultdict(float)
    count: dict[tuple[str, str], int] = defaultdict(int)
    for row in facts.buyers:
        share[row.end_use, row.node] += row.share
        count[row.end_use, row.node] += 1
    for need in facts.end_use_place:
        assert share[need.end_use, need.node] == pytest.approx(1.0)
    for use in facts.smco_place:
        assert share[use.use, use.node] == pytest.approx(1.0)
    for other in facts.other_uses:
        if other.is_demand:
            assert share[other.use, other.node] or share["other uses", other.node] == pytest.approx(1.0)
    assert max(count.values()) <= 3


def test_hash_follows_bytes(tmp_path: Path, facts: Facts) -> None:
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    assert load_facts(folder).facts_hash() == facts.facts_hash() == load_facts().facts_hash()
    path = folder / "trade.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("15266", "15267"), encoding="utf-8")
    assert load_facts(folder).facts_hash() != facts.facts_hash()


def test_byte_order_mark_and_blank_lines_are_no_fault(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    path = folder / "trade.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
    assert load_facts(folder).trade == load_facts().trade


def test_lines_count_through_quoted_line_breaks(tmp_path: Path) -> None:
    """A text cell may hold line breaks; later rows keep their true line numbers."""
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    path = folder / "trade.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"Q1 total', '"Q1\ntotal')
    lines[2] = lines[2].replace("2628", "many")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_facts(folder)
    assert [fault.line for fault in caught.value.faults] == [4]


def test_all_faults_of_all_tables_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    for name, old, new in (("sites.csv", "50700", "much"), ("lanes.csv", "sea", "air"), ("trade.csv", "15266", "-1")):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_facts(folder)
    assert [fault.file for fault in caught.value.faults] == ["sites.csv", "lanes.csv", "trade.csv"]


def test_a_bad_cell_does_not_orphan_other_tables(tmp_path: Path) -> None:
    """One faulty row of market_nodes must not turn every reference to its node into a fault."""
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    path = folder / "market_nodes.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",derived,", ",guess,", 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_facts(folder)
    assert len(caught.value.faults) == 1


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_facts(tmp_path / "nowhere")


def test_loading_is_fast() -> None:
    """The engine loads facts at every start: 150 ms at most on an ordinary machine."""
    load_facts()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load_facts()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.150


def test_a_fault_is_one_clear_line() -> None:
    fault = Fault("sites.csv", 14, "MIN_USA_MP", "nameplate_t", "'abc' is not a number", "write tonnes a year")
    assert str(fault) == "sites.csv line 14 (MIN_USA_MP), field nameplate_t: 'abc' is not a number; write tonnes a year"
    assert str(Fault("", None, "", "", "all is lost")) == "all is lost"
    assert str(InputError([fault, fault])).count("\n") == 1


def test_suggestions() -> None:
    assert suggest("bayan_ob", ["bayan_obo", "loparite"]) == "did you mean 'bayan_obo'?"
    assert suggest("CHN", ["chn", "usa"]) == "did you mean 'chn'?"
    assert suggest("zzz", ["chn", "usa"]) == ""
    assert suggest_or_list("zzz", ["chn", "usa"]) == "write one of chn, usa"
