"""Heads of chains, signed and kept elsewhere: against them a cut or rewritten end shows (R14).

The signature is over the document's own bytes in one fixed form, so that it can be checked with
any tool for Ed25519: see docs/proof.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import parse_time, shown_time
from optin.domain.verifying import Head

_FORM = "optin heads 1"


def heads_document(heads: Iterable[Head], made: int) -> dict[str, Any]:
    """The heads as they are signed. `made`: when, UTC µs."""
    return {"form": _FORM, "made": shown_time(made), "heads": list(map(_shown, heads))}


def signed_bytes(document: dict[str, Any]) -> bytes:
    """What the signature is over: the document without its signature, members sorted, as compact
    JSON in ASCII."""
    told = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def read_heads(document: object) -> list[Head]:
    """The heads in a document. Raises `InvalidInput` for anything else."""
    try:
        if isinstance(document, dict) and document["form"] == _FORM:
            return [_read(each) for each in document["heads"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # whatever is wrong with it, it is one sentence
    raise InvalidInput("The file holds no heads that optin verify --sign made.")


def _shown(head: Head) -> dict[str, Any]:
    return {
        "bot_id": head.bot_id,
        "writer": head.writer,
        "seq": head.seq,
        "hash": head.hash.hex(),
        "recorded": shown_time(head.recorded),
        "entries": head.entries,
    }


def _read(told: dict[str, Any]) -> Head:
    return Head(
        str(told["bot_id"]),
        int(told["writer"]),
        int(told["seq"]),
        bytes.fromhex(told["hash"]),
        parse_time(told["recorded"], "recorded"),
        int(told["entries"]),
    )
