"""Command logs (`commands.jsonl`): one JSON object a line, checked whole before any of it is played."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from env import Fault, InputError

ORIGINS = ("human", "event", "strategy")


def read_log(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """Line numbers and commands of a log, without its header.

    Raises `InputError` with every fault: file, line, field.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError.one("there is no such file", "name a commands.jsonl of a run", file=str(path))
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise InputError.one("is not UTF-8 text", "name a commands.jsonl of a run", file=str(path)) from None
    except OSError as error:
        raise InputError.one(f"cannot be read: {error.strerror}", "check the file", file=str(path)) from None
    rows: list[tuple[int, dict[str, Any]]] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            message = f"is not JSON: {reason}"
            faults.append(Fault(file.name, number, "", "", message, "one JSON object a line, numbers finite"))
            continue
        if number == 1 and isinstance(entry, dict) and "kind" not in entry and "actor" not in entry:
            continue  # the header
        found = list(_faults(file.name, number, entry))
        if not found:
            if isinstance(entry.get("body"), dict) and entry["kind"]:
                entry["body"].setdefault("kind", entry["kind"])
            rows.append((number, entry))
        faults += found
    if not any(line.strip() for line in lines):
        faults.append(Fault(file.name, None, "", "", "is empty", "name a commands.jsonl of a run"))
    if faults:
        raise InputError(faults)
    return rows


def check_header(path: str | Path, scenario: str, digest: str, seed: int) -> None:
    """A log with a header must come from this scenario (by its hash) and this seed.

    Raises `InputError` naming both sides.  Logs written by hand have no header and pass.
    """
    file = Path(path)
    with file.open(encoding="utf-8") as lines:
        try:
            head = json.loads(lines.readline())
        except ValueError:  # `read_log` reports it
            return
    if not isinstance(head, dict) or "kind" in head or "actor" in head:
        return
    theirs = (head.get("scenario_hash", digest), head.get("seed", seed))
    if theirs == (digest, seed):
        return
    played = f"scenario {head.get('scenario', '?')} (hash {str(theirs[0])[:12]}), seed {theirs[1]}"
    changed = head.get("overrides")
    if isinstance(changed, dict) and changed:
        played += "".join(f", --set {key}={value}" for key, value in changed.items())
    message = f"the log is of {played}, not of scenario {scenario} (hash {digest[:12]}), seed {seed}"
    raise InputError.one(message, "replay it with the scenario, --seed and --set it was played with", file=file.name)


def _faults(file: str, number: int, entry: object) -> Iterator[Fault]:
    """What is wrong with one command."""
    if not isinstance(entry, dict):
        yield Fault(file, number, "", "", "is not a JSON object", 'write {"date": ..., "actor": ..., "kind": ...}')
        return
    body = entry.get("body")
    for name in ("date", "actor", "kind"):
        value = entry.get(name)
        if name == "kind" and value == "" and isinstance(body, dict):
            continue  # a refused command may have had none
        if not isinstance(value, str) or not value:
            yield Fault(file, number, "", name, "is missing or not a text", f'write "{name}": "..."')
    if isinstance(entry.get("date"), str) and entry["date"]:
        try:
            date.fromisoformat(entry["date"])
        except ValueError:
            remedy = "write YYYY-MM-DD, for instance 2025-01-06"
            yield Fault(file, number, "", "date", f"'{entry['date']}' is not a date", remedy)
    if body is not None and not isinstance(body, dict):
        yield Fault(file, number, "", "body", "is not a JSON object", 'write "body": {"kind": ..., ...}')
    if entry.get("origin", "human") not in ORIGINS:
        message = f"{entry['origin']!r} is not one of {', '.join(ORIGINS)}"
        yield Fault(file, number, "", "origin", message, 'write "human", or leave it out')


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")
