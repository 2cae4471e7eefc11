"""Scenario files: TOML in, a checked `WorldSpec` out, or one `InputError` with everything that is wrong.

A scenario either stands on the fact tables (`source = "facts"`), spells its world out (`source =
"inline"`) or inherits another (`base = "baseline"`).  Files of a chain are read from the root on:
single values replace, `[options]`, `[parameters]` and `[set]` merge, lists of rows append.  Overrides
(`--set key=value`) come last and use the same keys as a `[set]` table.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from env.errors import Fault, InputError, describe, pydantic_faults, suggest, suggest_or_list
from env.facts import TariffClass, load_facts
from env.spec import (
    ContractSpec,
    EventSpec,
    ExportTaxSpec,
    GoodSpec,
    GoodStage,
    LaneSpec,
    NodeSpec,
    PartySpec,
    PlaceSpec,
    Row,
    Share,
    SiteSpec,
    Slug,
    StockSpec,
    TariffSpec,
    TraderSpec,
    UseSpec,
    WorldSpec,
)

SCENARIOS = Path(__file__).parent / "scenarios"

Scalar = str | float | bool
Place = tuple[str | int, ...]


class Options(Row):
    """Switches of a scenario; `None` leaves the choice to the scenario it is based on."""

    demand: Literal["base", "low", "constant"] | None = None
    dated_events: bool | None = None
    strategies: bool | None = None
    still: bool | None = None


class Document(Row):
    """One scenario file as written.  Every field may be left to the scenario it is based on."""

    name: Slug | None = None
    title: str | None = None
    description: str | None = None
    start: date | None = None
    end: date | None = None
    burn_in_weeks: int | None = Field(default=None, ge=0, le=520)
    source: Literal["facts", "inline"] | None = None
    base: str | None = None
    options: Options = Options()
    parameters: dict[str, float] = Field(default_factory=dict)
    set: dict[str, Scalar] = Field(default_factory=dict)
    nodes: list[NodeSpec] = Field(default_factory=list)
    places: list[PlaceSpec] = Field(default_factory=list)
    goods: list[GoodSpec] = Field(default_factory=list)
    parties: list[PartySpec] = Field(default_factory=list)
    sites: list[SiteSpec] = Field(default_factory=list)
    uses: list[UseSpec] = Field(default_factory=list)
    lanes: list[LaneSpec] = Field(default_factory=list)
    tariffs: list[TariffSpec] = Field(default_factory=list)
    export_taxes: list[ExportTaxSpec] = Field(default_factory=list)
    contracts: list[ContractSpec] = Field(default_factory=list)
    stocks: list[StockSpec] = Field(default_factory=list)
    traders: list[TraderSpec] = Field(default_factory=list)
    events: list[EventSpec] = Field(default_factory=list)
    knowhow: dict[str, Share] = Field(default_factory=dict)


LISTS = (
    "nodes", "places", "goods", "parties", "sites", "uses", "lanes", "tariffs", "export_taxes", "contracts",
    "stocks", "traders", "events",
)  # fmt: skip
SCALARS = ("name", "title", "description", "start", "end", "burn_in_weeks", "source")
OPTIONS = tuple(Options.model_fields)
SETTABLE = {"site": "sites", "party": "parties", "use": "uses", "good": "goods"}


@dataclass(frozen=True)
class ScenarioInfo:
    """What `offtake scenarios list` shows of a shipped scenario."""

    name: str
    title: str
    description: str
    path: Path


# ---------------------------------------------------------------- reading one file


class _File:
    """One scenario file while it is read: text, line numbers of its tables and keys, validated document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self.document = Document()

    def line(self, place: Place) -> int | None:
        """Line of a table or key, or of the nearest table that holds it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None

    def fault(self, place: Place, message: str, remedy: str = "") -> Fault:
        """A fault at a place of this file."""
        row = place[:-1] if place and isinstance(place[-1], str) else place
        label = ".".join(f"{part + 1}" if isinstance(part, int) else part for part in row)
        field = str(place[-1]) if place and isinstance(place[-1], str) else ""
        return Fault(self.path.name, self.line(place), label, field, message, remedy)


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=""")
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")


def _parts(dotted: str) -> list[str]:
    """`a."b c".d` -> [a, b c, d]."""
    return [a or b or c for a, b, c in _PART.findall(dotted)]


def index_lines(text: str) -> dict[Place, int]:
    """Line numbers of tables and keys of a TOML text by path: `("sites", 0, "recipes", 1, "base_t")`.

    tomllib forgets lines once a text parses; faults found later need them.  Keys inside inline tables
    and multi-line arrays are reported at the line of the key that holds them.
    """
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = defaultdict(int)
    current: Place = ()
    quoted = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quoted:
            quoted = "" if quoted in line else quoted
            continue
        header = _HEADER.match(line)
        if header:
            place: Place = ()
            names = _parts(header[2])
            for depth, name in enumerate(names):
                place = (*place, name)
                if header[1] == "[[" and depth == len(names) - 1:
                    counts[place] += 1
                if counts.get(place):
                    place = (*place, counts[place] - 1)
            current = place
            lines.setdefault(current, number)
            for inner in [known for known in counts if known[: len(current)] == current and len(known) > len(current)]:
                if header[1] == "[[":
                    del counts[inner]
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*current, *_parts(key[1])), number)
            if len(_parts(key[1])) > 1:  # `ladder.k = 1` under [parameters] is found as `ladder.k`
                lines.setdefault((*current, ".".join(_parts(key[1]))), number)
        for mark in ('"""', "'''"):
            if line.count(mark) % 2:
                quoted = mark
    return lines


def _read_file(path: Path) -> _File:
    """Read and validate one file on its own.  Raises `InputError` with lines."""
    file = _File(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError.one("there is no such file", "check the path", file=str(path)) from None
    except IsADirectoryError:
        raise InputError.one("is a folder, not a scenario file", "name a .toml file", file=str(path)) from None
    except (UnicodeDecodeError, OSError) as error:
        raise InputError.one(f"cannot be read: {error}", "save it as UTF-8 text", file=str(path)) from None
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and plain ValueError for impossible dates
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(found[1]) if found else None
        what = str(error).split(" (at ")[0]
        remedy = "dates are written 2025-01-06, texts in double quotes, decimals with a point"
        raise InputError([Fault(path.name, line, "", "", f"is not TOML: {what}", remedy)]) from None
    file.lines = index_lines(text)
    for name in ("parameters", "set", "knowhow"):
        if isinstance(data.get(name), dict):
            data[name] = _flatten(data[name])
    try:
        file.document = Document.model_validate(data)
    except ValidationError as error:
        raise InputError(_document_faults(file, error)) from None
    return file


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """TOML reads `ladder.k = 1` as a table in a table; parameter names are the dotted whole."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _model_at(place: Place) -> type[Row] | None:
    """The row model that holds the last part of a path."""
    model: Any = Document
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        if not (isinstance(model, type) and issubclass(model, Row)) or part not in model.model_fields:
            return None
        annotation = model.model_fields[part].annotation
        inner = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in inner if issubclass(kind, Row)), None)
    return model if isinstance(model, type) and issubclass(model, Row) else None


_HINTS: tuple[tuple[str, str, object], ...] = (
    ("usd_per_kg", "USD per kg ex VAT", 48.4),
    ("usd_per_year", "USD a year", 5000000),
    ("usd_per_t", "USD per tonne", 436),
    ("_usd", "USD", 250000000),
    ("pct_per_year", "percent a year", 8.7),
    ("_weeks", "weeks", 4),
    ("t_per_year", "tonnes a year", 1200),
    ("tonnes_per_year", "tonnes a year", 1200),
    ("tonnes_per_week", "tonnes a week", 25),
    ("nameplate_t", "tonnes a year", 50700),
    ("base_t", "tonnes a year", 41000),
    ("goods_t", "tonnes a year by good", "{ ndpr_oxide = 1200 }"),
    ("tonnes", "tonnes", 600),
    ("target_t", "tonnes", 600),
    ("kg_per_kg", "kg per kg", 0.62),
    ("share", "a share from 0 to 1", 0.8),
    ("rate", "a share from 0 to 1", 0.05),
    ("ramp", "a share from 0 to 1", 1.0),
    ("elasticity", "an elasticity, 0 or less", -0.1),
    ("date", "a date", "2025-04-04"),
    ("start", "a date", "2025-01-06"),
    ("end", "a date", "2035-12-31"),
    ("valid_from", "a date", "2025-01-06"),
    ("node", "a code of three capital letters", "CHN"),
    ("origin", "a code of three capital letters", "CHN"),
    ("destination", "a code of three capital letters", "USA"),
    ("place", "a code of three capital letters", "CHN"),
    ("party", "the code of a party", "mp_materials"),
    ("actor", "the code of a party", "chn"),
    ("good", "the code of a good", "ndpr_oxide"),
    ("code", "a code in lower-case letters, digits, _", "ndpr_oxide"),
    ("name", "a code in lower-case letters, digits, _", "my_scenario"),
)


def _hint(place: Place) -> tuple[str, object]:
    """Unit and example for a field of a scenario, from its name."""
    names = [part for part in place if isinstance(part, str)]
    for name in reversed(names):
        for ending, unit, example in _HINTS:
            if name == ending.strip("_") or name.endswith(ending):
                return unit, example
    return "", None


def _document_faults(file: _File, error: ValidationError) -> list[Fault]:
    """Pydantic errors of a document as faults with lines and, for unknown keys, a suggestion."""
    faults = []
    for detail in pydantic_faults(error):
        place: Place = tuple(part for part in detail["loc"] if part != "[key]")
        # a union appends the name of the branch it tried; the fault is about the value
        while place and isinstance(place[-1], str) and place[-1] in {"str", "float", "bool", "date"}:
            place = place[:-1]
        message, remedy = describe(detail, *_hint(place))
        if detail["type"] == "extra_forbidden":
            model = _model_at(place)
            known = [name for name in model.model_fields if name != "base"] if model else []
            remedy = suggest_or_list(str(place[-1]), known)
        faults.append(file.fault(place, message, remedy))
    return faults


def scenario_path(name_or_path: str | Path, relative_to: Path | None = None) -> Path:
    """The file of a shipped scenario's name or of a path.  Raises `InputError` for an unknown name."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(text)
        return path if relative_to is None or path.is_absolute() else relative_to / path
    shipped = SCENARIOS / f"{text}.toml"
    if shipped.is_file():
        return shipped
    names = [info.name for info in list_scenarios()]
    remedy = suggest_or_list(text, names) + " (a file needs its ending .toml)"
    raise InputError.one(f"there is no scenario '{text}'", remedy)


def _chain(path: Path) -> list[_File]:
    """The files of a scenario from the root of its bases to itself."""
    files: list[_File] = []
    seen: list[Path] = []
    while True:
        if path.resolve() in seen:
            names = " -> ".join(place.stem for place in [*seen, path])
            raise InputError(
                [files[0].fault(("base",), f"the scenarios inherit in a circle: {names}", "remove one base")]
            )
        seen.append(path.resolve())
        file = _read_file(path)
        files.insert(0, file)
        base = file.document.base
        if base is None:
            return files
        if file.document.source is not None:
            raise InputError([file.fault(("source",), "source and base exclude each other", "remove one of them")])
        try:
            path = scenario_path(base, relative_to=path.parent)
        except InputError as error:
            unknown = error.faults[0]
            raise InputError([file.fault(("base",), unknown.message, unknown.remedy)]) from None
        if not path.is_file():
            raise InputError([file.fault(("base",), f"there is no file {base}", "check the path")])


def list_scenarios() -> list[ScenarioInfo]:
    """The shipped scenarios, by name, without building their worlds."""
    found = []
    for path in sorted(SCENARIOS.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(
            ScenarioInfo(path.stem, str(document.get("title", "")), str(document.get("description", "")).strip(), path)
        )
    return found


# ---------------------------------------------------------------- overrides


def _known_parameters() -> dict[str, str]:
    """Names a scenario may set -> the engine's name.  Priors may also be named as in priors.csv."""
    from env.params import DEFAULTS, FROM_PRIORS  # late: reading a file must not need the engine

    names = {name: name for name in DEFAULTS}
    for name, key in FROM_PRIORS.items():
        names.setdefault(".".join(key), name)
    return names


class _Overrides:
    """`--set` values and `[set]` tables, sorted by what they change; collects what is wrong with them."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.parameters: dict[str, float] = {}
        self.rows: dict[str, tuple[Scalar, str, int | None]] = {}
        self.faults: list[Fault] = []

    def add(self, key: str, value: Scalar, origin: str, line: int | None, parameters: Mapping[str, str]) -> None:
        """Take one override; `origin` is `--set` or the file it stands in."""
        plain = key.removeprefix("options.").removeprefix("parameters.")
        head = key.split(".")[0]
        if plain in parameters and head not in SETTABLE:
            self.parameter(parameters[plain], value, Fault(origin, line, key, "", "", ""))
        elif plain in OPTIONS or key in {"start", "end", "burn_in_weeks"}:
            self._scalar(plain, value, origin, line)
        elif head in SETTABLE and len(key.split(".")) >= 3:
            self.rows[key] = (value, origin, line)
        else:
            known = [*OPTIONS, "start", "end", "burn_in_weeks", *parameters]
            hint = suggest(plain, known)
            if not hint and head in SETTABLE:
                hint = f"write {head}.CODE.FIELD, for instance good.ndpr_oxide.base_price_usd_per_kg"
            remedy = hint or "write an option, a parameter, or site|party|use|good.CODE.FIELD"
            self.faults.append(Fault(origin, line, key, "", "is not something a scenario can set", remedy))

    def parameter(self, name: str, value: Scalar, at: Fault) -> None:
        """Take a parameter under the engine's name; `at` is a fault without a message: where it stands."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.faults.append(
                Fault(at.file, at.line, at.row, at.field, f"'{value}' is not a finite number", "write a number")
            )
        else:
            self.parameters[name] = number

    def _scalar(self, name: str, value: Scalar, origin: str, line: int | None) -> None:
        """Take an option or a date, read as a scenario file would read it."""
        is_option = name in OPTIONS
        try:
            checked = Document.model_validate({"options": {name: value}} if is_option else {name: value})
        except ValidationError as error:
            detail = pydantic_faults(error)[0]
            self.faults.append(Fault(origin, line, name, "", *describe(detail, *_hint((name,)))))
            return
        if is_option:
            self.options[name] = getattr(checked.options, name)
        else:
            self.document[name] = getattr(checked, name)

    def apply(self, spec: dict[str, Any]) -> None:
        """Change the rows of a specification (lists of row models by collection) in place."""
        for key, (value, origin, line) in self.rows.items():
            head, code, field, *inner = key.split(".")
            rows: list[Row] = spec[SETTABLE[head]]
            index = next((i for i, row in enumerate(rows) if row.code == code), None)  # type: ignore[attr-defined]
            if index is None:
                codes = [row.code for row in rows]  # type: ignore[attr-defined]
                remedy = suggest(code, codes) or f"see 'offtake scenarios show' for the codes of {SETTABLE[head]}"
                self.faults.append(Fault(origin, line, key, "", f"there is no {head} '{code}'", remedy))
                continue
            try:
                rows[index] = _changed(rows[index], field, inner, value)
            except InputError as error:
                fault = error.faults[0]
                self.faults.append(Fault(origin, line, key, "", fault.message, fault.remedy))


def _changed(row: Row, field: str, inner: list[str], value: Scalar) -> Row:
    """A row with one field (or one entry of a table in it) replaced."""
    model = type(row)
    fixed = {"code", "recipes"}
    if field not in model.model_fields or field in fixed:
        known = [name for name in model.model_fields if name not in fixed]
        raise InputError.one(f"there is no field '{field}' to set", suggest_or_list(field, known))
    data = row.model_dump()
    if isinstance(data[field], dict):
        if len(inner) != 1 or inner[0] not in data[field]:
            raise InputError.one(f"'{field}' is a table", suggest_or_list(inner[0] if inner else "", data[field]))
        data[field][inner[0]] = value
    elif inner:
        raise InputError.one(f"'{field}' is not a table", f"leave out .{'.'.join(inner)}")
    else:
        data[field] = value
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError.one(*describe(pydantic_faults(error)[0], *_hint((field,)))) from None


# ---------------------------------------------------------------- from files to a specification


def load_scenario(name_or_path: str | Path, overrides: Mapping[str, Scalar] | None = None) -> WorldSpec:
    """Read a scenario by name or path, apply overrides, check everything, return the specification.

    Raises `InputError` with all faults: file, line, field, message, remedy.
    """
    files = _chain(scenario_path(name_or_path))
    known = _known_parameters()
    changes = _Overrides()
    for file in files:
        _take_parameters(file, changes, known)
        for key, value in file.document.set.items():
            changes.add(key, value, file.path.name, file.line(("set", key)), known)
    for key, value in (overrides or {}).items():
        changes.add(key, value, "--set", None, known)
    merged = _merge(files) | changes.document
    merged["options"] = _merged_options(files) | changes.options
    faults = [*changes.faults, *_head_faults(files, merged)]
    if faults:
        raise InputError(faults)

    rows, origins, numbers = _rows(files, merged, changes.options.get("dated_events"))
    changes.faults.clear()
    changes.apply(rows)
    if changes.faults:
        raise InputError(changes.faults)
    options = merged["options"]
    spec = WorldSpec(
        name=merged["name"],
        title=merged["title"],
        description=merged["description"],
        start=merged["start"],
        end=merged["end"],
        burn_in_weeks=merged.get("burn_in_weeks") or 0,
        constant_demand=options["demand"] == "constant",
        demand_variant="low" if options["demand"] == "low" else "base",
        still=options["still"],
        strategies=options["strategies"],
        **rows,
        knowhow=numbers["knowhow"],
        parameters=numbers["parameters"] | changes.parameters,
    )
    for check in (check_spec, _contract_ends):  # the second needs what the first has found in order
        faults = [_place(issue, spec, files[-1], origins) for issue in check(spec)]
        if faults:
            raise InputError(dict.fromkeys(faults))
    return spec


def check_scenario(path: str | Path) -> list[Fault]:
    """All faults of a scenario file; an empty list means it can be run."""
    try:
        load_scenario(path)
    except InputError as error:
        return list(error.faults)
    return []


def scenario_hash(spec: WorldSpec) -> str:
    """SHA-256 of what a specification says about the world; titles and descriptions do not count."""
    content = spec.model_dump(mode="json", exclude={"title", "description"})
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _take_parameters(file: _File, changes: _Overrides, known: Mapping[str, str]) -> None:
    """The `[parameters]` of a file; unknown names and numbers that are none are faults."""
    for name, value in file.document.parameters.items():
        line = file.line(("parameters", name))
        if name in known:
            changes.parameter(known[name], value, Fault(file.path.name, line, "parameters", name, "", ""))
        else:
            remedy = suggest(name, known) or "see env/params.py for the names"
            changes.faults.append(Fault(file.path.name, line, "parameters", name, "is not a known parameter", remedy))


def _merge(files: list[_File]) -> dict[str, Any]:
    """Single values of the chain, the later file winning; a base's name and texts are not inherited."""
    merged: dict[str, Any] = {}
    for file in files:
        for name in SCALARS:
            value = getattr(file.document, name)
            if value is not None:
                merged[name] = value
    own = files[-1].document
    merged["name"] = own.name or files[-1].path.stem
    merged["title"], merged["description"] = own.title or "", (own.description or "").strip()
    return merged


def _merged_options(files: list[_File]) -> dict[str, Any]:
    options: dict[str, Any] = {"demand": "base", "dated_events": True, "strategies": True, "still": False}
    for file in files:
        options |= file.document.options.model_dump(exclude_none=True)
    return options


def _head_faults(files: list[_File], merged: Mapping[str, Any]) -> Iterator[Fault]:
    """Source, name and dates, which must be right before a world can be built."""
    file = files[-1]
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", merged["name"]):
        yield file.fault(("name",), f"'{merged['name']}' has the wrong form", "write lower-case letters, digits, _")
    if "source" not in merged:
        remedy = 'write source = "facts", source = "inline" or base = "baseline"'
        yield file.fault(("source",), "is missing", remedy)
    for name, example in (("start", "2025-01-06"), ("end", "2035-12-31")):
        if name not in merged:
            yield _date_fault(files, name, "is missing", f"write {name} = {example}")
    start, end = merged.get("start"), merged.get("end")
    if start and start.weekday() != 0:
        monday = date.fromordinal(start.toordinal() - start.weekday())
        yield _date_fault(files, "start", f"{start} is a {start:%A}, weeks start on Mondays", f"write {monday}")
    if start and end and end <= start:
        yield _date_fault(files, "end", f"{end} is not after start {start}", "write a later date")


def _date_fault(files: list[_File], name: str, message: str, remedy: str) -> Fault:
    """A fault of a date, placed in the file of the chain that sets it."""
    for file in reversed(files):
        if (name,) in file.lines:
            return file.fault((name,), message, remedy)
    return Fault(files[-1].path.name, None, "", name, message, remedy)


Origins = dict[tuple[str, int], tuple[_File, int]]


def _rows(
    files: list[_File], merged: Mapping[str, Any], dated: bool | None
) -> tuple[dict[str, list[Any]], Origins, dict[str, dict[str, float]]]:
    """All rows by collection, where each came from, and the named numbers (know-how, parameters)."""
    rows: dict[str, list[Any]] = {name: [] for name in LISTS}
    numbers: dict[str, dict[str, float]] = {"knowhow": {}, "parameters": {}}
    if merged["source"] == "facts":
        from env.from_facts import world_spec

        spec = world_spec(load_facts(), dict(merged))
        rows = {name: list(getattr(spec, name)) for name in LISTS}
        numbers = {"knowhow": dict(spec.knowhow), "parameters": dict(spec.parameters)}
    kept = _files_with_events(files, dated)
    if kept < 0:
        rows["events"] = []
    origins: Origins = {}
    for depth, file in enumerate(files):
        for name in LISTS:
            if name == "events" and depth < kept:
                rows[name] = []
                continue
            for index, row in enumerate(getattr(file.document, name)):
                origins[name, len(rows[name])] = (file, index)
                rows[name].append(row)
        numbers["knowhow"] |= file.document.knowhow
    if dated is False:
        rows["events"] = []
    return rows, origins, numbers


def _files_with_events(files: list[_File], dated: bool | None) -> int:
    """Depth of the first file whose events count.

    A file that says `dated_events = false` drops the events of the files below it and keeps its own;
    `--set dated_events=false` drops them all.
    """
    if dated is not None:
        return 0 if dated else len(files)
    for depth in range(len(files) - 1, -1, -1):
        said = files[depth].document.options.dated_events
        if said is not None:
            return 0 if said else depth
    return 0


# ---------------------------------------------------------------- checks


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong with a row of a specification, before it is placed in a file."""

    collection: str
    index: int | None
    field: str
    message: str
    remedy: str = ""


def _place(issue: Issue, spec: WorldSpec, leaf: _File, origins: Origins) -> Fault:
    """Find file and line of an issue; rows from the fact tables are named by their code."""
    if issue.index is None:
        field = issue.field or issue.collection
        return Fault(leaf.path.name, leaf.line((field,)), "", field, issue.message, issue.remedy)
    row = getattr(spec, issue.collection)[issue.index]
    label = _label(issue.collection, row)
    if (issue.collection, issue.index) not in origins:
        return Fault("fact tables", None, label, issue.field, issue.message, issue.remedy)
    file, index = origins[issue.collection, issue.index]
    parts = (int(part) if part.isdigit() else part for part in issue.field.split("."))
    place: Place = (issue.collection, index, *parts)
    return Fault(file.path.name, file.line(place), label, issue.field, issue.message, issue.remedy)


def _label(collection: str, row: object) -> str:
    """How a row is called in messages: its code, or what identifies it."""
    for names in (
        ("code",), ("origin", "destination"), ("date", "actor"), ("holder", "node", "good"), ("party", "node", "good"),
        ("importer", "origin", "good_class"), ("exporter", "good_class"),
    ):  # fmt: skip
        if all(hasattr(row, name) for name in names):
            return f"{collection} " + " / ".join(str(getattr(row, name)) for name in names)
    return collection


def check_spec(spec: WorldSpec) -> Iterator[Issue]:
    """Everything a world needs that no single row can show."""
    yield from _whole(spec)
    yield from _duplicates(spec)
    yield from _references(spec)
    yield from _numbers(spec)
    yield from _lanes_and_dates(spec)
    yield from _contracts(spec)
    yield from _recipes(spec)
    yield from _events(spec)


def _whole(spec: WorldSpec) -> Iterator[Issue]:
    """There must be a place, a good, a party, and someone who wants something."""
    for name in ("nodes", "goods", "parties"):
        if not getattr(spec, name):
            yield Issue(name, None, name, "there are none", f"add at least one [[{name}]]")
    if not any(t > 0 for use in spec.uses for t in use.goods_t.values()):
        yield Issue("uses", None, "uses", "nobody wants anything", "add a [[uses]] with goods_t above 0")


_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("nodes", ("code",)),
    ("places", ("code",)),
    ("goods", ("code",)),
    ("parties", ("code",)),
    ("sites", ("code",)),
    ("uses", ("code",)),
    ("lanes", ("origin", "destination")),
    ("stocks", ("holder", "node", "good")),
    ("traders", ("party", "node", "good")),
    ("tariffs", ("importer", "origin", "good_class", "legal_basis", "valid_from")),
    ("export_taxes", ("exporter", "good_class", "valid_from", "vat_rate")),
)


def _duplicates(spec: WorldSpec) -> Iterator[Issue]:
    """Rows with the same code."""
    for collection, key in _KEYS:
        seen: set[tuple[Any, ...]] = set()
        for index, row in enumerate(getattr(spec, collection)):
            value = tuple(getattr(row, name) for name in key)
            if value in seen:
                shown = " / ".join(str(part) for part in value)
                yield Issue(collection, index, key[0], f"'{shown}' stands there twice", "rename or remove one of them")
            seen.add(value)


def _references(spec: WorldSpec) -> Iterator[Issue]:
    """Codes that must exist: nodes, places, goods, parties, holders."""
    nodes = {row.code for row in spec.nodes}
    places = nodes | {row.code for row in spec.places}
    goods = {row.code for row in spec.goods}
    parties = {row.code for row in spec.parties}
    sites, uses = {row.code for row in spec.sites}, {row.code for row in spec.uses}
    holders = sites | uses | parties
    columns: tuple[tuple[str, str, set[str], str], ...] = (
        ("places", "node", nodes, "node"),
        ("parties", "place", places, "place"),
        ("sites", "party", parties, "party"),
        ("sites", "node", nodes, "node"),
        ("sites", "feed_firm", parties, "party"),
        ("uses", "party", parties, "party"),
        ("uses", "node", nodes, "node"),
        ("lanes", "origin", nodes, "node"),
        ("lanes", "destination", nodes, "node"),
        ("tariffs", "importer", places, "place"),
        ("tariffs", "origin", places | {"ALL"}, "place"),
        ("tariffs", "good_class", good_classes(spec), "good or class of goods"),
        ("export_taxes", "exporter", places, "place"),
        ("export_taxes", "good_class", good_classes(spec), "good or class of goods"),
        ("contracts", "seller", parties, "party"),
        ("contracts", "buyer", parties, "party"),
        ("contracts", "good", goods, "good"),
        ("contracts", "seller_node", nodes, "node"),
        ("contracts", "buyer_node", nodes, "node"),
        ("contracts", "seller_holder", holders | {""}, "site, use or party"),
        ("contracts", "buyer_holder", holders | {""}, "site, use or party"),
        ("stocks", "holder", holders, "site, use or party"),
        ("stocks", "node", nodes, "node"),
        ("stocks", "good", goods, "good"),
        ("traders", "party", parties, "party"),
        ("traders", "node", nodes, "node"),
        ("traders", "good", goods, "good"),
        ("events", "actor", parties, "party"),
    )
    for collection, column, known, what in columns:
        for index, row in enumerate(getattr(spec, collection)):
            value = getattr(row, column)
            if value is not None and value not in known:
                yield Issue(collection, index, column, f"there is no {what} '{value}'", suggest_or_list(value, known))
    for index, use in enumerate(spec.uses):
        yield from _unknown_goods("uses", index, "goods_t", use.goods_t, goods)
    for index, good in enumerate(spec.goods):
        yield from _unknown_goods("goods", index, "payable_content", good.payable_content, goods)
    for index, site in enumerate(spec.sites):
        for number, recipe in enumerate(site.recipes):
            for side in ("inputs_kg_per_kg", "outputs_kg_per_kg"):
                yield from _unknown_goods("sites", index, f"recipes.{number}.{side}", getattr(recipe, side), goods)


def good_classes(spec: WorldSpec) -> set[str]:
    """What a tariff, tax or command may be about: a good, a stage, `oxide light`, a customs class, or all."""
    stages = set(get_args(GoodStage))
    groups = {f"{good.stage} {good.group}" for good in spec.goods}
    return {good.code for good in spec.goods} | stages | groups | set(get_args(TariffClass)) | {"all"}


def _unknown_goods(
    collection: str, index: int, field: str, named: Mapping[str, float], goods: set[str]
) -> Iterator[Issue]:
    for name in named:
        if name not in goods:
            yield Issue(collection, index, field, f"there is no good '{name}'", suggest_or_list(name, goods))


def _numbers(spec: WorldSpec) -> Iterator[Issue]:
    """NaN and infinity, wherever a float may stand."""
    for collection in LISTS:
        for index, row in enumerate(getattr(spec, collection)):
            for name in type(row).model_fields:
                value = getattr(row, name)
                if isinstance(value, float) and not math.isfinite(value):
                    yield Issue(collection, index, name, f"{value} is not a finite number", "write a number")


def _lanes_and_dates(spec: WorldSpec) -> Iterator[Issue]:
    """Lanes that lead somewhere; dates in order; tariff rows of one legal basis that do not overlap."""
    for index, lane in enumerate(spec.lanes):
        if lane.origin == lane.destination:
            yield Issue("lanes", index, "destination", f"the lane leads from {lane.origin} to itself", "remove it")
    spans: dict[tuple[str, ...], list[tuple[date, date, int]]] = defaultdict(list)
    for index, row in enumerate(spec.tariffs):
        end = row.valid_to or date.max
        if end < row.valid_from:
            yield Issue(
                "tariffs", index, "valid_to", f"{end} is before valid_from {row.valid_from}", "correct the dates"
            )
        else:
            spans[row.importer, row.origin, row.good_class, row.legal_basis].append((row.valid_from, end, index))
    for found in spans.values():
        found.sort()
        for (_, end, _), (start, _, index) in pairwise(found):
            if start <= end:
                message = "overlaps another row of the same importer, origin, good class and legal basis"
                yield Issue("tariffs", index, "valid_from", message, "end one the day before the other starts")


def _contracts(spec: WorldSpec) -> Iterator[Issue]:
    """Dates in order, one contract per code at a time, a price where the price is fixed."""
    seen: dict[str, tuple[date, date]] = {}
    for index, row in enumerate(spec.contracts):
        if row.end < row.start:
            yield Issue(
                "contracts", index, "end", f"{row.end} is before start {row.start}", "exchange or correct the dates"
            )
        if row.price_rule == "fixed" and row.price_usd_per_kg <= 0:
            yield Issue("contracts", index, "price_usd_per_kg", "is 0 in a fixed-price contract", "write USD per kg")
        if row.code in seen:
            start, end = seen[row.code]
            overlap = row.start <= end and start <= row.end
            message = f"'{row.code}' overlaps a contract of the same code ({start} to {end})"
            if not overlap:
                message = f"'{row.code}' stands there twice"
            yield Issue("contracts", index, "code", message, "give each contract its own code")
        seen[row.code] = (row.start, row.end)


def _contract_ends(spec: WorldSpec) -> Iterator[Issue]:
    """Sellers that sell the good at the node, buyers that buy it there."""
    from env.build import who_trades  # late: reading a file must not need the engine

    sells, buys = who_trades(spec)
    for index, row in enumerate(spec.contracts):
        for end, verb, known in (("seller", "sells", sells), ("buyer", "buys", buys)):
            party, node, holder = (getattr(row, end + suffix) for suffix in ("", "_node", "_holder"))
            names = (holder, f"{holder}@{node}") if holder else ("",)
            if not any((party, node, name, row.good) in known for name in names):
                message = f"{party} {verb} no {row.good} at {f'{holder}, ' if holder else ''}{node}"
                remedy = f"name a party that {verb} it there, or add its site, use or trading desk"
                yield Issue("contracts", index, end, message, remedy)


# where ore, scrap and by-products enter the world: nothing of this world goes in
_SOURCES = {"mine", "byproduct"}


def _recipes(spec: WorldSpec) -> Iterator[Issue]:
    """No recipe may make rare earths out of nothing (contained REO out <= in)."""
    reo = {good.code: good.reo_kg_per_kg for good in spec.goods}
    for index, site in enumerate(spec.sites):
        for number, recipe in enumerate(site.recipes):
            if site.stage in _SOURCES or (site.stage == "recycling" and not recipe.inputs_kg_per_kg):
                continue  # recycling without inputs takes old magnets from outside the world
            taken = sum(q * reo.get(good, 0.0) for good, q in recipe.inputs_kg_per_kg.items())
            made = sum(q * reo.get(good, 0.0) for good, q in recipe.outputs_kg_per_kg.items())
            if made > taken * (1 + 1e-6) + 1e-9:
                message = f"batch {recipe.batch} makes {made:.4g} kg REO out of {taken:.4g} kg"
                remedy = "lower outputs_kg_per_kg or raise inputs_kg_per_kg"
                yield Issue("sites", index, f"recipes.{number}.outputs_kg_per_kg", message, remedy)


def _events(spec: WorldSpec) -> Iterator[Issue]:
    """Commands that exist and are well formed, after the start, about things that exist."""
    from env.commands import KINDS  # late, like all of the engine: reading a file must not need it

    goods = {row.code for row in spec.goods}
    known: dict[str, tuple[set[str], str]] = {
        "goods": (good_classes(spec), "good or class of goods"),
        "good": (goods, "good"),
        "origin": ({row.code for row in spec.nodes} | {row.code for row in spec.places}, "place"),
        "sites": ({row.code for row in spec.sites}, "site"),
        "to": ({row.code for row in spec.parties}, "party"),
        "elements": ({element for row in spec.goods for element in row.elements}, "element"),
    }
    known |= {"destination": (known["origin"][0] | {"ALL"}, "place"), "site": known["sites"]}
    for index, event in enumerate(spec.events):
        if event.date < spec.start:
            message = f"{event.date} is before the scenario starts on {spec.start}"
            yield Issue("events", index, "date", message, "write a later date")
        kind = event.command.get("kind")
        if kind is None:
            yield Issue("events", index, "command.kind", "is missing", 'write kind = "set_quota" or another command')
            continue
        model = KINDS.get(str(kind))
        if model is None:
            remedy = suggest_or_list(str(kind), KINDS, limit=30)
            yield Issue("events", index, "command.kind", f"there is no command '{kind}'", remedy)
            continue
        try:
            model.model_validate(event.command)
        except ValidationError as error:
            for detail in pydantic_faults(error):
                field = str(detail["loc"][0])
                message, remedy = describe(detail, *_hint((field,)))
                if detail["type"] == "extra_forbidden":
                    remedy = suggest_or_list(field, model.model_fields)
                yield Issue("events", index, f"command.{field}", message, remedy)
        for field, (names, what) in known.items():
            value = event.command.get(field, [])
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and name not in names:
                    hint = suggest_or_list(name, names)
                    yield Issue("events", index, f"command.{field}", f"there is no {what} '{name}'", hint)
