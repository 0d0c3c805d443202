"""Secrets at rest: AES-256-GCM under the deployment's master key (SPEC 8)."""

from __future__ import annotations

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from optin.domain.errors import InconsistentRecord

_PREFIX = "sealed:1:"


class Seal:
    """Seals and opens single values. `master_key`: 32 random bytes.

    What is sealed is bound to its `place` (bot and setting): a value copied elsewhere in the
    database does not open.
    """

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise ValueError("a master key has 32 bytes")
        self._cipher = AESGCM(hashlib.sha256(b"optin seal\x00" + master_key).digest())
        self.fingerprint = hashlib.sha256(b"optin fingerprint\x00" + master_key).hexdigest()[:32]

    def seal(self, value: str, place: str) -> str:
        """`value` as it may lie in the database."""
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, value.encode(), place.encode())
        return _PREFIX + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, place: str) -> str:
        """The value again. Raises `InconsistentRecord` if it was altered or moved (R12)."""
        try:
            raw = base64.b64decode(sealed.removeprefix(_PREFIX), validate=True)
            return self._cipher.decrypt(raw[:12], raw[12:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise InconsistentRecord("A stored secret does not open with this key.") from None
