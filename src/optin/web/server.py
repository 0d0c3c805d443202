"""uvicorn's server, with this house's protocol and manners (SPEC 8)."""

from __future__ import annotations

from typing import Any

import uvicorn
from starlette.types import ASGIApp

from optin.web.connections.protocol import OptinProtocol


def server_config(
    app: ASGIApp | str,
    *,
    host: str,
    port: int,
    workers: int = 1,
    factory: bool = False,
    trusted_proxies: str = "",
    **options: Any,
) -> uvicorn.Config:
    """uvicorn's configuration for this house; `options` are uvicorn's own and go before ours.

    With more than one worker `app` is an import string. `trusted_proxies`: comma-separated
    addresses or networks whose `X-Forwarded-For` is believed; empty believes nobody.
    """
    ours: dict[str, Any] = {
        "http": OptinProtocol,
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": trusted_proxies or None,
        "timeout_keep_alive": 75,  # as nginx: clients' pools give up first, so none meets a close
        "timeout_graceful_shutdown": 30,
    }
    return uvicorn.Config(
        app, host=host, port=port, workers=workers, factory=factory, **(ours | options)
    )
