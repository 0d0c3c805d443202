"""How the ledger's commits are hashed, so that whatever is changed later shows (R14).

Theory: each bot and writer has a chain of commits. A commit's hash covers the previous one's and
a digest of its entries, so nothing in front of a known hash can be changed, removed, added or
swapped unseen. Consent changes and contacts' messages have a digest each, since messages may be
given up earlier (R16). A personal field enters as a salted digest: without its salt the field is
gone, and the chain still holds (R15). All hashes are SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What the first commit of a chain names as the one before it.
GENESIS = bytes(32)
#: Bytes of the salt beside an entry's personal fields.
SALT = 16
#: Bytes of a hash.
SIZE = 32

_FORM = "optin ledger 1"

Scalar = int | str | bytes | None


@dataclass(frozen=True, slots=True)
class Commit:
    """One link of a chain. `recorded`: the database's clock in the commit, UTC µs.

    `events` and `messages`: how many entries of either kind, with the digests of their leaves in
    the order of their places. `previous`: the hash of the commit before, `GENESIS` for the first.
    """

    bot_id: str
    writer: int
    seq: int
    recorded: int
    previous: bytes
    events: int
    events_digest: bytes
    messages: int
    messages_digest: bytes

    @property
    def hash(self) -> bytes:
        """What the next commit names as the one before it."""
        return _digest(
            _FORM,
            self.bot_id,
            self.writer,
            self.seq,
            self.recorded,
            self.previous,
            self.events,
            self.events_digest,
            self.messages,
            self.messages_digest,
        )


def personal(salt: bytes, values: Sequence[str]) -> bytes:
    """The salted digests of personal fields, one after the other, `SIZE` bytes each."""
    return b"".join(
        hashlib.sha256(salt + value.encode("utf-8", "surrogatepass")).digest() for value in values
    )


def leaf(place: int, plain: Iterable[Scalar], personal_digests: bytes) -> bytes:
    """The hash of one entry. `place`: where it stands in its commit; `plain`: its other fields."""
    return _digest(place, *plain, personal_digests)


def leaves_digest(leaves: Iterable[bytes]) -> bytes:
    """The digest of entries, in order."""
    return hashlib.sha256(b"".join(leaves)).digest()


def emptied_digest(rows: Iterable[Sequence[Scalar]]) -> bytes:
    """What an erasure's entry names the entries by that it emptied: their fields, in order."""
    return hashlib.sha256(b"".join(_digest(*row) for row in rows)).digest()


def _digest(*values: Scalar) -> bytes:
    """No two lists of values have the same text: each says its type and its length."""
    return hashlib.sha256("".join(map(_text, values)).encode("utf-8", "surrogatepass")).digest()


def _text(value: Scalar) -> str:
    if isinstance(value, str):
        return f"s{len(value)}:{value}"
    if value is None:
        return "n"
    if isinstance(value, int):
        return f"i{value};"
    return f"b{value.hex()};"
