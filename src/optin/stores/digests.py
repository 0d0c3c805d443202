"""The keyed digests that stand for erased identities (R15)."""

from __future__ import annotations

import base64
import hmac
import os

from optin.domain.identities import DIGEST_MARK, is_digest
from optin.stores.seal import Seal

#: Where the wrapped key lies in `meta`; the place that its seal is bound to.
META_KEY = "digest_key"
_SIZE = 32


class Digests:
    """HMAC-SHA256 under a key of the database's own, so that nobody without it can try numbers."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, bot_id: str, identity: str) -> str:
        """The name that the identity has once it is erased; a digest's is its own."""
        if is_digest(identity):
            return identity
        told = f"{bot_id}\x00{identity}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self._key, told, "sha256")
        return DIGEST_MARK + base64.urlsafe_b64encode(digest)[:-1].decode()


def new_wrapped_key(seal: Seal) -> str:
    """A fresh key as it lies in the database: it outlives the master key that wraps it."""
    return seal.seal(os.urandom(_SIZE).hex(), META_KEY)


def unwrapped(wrapped: str, seal: Seal) -> Digests:
    """The digests of a database. Raises `InconsistentRecord` if the key does not open."""
    return Digests(bytes.fromhex(seal.open(wrapped, META_KEY)))
