"""Reference pages written from the code: `python -m experiments.docs` writes them, `--check` says what is out of date.

Pages: parameters, commands, instruments, strategies; schemas: command, observation; and the numbers behind parameter
names on the page about the model, which is otherwise written by hand.  Everything on the other pages is read off
the engine (tables, models, docstrings), so that page and program cannot disagree.  Modules of the engine that its
`__init__` does not export are reached by name here, for reading only.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from agents import BUILT_IN
from env import MAY, command_schema, load_facts, load_scenario
from experiments.docs_observation import DRAFT, observation_json, words_of

ROOT = Path(__file__).resolve().parents[1]
HEAD = "<!-- Written by `python -m experiments.docs`; change the code, not this page. -->\n\n"


# ---------------------------------------------------------------- text


def _full(text: str) -> str:
    """A docstring with its paragraphs kept, each on one line."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def _senders(kind: str) -> list[str]:
    """Kinds of party that may send a kind of command."""
    return [party for party, kinds in MAY.items() if kind in kinds]


# ---------------------------------------------------------------- parameters


def _unused(names: Iterable[str]) -> set[str]:
    """Parameters whose quoted name stands nowhere in the engine but in its table."""
    paths = [path for layer in ("env", "agents") for path in (ROOT / layer).rglob("*.py") if path.name != "params.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return {name for name in names if f'"{name}"' not in text}


def parameters_page() -> str:
    """docs/parameters.md."""
    module = importlib.import_module("env.params")
    priors = {(r.group, r.parameter, r.scope): r for r in load_facts().priors}
    unused = _unused(module.TABLE)
    groups: dict[str, list[str]] = {}
    for name in module.TABLE:
        groups.setdefault(name.split(".")[0], []).append(name)
    out = [
        HEAD,
        "# Parameters\n\n",
        "Numbers of behaviour and physics, one table. A scenario file changes them under `[parameters]`, a command "
        "line by `--set NAME=VALUE`, for instance `--set demand.noise=0`.\n\n",
        'Worlds built from the fact tables (`source = "facts"`, such as the baseline) take the value in the column '
        "*facts* where there is one: it is a row of `env/data/priors.csv`. All other worlds take the default. "
        "Parameters without a prior are design choices of the model, not observations. Kind and confidence are those "
        "of [the data](data.md); most priors are estimates.\n\n",
        "Where the meaning ends with **no effect yet**, no rule of the model reads the number.\n",
    ]
    for group, names in groups.items():
        rows = []
        for name in names:
            default, unit, meaning = module.TABLE[name]
            key = module.FROM_PRIORS.get(name)
            row = priors.get(key) if key else None
            fact = f"{float(row.value):g}" if row else ""
            band = ""
            if row is not None and row.low is not None and row.high is not None:
                band = f"{row.low:g} to {row.high:g}"
            source = f"{' / '.join(key)}: {row.kind}, {row.confidence}; {row.source}" if key and row else ""
            words = meaning + (" (**no effect yet**)" if name in unused else "")
            rows.append((f"`{name}`", f"{default:g}", fact, band, unit, words, source))
        head = ("name", "default", "facts", "range", "unit", "meaning", "prior (group / parameter / scope)")
        out.append(f"\n## {group}\n\n" + _table(head, rows))
    return "".join(out)


# ---------------------------------------------------------------- commands


def _type_of(schema: Mapping[str, Any]) -> str:
    """A field's type and bounds in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type_of(part) for part in schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{v}`" for v in schema["enum"])
    kind = {"null": "nothing", "integer": "whole number", "boolean": "true or false"}.get(
        schema.get("type", ""), schema.get("type", "any")
    )
    if schema.get("format") == "date":
        kind = "date"
    elif schema.get("pattern") == r"^[A-Z]{3}$":
        kind = "place code (three capitals)"
    elif kind == "array":
        kind = "list of " + _type_of(schema.get("items", {})) + "s"
        if schema.get("minItems"):
            kind += f", at least {schema['minItems']}"
    signs = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    bounds = [f"{sign} {schema[word]:g}" for word, sign in signs if word in schema]
    return kind + (f", {', '.join(bounds)}" if bounds else "")


def _fields(schema: Mapping[str, Any]) -> str:
    """Table of the fields of one kind of command."""
    needed = set(schema.get("required", []))
    rows = []
    for name, field in schema["properties"].items():
        if name == "kind":
            continue
        default = json.dumps(field.get("default", [] if field.get("type") == "array" else None))
        words = {"null": "nothing", "[]": "empty list"}.get(default, default)
        rows.append((f"`{name}`", _type_of(field), "required" if name in needed else words))
    return _table(("field", "type", "default"), rows) if rows else "No fields.\n"


def _command_models() -> dict[str, Mapping[str, Any]]:
    """Kind of command -> its JSON schema, in the order of the union."""
    whole = command_schema()
    mapping = whole["discriminator"]["mapping"]
    order = [ref["$ref"] for ref in whole["oneOf"]]
    by_ref = {ref: kind for kind, ref in mapping.items()}
    return {by_ref[ref]: whole["$defs"][ref.rsplit("/", 1)[1]] for ref in order}


def commands_page() -> str:
    """docs/commands.md."""
    models = _command_models()
    most = importlib.import_module("env.roles").MOST_COMMANDS_A_WEEK
    kinds = list(MAY)
    acting = [k for k in kinds if MAY[k]]
    out = [
        HEAD,
        "# Commands\n\n",
        "What a seat can ask for. A command is a wish: the world checks who sends it and whether it fits, carries it "
        "out or refuses it with a reason. It never raises an error, and every command is logged in `commands.jsonl` "
        "with its fate. The same documents come from strategies, people, files and dated events. "
        "The JSON schema is [schemas/command.json](schemas/command.json).\n\n",
        f"At most {most} commands of a strategy are taken from one seat in one week. Unknown fields are refused. "
        "Tonnes are metric, prices USD/kg ex VAT, rates shares (0.1 = 10 %). `weeks` counts from the week the command "
        "is given; nothing = until replaced. Goods may be named by code (`dy_oxide`), by stage (`oxide`, `magnet` "
        "...), by stage and group (`oxide heavy`) or as `all`.\n\n",
        "## Who may send what\n\n",
        _table(
            ("kind of command", *acting),
            ((f"[`{kind}`](#{kind})", *("yes" if kind in MAY[k] else "" for k in acting)) for kind in models),
        ),
        f"\nParties of kind {', '.join(k for k in kinds if not MAY[k])} send nothing.\n",
    ]
    for kind, schema in models.items():
        out.append(f"\n## {kind}\n\n{_full(schema.get('description', ''))}\n\n")
        out.append(f"Sent by: {', '.join(_senders(kind)) or 'nobody'}.\n\n{_fields(schema)}")
    return "".join(out)


def command_json() -> str:
    """docs/schemas/command.json."""
    schema = {"$schema": DRAFT, "title": "Offtake command", **command_schema()}
    schema["x-may-send"] = {kind: _senders(kind) for kind in _command_models()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------- instruments


def instruments_page() -> str:
    """docs/instruments.md."""
    base = importlib.import_module("env.instruments")
    models = _command_models()
    hooks = [n for n, f in vars(base.Handler).items() if inspect.isfunction(f) and n != "scope"]
    out = [
        HEAD,
        "# Instruments\n\n",
        "Policy instruments in force. Each is one file in `env/instruments/`: the command that set it, kept as its "
        "terms, and a handler with a fixed set of hooks. A new rule about the same object replaces the old one. "
        "How the effects work together is told in [the model](model.md#policy).\n\n",
        _table(("hook", "what it may do"), ((f"`{h}`", words_of(getattr(base.Handler, h))) for h in hooks)),
        "\nThree further policy levers are parts of commands rather than instruments: offtakes (`offer`), "
        "withholding (`hold`) and project decisions; see [commands](commands.md).\n",
    ]
    for kind, handler in base.HANDLERS.items():
        own = type(handler)
        module = inspect.getmodule(own)
        used = [h for h in hooks if h in vars(own)]
        out.append(f"\n## {kind}\n\n{_full(module.__doc__ or '')}\n\n{_full(own.__doc__ or '')}\n\n")
        out.append(f"- set by: {', '.join(_senders(kind)) or 'nobody'}\n")
        out.append(f"- identity: {words_of(own.scope) if 'scope' in vars(own) else 'One rule per actor.'}\n")
        for hook in used:
            out.append(f"- `{hook}`: {words_of(getattr(own, hook))}\n")
        out.append(f"\nTerms ({_full(models[kind].get('description', '')).splitlines()[0]})\n\n{_fields(models[kind])}")
        out.append(f"\nCode: `{own.__module__}`.\n")
    return "".join(out)


# ---------------------------------------------------------------- strategies


def strategies_page() -> str:
    """docs/strategies.md."""
    seats = importlib.import_module("agents.kinds").KIND_CLASS
    special: dict[str, str] = importlib.import_module("agents.casting").SPECIAL
    defaults: dict[str, list[str]] = {}
    for kind, seat in seats.items():
        defaults.setdefault(seat.default_strategy, []).append(kind)
    for party, name in special.items():
        defaults.setdefault(name, []).append(f"the seat `{party}`")
    out = [
        HEAD,
        "# Strategies\n\n",
        "A strategy is a function or an object with `decide(observation, rng) -> list of commands`. It sees only its "
        "[observation](schemas/observation.json) and answers with [commands](commands.md). The built-in ones are "
        "small on purpose: they are the defaults a person, a student's file or a learning agent replaces "
        "(`--strategy SEAT=FILE`).\n\n## Rhythm of the seats\n\n",
        "Seats take turns: a seat decides in every week in which (week + its number) divides by its rhythm, and at "
        "once when news of the listed kinds comes in that is not about itself.\n\n",
        _table(
            ("kind of party", "decides every", "wakes on news of kind", "default strategy"),
            (
                (k, f"{s.every_weeks} weeks", ", ".join(s.wakes_on) or "nothing", f"`{s.default_strategy}`")
                for k, s in seats.items()
            ),
        ),
        "\nTraders and lenders have no seat; traders follow a rule of the market ",
        "(see [the model](model.md#traders)).\n",
    ]
    for name, path in BUILT_IN.items():
        module = importlib.import_module(path)
        card = module.Strategy.card
        out.append(f"\n## {name}\n\n{card.summary[0].upper()}{card.summary[1:]}. {_full(module.__doc__ or '')}\n\n")
        out.append(f"- made for: {', '.join(card.kinds)}\n")
        out.append(f"- default of: {', '.join(defaults.get(name, [])) or 'nobody'}\n")
        if card.source:
            out.append(f"- after: {card.source.replace('systems ', '[systems](systems.md) ', 1)}\n")
        out.append(f"- file: `{path.replace('.', '/')}.py`\n")
        doctrine = getattr(module, "Doctrine", None)
        if doctrine is not None:
            rows = ((f"`{f.name}`", f.default) for f in dataclasses.fields(doctrine))
            out.append(f"\nDoctrine: {words_of(doctrine)}\n\n{_table(('weight', 'default'), rows)}")
    return "".join(out)


# ---------------------------------------------------------------- numbers in prose

NAMED = r"`(?P<name>[a-z]+\.\w+)`(?P<gap>\s+)\([\d.]+(?P<percent>\s+%)?\)"


def model_page() -> str:
    """docs/model.md with the numbers behind parameter names, as in `index.d` (0.9), brought up to date."""
    module = importlib.import_module("env.params")
    facts = load_scenario("still").parameters
    values = {name: facts.get(name, row[0]) for name, row in module.TABLE.items()}

    def fresh(match: re.Match[str]) -> str:
        if match["name"] not in values:
            return match[0]
        value = values[match["name"]]
        shown = f"{100 * value:g}{match['percent']}" if match["percent"] else f"{value:g}"
        return f"`{match['name']}`{match['gap']}({shown})"

    return re.sub(NAMED, fresh, (ROOT / "docs/model.md").read_text(encoding="utf-8"))


# ---------------------------------------------------------------- all of them

PAGES = {
    "docs/model.md": model_page,
    "docs/parameters.md": parameters_page,
    "docs/commands.md": commands_page,
    "docs/instruments.md": instruments_page,
    "docs/strategies.md": strategies_page,
    "docs/schemas/command.json": command_json,
    "docs/schemas/observation.json": observation_json,
}


def outdated(root: Path = ROOT) -> list[str]:
    """Generated files that differ from what the code says now."""
    old = []
    for name, make in PAGES.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != make():
            old.append(name)
    return old


def write(root: Path = ROOT) -> list[str]:
    """Write what differs; returns the names written."""
    names = outdated(root)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGES[name](), encoding="utf-8")
    return names


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a page is out of date.")
def main(check: bool) -> None:
    """Write the reference pages that come from the code."""
    names = outdated() if check else write()
    for name in names:
        click.echo(f"{name}: {'out of date; run python -m experiments.docs' if check else 'written'}", err=check)
    if check and names:
        sys.exit(1)


if __name__ == "__main__":
    main()
