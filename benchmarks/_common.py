"""What the benchmarks share: child processes with their CPU seconds, goals, tables, JSON.

Goals written as seconds hold for the machine they were written on, where one round of `benchmarks.reference_loop`
takes 1 CPU second.  Everywhere else they are scaled: *scaled seconds* = CPU seconds / CPU seconds of the reference
loop in the same run.  Nothing here is asserted in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SLACK = 1.5  # a benchmark fails only beyond this multiple of a goal
LEAST_ROUNDS = 5


@dataclass
class Goal:
    """One goal and what was measured.  `gate` False: reported, never fails."""

    id: str
    what: str
    goal: float
    measured: float
    least: bool = False
    gate: bool = True
    digits: int = 2

    @property
    def ok(self) -> bool:
        return self.measured >= self.goal if self.least else self.measured <= self.goal

    @property
    def failed(self) -> bool:
        far = self.measured < self.goal / SLACK if self.least else self.measured > self.goal * SLACK
        return self.gate and (far or not np.isfinite(self.measured))


@dataclass
class Child:
    """What a child process printed and used."""

    out: str
    err: str
    cpu: float  # user + system seconds
    rss_mb: float  # largest resident set
    code: int


def child(argv: list[str], *, cwd: Path = ROOT, check: bool = True, env: dict[str, str] | None = None) -> Child:
    """Run a program to its end, alone; CPU and memory are the operating system's figures for that process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(argv, stdout=out, stderr=err, cwd=cwd, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for handle in (out, err):
            handle.seek(0)
            texts.append(handle.read().decode("utf-8", "replace"))
    unit = 2**20 if sys.platform == "darwin" else 2**10
    done = Child(texts[0], texts[1], usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, process.returncode)
    if check and done.code:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.code}:\n{done.err[-2000:]}")
    return done


def row(module: str, *args: Any, python: str = sys.executable) -> dict[str, Any]:
    """`python -m benchmarks MODULE --row ARGS` in a fresh process; its last line of output is JSON."""
    done = child([python, "-m", "benchmarks", module, "--row", *map(str, args)])
    result: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return result | {"process_cpu": done.cpu, "process_rss_mb": done.rss_mb}


def interleave(rows: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Every row once a round, rows taking turns."""
    found: dict[str, list[Any]] = {name: [] for name in rows}
    for i in range(rounds):
        for name, run in rows.items():
            found[name].append(run())
        print(f"  round {i + 1} of {rounds} done", file=sys.stderr, flush=True)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median and minimum of a row's figures."""
    return {"median": float(np.median(values)), "min": float(np.min(values)), "max": float(np.max(values))}


def other_python(package: str) -> tuple[str | None, str]:
    """An interpreter that has `package` (agentpy, scml: for comparison only, never dependencies), or why there is none.

    Looked for at run time: $OFFTAKE_BENCH_PYTHON, a venv `offtake-bench` in the temporary folder, this interpreter.
    """
    venv = Path(tempfile.gettempdir()) / "offtake-bench" / "bin" / "python"
    for python in (os.environ.get("OFFTAKE_BENCH_PYTHON", ""), str(venv), sys.executable):
        if python and Path(python).exists():
            probe = child(
                [python, "-c", f"import importlib.util as u; print(u.find_spec('{package}') is not None)"], check=False
            )
            if probe.out.strip() == "True":
                return python, ""
    how = f"python -m venv {venv.parent.parent}; {venv} -m pip install agentpy scml (or set OFFTAKE_BENCH_PYTHON)"
    return None, f"skipped: {package} is not installed. To compare: {how}"


def options(name: str, argv: list[str] | None, rounds: int = LEAST_ROUNDS) -> argparse.Namespace:
    """`--rounds`, `--out`, and `--row` for the child processes."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--row", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    args.load_before = os.getloadavg()
    return args


def finish(
    name: str, goals: list[Goal], detail: dict[str, Any], args: argparse.Namespace, skipped: list[str] | None = None
) -> int:
    """Print the table of goals, write JSON; 1 when a gate is missed by more than half."""
    load_after = os.getloadavg()
    print(f"\n{name}: {args.rounds} rounds")
    print(f"  {'id':4} {'what':72} {'goal':>9} {'measured':>10}  ok")
    for g in goals:
        goal = f"{'>=' if g.least else '<='} {g.goal:g}"
        verdict = "yes" if g.ok else "no, far off" if g.failed else "no"
        print(
            f"  {g.id:4} {g.what:72} {goal:>9} {g.measured:>10.{g.digits}f}  {verdict}{'' if g.gate else ' (reported)'}"
        )
    for line in skipped or []:
        print("  " + line)
    loads = (*args.load_before, "->", *load_after)
    print("  load average", *(f"{x:.2f}" if isinstance(x, float) else x for x in loads))
    if args.out:
        result = {
            "benchmark": name,
            "rounds": args.rounds,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "load_before": args.load_before,
            "load_after": load_after,
            "goals": [asdict(g) | {"ok": bool(g.ok), "failed": bool(g.failed)} for g in goals],
            "skipped": skipped or [],
            "detail": detail,
        }
        args.out.write_text(json.dumps(result, indent=1, default=float) + "\n")
    return 1 if any(g.failed for g in goals) else 0
