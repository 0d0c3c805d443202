"""`optin demo`: a bot, sample contacts and a simulated WhatsApp, ready to try."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from optin.cli.demo_bot import BOT, CUSTOMER, STRANGER, UTILITY, prepare
from optin.cli.listening import listen, url_of
from optin.cli.options import settings_for
from optin.cli.serving import serve_until_stopped
from optin.settings import Settings
from optin.wiring.opening import opened_store

_DATABASE = "sqlite:optin-demo.db"


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", metavar="N", help="Port to listen on; 0 takes a free one (default 8080).")
@click.option(
    "--database", metavar="URL", default=_DATABASE, show_default=True, help="sqlite:PATH."
)
def demo(host: str | None, port: str | None, database: str) -> None:
    """Start a demonstration and print commands to try it with."""
    settings = settings_for(host=host, port=port, database=database)

    async def fresh_token() -> str:
        async with opened_store(settings, create=True) as store:
            return await prepare(store)

    with listen(settings.host, settings.port) as sock:
        token = asyncio.run(fresh_token())
        url = url_of(sock)
        program = [*_program(), "sandbox", "say", "--bot", BOT, "--url", url]
        program += ["--database", _anywhere(settings)]
        serve_until_stopped(
            settings, sock, lambda: print(_welcome(url, token, program), flush=True)
        )


def _anywhere(settings: Settings) -> str:
    """The database, as a command in any folder names it."""
    if settings.is_postgresql:
        return settings.shown_database
    return f"sqlite:{settings.database_path.absolute()}"


def _program() -> list[str]:
    """How this program was started, so that it can be started again from any folder."""
    started = Path(sys.argv[0]).absolute()
    if started.name == "__main__.py":
        return [sys.executable, "-m", "optin"]
    return [str(started)]


def _welcome(url: str, token: str, say: Sequence[str]) -> str:
    steps = "\n\n".join(
        f"{number}. {caption}\n{command}"
        for number, (caption, command) in enumerate(_steps(url, token, say), start=1)
    )
    return f"""optin listens on {url}

Bot {BOT!r} is on a simulated WhatsApp. Its token, for this run: {token}

Copy these commands into another terminal, one after the other:

{steps}

Then send again (2): it is refused, state no_opt_in.
Ctrl+C stops the demonstration. Its data are kept in the database for the next run."""


def _steps(url: str, token: str, say: Sequence[str]) -> list[tuple[str, str]]:
    """What to try: a caption, and a command that works as it is."""
    face = f"{url}/whatsapp/v1/{BOT}"
    who = ["--from", f"+{CUSTOMER}"]
    return [
        (
            f"Opt in +{CUSTOMER} (answers 200 without a body):",
            _curl(f"{face}/provision/optin", token, {"numbers": [f"+{CUSTOMER}"]}),
        ),
        (
            "Send a template (accepted, state queued):",
            _curl(f"{face}/messages", token, _template_to(CUSTOMER)),
        ),
        (
            f"Send to +{STRANGER}, who never opted in (refused, state no_opt_in):",
            _curl(f"{face}/messages", token, _template_to(STRANGER)),
        ),
        (
            "Write as the customer, which opens a session of 24 hours:",
            shlex.join([*say, *who, "Where is my order?"]),
        ),
        (
            "Opt out as the customer:",
            shlex.join([*say, *who, "STOP"]),
        ),
    ]


def _template_to(number: str) -> dict[str, object]:
    name, language = UTILITY
    template = {"type": "template", "template_name": name, "language": language}
    return {"to": [f"+{number}"], "message": {**template, "body_params": ["Ada"]}}


def _curl(url: str, token: str, body: object) -> str:
    headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
    shown = ["-w", r"\nHTTP %{http_code}\n"]
    return shlex.join(["curl", "-sS", *shown, *headers, "-d", json.dumps(body), url])
