"""The documents agree with the code: generated pages are fresh, snippets run, links and names lead somewhere."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from env import MAY, TABLES, build_world, command_schema, load_scenario, observe

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LAYERS = "env|agents|experiments|viz"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The text of a page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as the usual renderers make them."""
    found = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in found}


# ---- generated pages ------------------------------------------------------------------------------------
def test_generated_pages_are_up_to_date() -> None:
    from experiments.docs import outdated

    assert outdated() == [], "run python -m experiments.docs"


def test_a_stale_page_is_found_and_written_anew(tmp_path: Path) -> None:
    from experiments.docs import PAGES as GENERATED
    from experiments.docs import outdated, write

    assert sorted(write(tmp_path)) == sorted(GENERATED)
    assert outdated(tmp_path) == []
    page = tmp_path / "docs/parameters.md"
    page.write_text(page.read_text(encoding="utf-8").replace("demand.noise", "demand.noice"), encoding="utf-8")
    assert outdated(tmp_path) == ["docs/parameters.md"]


def test_every_command_and_every_parameter_has_its_line() -> None:
    from env.params import TABLE

    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert all(f"\n## {kind}\n" in page for kind in command_schema()["discriminator"]["mapping"])
    page = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in TABLE)
    senders = json.loads((ROOT / "docs/schemas/command.json").read_text(encoding="utf-8"))["x-may-send"]
    assert senders == {kind: [party for party, kinds in MAY.items() if kind in kinds] for kind in senders}


KINDS = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def faults_of(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """Where a value departs from the part of JSON schema our observation uses."""
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, KINDS[name]) for name in names):  # type: ignore[arg-type]
        return [f"{path}: {value!r} is not {names}"]
    if isinstance(value, list):
        return [fault for item in value for fault in faults_of(item, schema["items"], path)]
    if not isinstance(value, dict):
        return []
    known, rest = schema.get("properties"), schema.get("additionalProperties")
    if rest:
        return [fault for item in value.values() for fault in faults_of(item, rest, path)]
    if known is None:
        return []
    faults = [f"{path}.{key} is missing" for key in schema["required"] if key not in value]
    faults += [f"{path}.{key} is not described" for key in value if key not in known]
    parts = [(item, known[key], f"{path}.{key}") for key, item in value.items() if key in known]
    return faults + [fault for part in parts for fault in faults_of(*part)]


@pytest.mark.parametrize("scenario", ["two_elements_one_ore", "baseline"])
def test_observations_fit_their_schema(scenario: str) -> None:
    schema = json.loads((ROOT / "docs/schemas/observation.json").read_text(encoding="utf-8"))
    world = build_world(load_scenario(scenario), 1)
    for party in world.structure.parties.codes[1:]:
        document = json.loads(json.dumps(observe(world, party).document()))
        assert faults_of(document, schema, "observation") == []


# ---- snippets, links, names -----------------------------------------------------------------------------
@pytest.mark.parametrize("page", [p for p in PAGES if "```python\n" in p.read_text("utf-8")], ids=lambda p: p.name)
def test_python_on_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one page run one after the other, in an empty folder; `python no-test` marks what is not run."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        exec(compile("\n" * line + match.group(1), str(page), "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name == "docs"], ids=lambda p: p.name)
def test_modules_and_functions_named_exist(page: Path) -> None:
    """`env.market.needs`, `env/tick.py`, `env/instruments/`: what a page names in backticks is there."""
    text = prose(page)
    for dotted in re.findall(rf"`((?:{LAYERS})(?:\.\w+)+)`", text):
        parts = dotted.split(".")
        thing, rest = None, list(parts)
        for end in range(len(parts), 0, -1):
            try:
                thing, rest = importlib.import_module(".".join(parts[:end])), parts[end:]
                break
            except ModuleNotFoundError:
                continue
        for name in rest:
            fields = getattr(thing, "__dataclass_fields__", {})
            assert hasattr(thing, name) or name in fields, f"{page.name}: {dotted}"
            thing = getattr(thing, name, None)
    for path in re.findall(rf"`((?:{LAYERS}|docs|tests)/[\w./]*)`", text):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_results_page_names_every_table_and_column(tmp_path: Path) -> None:
    import pandas as pd

    from agents import Game

    game = Game("two_elements_one_ore", seed=1)
    game.run(until="2025-05-05")
    game.write(tmp_path / "run")
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    for name in TABLES:
        part = re.search(rf"^### {name}\.parquet\n(.*?)(?=^##)", page, re.DOTALL | re.MULTILINE)
        assert part, name
        named = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", part.group(1), re.MULTILINE))
        columns = {column for cell in named for column in re.findall(r"`(\w+)`", cell)}
        assert columns == set(pd.read_parquet(tmp_path / "run" / f"{name}.parquet").columns), name
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert all(f"`{key}`" in page for key in manifest)


@pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="an unpacked sdist leaves mkdocs.yml out")
def test_navigation_names_pages_that_exist() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = re.findall(r": (\S+\.md)$", text, re.MULTILINE)
    assert pages
    assert [p for p in pages if not (ROOT / "docs" / p).is_file()] == []


def test_the_model_page_counts_the_baseline_right() -> None:
    spec = load_scenario("baseline")
    rows = {"market nodes": spec.nodes, "places": spec.places, "goods": spec.goods, "parties": spec.parties}
    rows |= {"sites": spec.sites, "uses": spec.uses, "contracts": spec.contracts, "lanes": spec.lanes}
    text = (ROOT / "docs/model.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \|", text, re.MULTILINE))
    assert {name: told.get(name) for name in rows} == {name: f"{len(found):,}" for name, found in rows.items()}
