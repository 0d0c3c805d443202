"""`optin serve`."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from optin.cli.listening import listen, url_of
from optin.cli.options import DATABASE, settings_for
from optin.cli.serving import serve_until_stopped
from optin.settings import Settings
from optin.wiring.opening import open_store


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", metavar="N", help="Port to listen on; 0 takes a free one (default 8080).")
@DATABASE
@click.option("--workers", metavar="N", help="Number of processes (default 1).")
@click.option("--region", metavar="NAME", help="Serve only bots of this region (default: all).")
@click.option(
    "--trusted-proxies",
    metavar="LIST",
    help="Addresses or networks whose X-Forwarded-For is believed, comma-separated.",
)
@click.option("--key-file", metavar="PATH", help="File of the master key (default DATABASE.key).")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
@click.option(
    "--allow-private-callbacks",
    is_flag=True,
    default=None,
    help="Let callbacks go to private and loopback addresses.",
)
def serve(**given: Any) -> None:
    """Start the service."""
    start(settings_for(**given))


def start(settings: Settings) -> None:
    """Serves until stopped. What can go wrong at the start does so before anything is served."""
    with listen(settings.host, settings.port) as sock:
        asyncio.run(_prepare(settings))
        url = url_of(sock)
        serve_until_stopped(settings, sock, lambda: print(f"optin listens on {url}", flush=True))


async def _prepare(settings: Settings) -> None:
    """Makes or migrates the database before the workers, several perhaps, come to it."""
    store = await open_store(settings, create=True)
    await store.close()
