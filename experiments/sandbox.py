"""`offtake sandbox`: check what was asked for, then hand over to the page."""

from __future__ import annotations

import importlib
import importlib.util
import sys

CANNOT_START = 3
NEEDED = ("solara", "anywidget")


def sandbox(port: int = 8765, no_open: bool = False, scenario: str | None = None) -> int:
    """Serve the sandbox until Ctrl-C.  Wrong scenarios raise `env.InputError` before anything starts."""
    if scenario is not None:
        from env import load_scenario

        load_scenario(scenario)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"the sandbox needs {' and '.join(missing)}: pip install {' '.join(missing)}", file=sys.stderr)
        return CANNOT_START
    page = importlib.import_module("viz.serve")  # pages lie above experiments: named, not imported
    return int(page.serve(port, open_browser=not no_open, scenario=scenario))
