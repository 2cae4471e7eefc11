"""Nothing leaves the machine: Solara is told to, and what its page needs lies in viz/assets.

Imported before the first page is served, by `offtake sandbox` and by `solara run viz.app` alike.
"""

from __future__ import annotations

from pathlib import Path

import solara.server.cdn_helper
import solara.server.settings as settings

ASSETS = Path(__file__).resolve().parent / "assets" / "cdn"


def missing(url: str) -> bytes:
    """Stands where Solara would ask the network for a file it does not find."""
    raise FileNotFoundError(f"{url} is not among the files in {ASSETS}; the sandbox fetches nothing from the network")


def configure() -> None:
    """Front-end files from the package, no telemetry, no banner, no look for newer versions."""
    settings.assets.proxy_cache_dir = ASSETS
    settings.assets.fontawesome_enabled = False
    settings.telemetry.mixpanel_enable = False
    settings.theme.show_banner = False
    settings.theme.title = "Offtake sandbox"
    settings.kernel.cull_timeout = "10m"
    solara.server.cdn_helper.fetch_from_cdn = missing
