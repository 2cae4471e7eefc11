"""`offtake doctor`: what is installed, what will not work and why, and what to do about it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("agents", "env", "viz", "experiments")
#: package -> what needs it
NEEDED = {
    "click": "the command line",
    "rich": "printing tables",
    "pydantic": "reading facts and scenarios",
    "numpy": "the engine",
    "numba": "the engine (market clearing)",
    "mesa": "playing a scenario",
    "pandas": "tables of a run",
    "pyarrow": "writing a run",
    "solara": "the sandbox in the browser",
    "ipyvuetify": "the sandbox in the browser",
    "anywidget": "the sandbox in the browser",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PORTS = (8765, 8766)
CANNOT_START = 3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: `state` is ok, missing (optional) or broken (something needed fails)."""

    topic: str
    what: str
    state: str
    detail: str
    remedy: str = ""


def _packages() -> list[Finding]:
    findings = []
    for name, use in NEEDED.items():
        try:
            findings.append(Finding("packages", name, "ok", version(name)))
        except PackageNotFoundError:
            detail = f"not installed; needed for {use}"
            findings.append(Finding("packages", name, "broken", detail, f"pip install {name}"))
    return findings


def _ours() -> list[Finding]:
    """Each of our package names must lead to this checkout: another `agents` or `env` may come first."""
    findings = []
    for name in OURS:
        found = importlib.util.find_spec(name)
        places = list(found.submodule_search_locations or []) if found else []
        if any(Path(place).resolve() == ROOT / name for place in places):
            findings.append(Finding("imports", name, "ok", str(ROOT / name)))
        else:
            detail = f"Python finds {places[0] if places else 'nothing'}, not {ROOT / name}"
            remedy = f"start from {ROOT}, or remove the other package '{name}' from PYTHONPATH"
            findings.append(Finding("imports", name, "broken", detail, remedy))
    if (ROOT / "env" / "pyvenv.cfg").exists():
        remedy = "make it elsewhere: python -m venv .venv"
        findings.append(Finding("imports", "env", "broken", "a virtual environment was created inside env/", remedy))
    return findings


def _numba_cache() -> Finding:
    """Compiled code is kept between runs when its folder can be written."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(named) if named else ROOT / "env" / "__pycache__"
    compiled = len(list(folder.rglob("*.nbi"))) if folder.is_dir() else 0
    parent = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(parent, os.W_OK):
        remedy = "set NUMBA_CACHE_DIR to a folder you may write"
        return Finding(
            "engine", "compiled code", "missing", f"{folder} is read-only: every start compiles anew", remedy
        )
    if not compiled:
        return Finding("engine", "compiled code", "ok", "none yet: the first run compiles, later ones start at once")
    return Finding("engine", "compiled code", "ok", f"{compiled} functions kept in {folder}")


def _facts() -> Finding:
    """The shipped tables and scenarios must read without a fault."""
    from env import InputError, load_facts

    try:
        facts = load_facts()
    except InputError as error:
        return Finding("data", "fact tables", "broken", f"{len(error.faults)} faults, first: {error.faults[0]}")
    rows = sum(facts.counts().values())
    return Finding("data", "fact tables", "ok", f"{rows} rows, hash {facts.facts_hash()[:12]}")


def _scenarios() -> Finding:
    from env import check_scenario, list_scenarios

    wrong = {info.name: faults for info in list_scenarios() if (faults := check_scenario(info.path))}
    if wrong:
        name, faults = next(iter(wrong.items()))
        return Finding("data", "scenarios", "broken", f"{name}: {faults[0]}", f"offtake scenarios check {name}")
    return Finding("data", "scenarios", "ok", ", ".join(info.name for info in list_scenarios()))


def _browser() -> Finding:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        return Finding("browser", "chromium", "ok", found)
    detail = "not found: no screenshots; the sandbox itself opens in any browser you have"
    return Finding("browser", "chromium", "missing", detail, "install chromium")


def _ports() -> list[Finding]:
    findings = []
    for port in PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                findings.append(Finding("ports", str(port), "ok", "free"))
            except OSError:
                findings.append(Finding("ports", str(port), "missing", "in use", "offtake sandbox --port 8801"))
    return findings


def examine() -> list[Finding]:
    """All findings, in the order they are printed."""
    findings = [
        Finding("program", "python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("program", "cores", "ok", str(os.cpu_count() or 1)),
    ]
    try:
        findings.insert(0, Finding("program", "offtake", "ok", version("offtake")))
    except PackageNotFoundError:
        remedy = "pip install -e ."
        findings.insert(0, Finding("program", "offtake", "missing", f"not installed, running from {ROOT}", remedy))
    findings += [*_ours(), *_packages(), _numba_cache(), _browser(), *_ports()]
    if not any(finding.state == "broken" for finding in findings):
        findings += [_facts(), _scenarios()]
    return findings


def doctor(as_json: bool = False) -> int:
    """Print the findings; 0 when everything needed works, 3 when the engine cannot start."""
    findings = examine()
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings], "ok": not broken}, indent=1))
        return CANNOT_START if broken else 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    colours = {"ok": "", "missing": "yellow", "broken": "red"}
    topic = ""
    for finding in findings:
        text = finding.detail + (f" -> {finding.remedy}" if finding.remedy else "")
        head, topic = ("" if finding.topic == topic else finding.topic), finding.topic
        mark = "BROKEN: " if finding.state == "broken" else ""
        table.add_row(head, finding.what, escape(mark + text), style=colours[finding.state])
    console.print(table)
    if broken:
        console.print(f"\n{len(broken)} thing(s) must be repaired before anything runs.")
    else:
        missing = [finding.what for finding in findings if finding.state == "missing"]
        console.print("\nEverything needed is here." + (f" Without: {', '.join(missing)}." if missing else ""))
    return CANNOT_START if broken else 0
