"""Serve the sandbox on this machine only."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import urllib.request
import warnings
import webbrowser
from typing import Any

HOST = "127.0.0.1"
CANNOT_START = 3


def application(scenario: str | None = None) -> Any:
    """The ASGI application: the page at `/`, `/healthz` answers 200 once pages can be served, and counts worlds."""
    from viz import app, offline
    from viz.session import worlds

    if scenario:
        os.environ[app.FIRST_SCENARIO] = scenario
    os.environ["SOLARA_APP"] = "viz.app"
    offline.configure()

    import solara.server.starlette as server
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def healthz(_request: Any) -> Any:
        return JSONResponse({"status": "ok", "worlds": worlds()})

    server.app.router.routes.insert(0, Route("/healthz", healthz))
    server.app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # no other site's page gets in
    return server.app


def serve(port: int, open_browser: bool = True, scenario: str | None = None) -> int:
    """Serve until Ctrl-C; returns 0, or 3 when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        print(  # noqa: T201
            f"port {port} cannot be used ({error.strerror}); name another: offtake sandbox --port {port + 1}",
            file=sys.stderr,
        )
        return CANNOT_START
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    print("Starting the sandbox ...", flush=True)  # noqa: T201

    import uvicorn

    warnings.filterwarnings(
        "ignore", message="Cookies with samesite=none", category=UserWarning
    )  # plain http on loopback
    config = uvicorn.Config(
        application(scenario), log_level="warning", timeout_graceful_shutdown=1, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_announce, args=(server, url, open_browser), daemon=True).start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
    print("\nStopped.", flush=True)  # noqa: T201
    return 0


def _announce(server: Any, url: str, open_browser: bool) -> None:
    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.05)
    urllib.request.urlopen(f"{url}/healthz", timeout=10).close()  # noqa: S310
    print(f"The sandbox is at {url}", flush=True)  # noqa: T201
    print("Stop it with Ctrl-C. Each browser tab plays a world of its own; closing the tab ends it.", flush=True)  # noqa: T201
    if open_browser and (
        sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        webbrowser.open(url)
