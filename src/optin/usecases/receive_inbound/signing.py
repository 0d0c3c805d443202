"""Which of many secrets signed a body.

Anybody may post any bytes, so an unsigned body must not cost much: the secrets of the numbers that
it names are tried at once, which finds the right one for whatever the provider sends about a
number. The others are tried beside the event loop, one body at a time and within a budget.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from optin.usecases.receive_inbound.directory import Secrets

#: Bytes that are hashed on the event loop to find whose secret signed one body: a few ms.
_AT_ONCE = 1024 * 1024
#: Bytes that are hashed beside it. Bodies that name no number have a few thousand.
_IN_ALL = 64 * 1024 * 1024
#: What trying one secret costs beside the body's own bytes, as bytes.
_LEAST = 4096
#: Numbers that are looked for in a body: all that it is about belong to one app.
_NUMBERS_READ = 32
#: Secrets that are believed to be named: numbers shared by many bots are rare.
_MOST_NAMED = 8
_NUMBERS = re.compile(rb'"phone_number_id"\s*:\s*"?([0-9A-Za-z\-_.]{1,128})')

Holds = Callable[[str, bytes, Any], bool]


@dataclass
class Search:
    """Finds the secret; one search beside the event loop at a time."""

    _beside: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(
        self, known: Secrets, body: bytes, signature: Any, holds: Holds
    ) -> str | None:
        """The secret under which the signature holds; None if there is none, or none was found
        within the budget."""
        cost = max(len(body), _LEAST)
        named = _named(known, body)
        if cost * len(named) <= _AT_ONCE:
            found = _first(named, body, signature, holds)
        else:
            found = await asyncio.to_thread(_first, named, body, signature, holds)
        others = [secret for secret in known.bots if secret not in named]
        if found is not None or not others:
            return found
        likely = others[: max(_IN_ALL // cost, 1)]
        if cost * len(likely) <= _AT_ONCE:
            return _first(likely, body, signature, holds)
        async with self._beside:
            return await asyncio.to_thread(_first, likely, body, signature, holds)


def _named(known: Secrets, body: bytes) -> list[str]:
    """The secrets of the bots whose numbers the body names first; the only one, named or not."""
    if len(known.bots) == 1:
        return list(known.bots)
    numbers = (found[1].decode() for found in islice(_NUMBERS.finditer(body), _NUMBERS_READ))
    secrets = dict.fromkeys(
        secret for number in numbers for secret in known.of_number.get(number, ())
    )
    return list(secrets)[:_MOST_NAMED]


def _first(secrets: Iterable[str], body: bytes, signature: Any, holds: Holds) -> str | None:
    return next((secret for secret in secrets if holds(secret, body, signature)), None)
