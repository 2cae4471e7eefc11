"""``python -m benchmarks NAME [options]`` runs ``benchmarks.NAME.main(options)``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def run(argv: list[str]) -> int:
    """Dispatch to the named benchmark; without a known name, list the names."""
    names = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
    if not argv or argv[0] not in names:
        print("usage: python -m benchmarks NAME [options]; names:", ", ".join(names))
        return 2
    return int(importlib.import_module(f"benchmarks.{argv[0]}").main(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
