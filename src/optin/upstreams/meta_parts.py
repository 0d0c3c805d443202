"""Meta's webhook by its changes: what each of several receivers may see of it (SPEC 4).

A body without a change, or of no shape we know, is about nobody. Pure functions; none raises for
any bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from optin.upstreams.meta_items import number_id
from optin.upstreams.provider_json import read_json

#: The account and the business number that a change names, None where it names none -> whose it is.
Whose = Callable[[str | None, str | None], Iterable[str]]


def cut(body: bytes, whose: Whose) -> dict[str, bytes]:
    """Receiver -> its body: one of the same shape with only the changes that are `whose`, in their
    order; the very bytes if those are all that is in it. Who has none gets none."""
    envelope = _read(body)
    own: dict[str, list[_At]] = {}
    total = 0
    for at, named in _parts(envelope):
        total += 1
        for receiver in frozenset(() if named is None else whose(*named)):
            own.setdefault(receiver, []).append(at)
    return {
        receiver: body if len(places) == total else _body_of(envelope, places)
        for receiver, places in sorted(own.items())
    }


#: Where a change stands: its entry's place, and its own in there.
_At = tuple[int, int]
_Named = tuple[str | None, str | None]


def _parts(envelope: Any) -> Iterator[tuple[_At, _Named | None]]:
    """Each change with what it names; for an entry of another shape None: it is about nobody."""
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            yield (place, 0), None
            continue
        for n, change in enumerate(changes):
            yield (place, n), _named(entry.get("id"), change)


def _named(account: Any, change: Any) -> _Named:
    """A number belongs to one bot's business, and so does an account; the number says more."""
    value = change.get("value") if isinstance(change, dict) else None
    number = number_id(value) if isinstance(value, dict) else None
    known = account if isinstance(account, str | int) and not isinstance(account, bool) else ""
    return str(known) or None, number


def _body_of(envelope: Mapping[str, Any], own: Iterable[_At]) -> bytes:
    """Only these changes. Lists and objects beside them may be about anybody, and stay out."""
    entries: dict[int, dict[str, Any]] = {}
    for place, n in own:
        given = envelope["entry"][place]
        changes = entries.setdefault(place, {**_plain(given), "changes": []})["changes"]
        changes.append(given["changes"][n])
    whole = {**_plain(envelope), "entry": list(entries.values())}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not isinstance(value, list | dict)}


def _read(body: bytes) -> Any:
    try:
        return read_json(body)
    except ValueError:
        return None
