"""``python -m benchmarks NAME [options]`` runs ``benchmarks.NAME.main(options)``.

``python -m benchmarks [all] [--out FOLDER] [options]`` runs every one of them with these options, writes
FOLDER/NAME.json and ends with one table.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run(argv: list[str]) -> int:
    """Dispatch to the named benchmark; without a known name, list the names."""
    names = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
    if not argv or argv[0] == "all":
        return run_all(names, argv[1:])
    if argv[0] not in names:
        print("usage: python -m benchmarks NAME [options]; names: all,", ", ".join(names))
        return 2
    return int(importlib.import_module(f"benchmarks.{argv[0]}").main(argv[1:]) or 0)


def _goals(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Goals of a result file; `clearing` writes ratios by market."""
    if result["benchmark"] != "clearing":
        return list(result["goals"])
    from benchmarks.clearing import GOALS

    rows = []
    for market in ("week", "big"):
        for name, ratio in result[market]["ratios"].items():
            if name in GOALS:
                least = name.startswith("LP")
                row = {
                    "id": "P1b" if name.startswith("quota") else "P1",
                    "what": f"{market}: {name}",
                    "goal": GOALS[name],
                }
                ok = ratio >= GOALS[name] if least else ratio <= GOALS[name]
                rows.append(row | {"least": least, "measured": ratio, "digits": 2, "ok": ok})
    return rows


def run_all(names: list[str], options: list[str]) -> int:
    """Every benchmark in a process of its own, one after the other; 1 when any of them failed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "--out" in options:
            at = options.index("--out")
            folder = Path(options[at + 1])
            folder.mkdir(parents=True, exist_ok=True)
            options = options[:at] + options[at + 2 :]
        codes = {}
        for name in names:
            print(f"\n==== {name}", flush=True)
            argv = [sys.executable, "-m", "benchmarks", name, *options, "--out", str(folder / f"{name}.json")]
            codes[name] = subprocess.run(argv, cwd=Path(__file__).parent.parent).returncode
        print("\n==== all goals")
        for name in names:
            path = folder / f"{name}.json"
            for g in _goals(json.loads(path.read_text())) if path.exists() else []:
                sign, ok = ">=" if g["least"] else "<=", "yes" if g["ok"] else "no"
                print(f"  {g['id']:4} {g['what']:72} {sign} {g['goal']:<6g} {g['measured']:>10.{g['digits']}f}  {ok}")
            if codes[name]:
                print(f"  {name} ended with {codes[name]}")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
