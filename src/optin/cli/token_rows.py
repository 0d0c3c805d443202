"""A token as programs see it on the command line: never its text, which nobody knows any more."""

from __future__ import annotations

from optin.cli.output import shown_time
from optin.domain.bots import SCOPES, Token


def token_json(of: Token) -> dict[str, object]:
    """Of a bot's token. `revoked` may lie ahead."""
    return {
        "token_id": of.token_id,
        "scopes": scopes_in(of),
        "created": shown_time(of.created),
        "revoked": shown_time(of.revoked),
    }


def scopes_in(of: Token) -> list[str]:
    """What it may do, always in the same order."""
    return [scope for scope in SCOPES if scope in of.scopes]
