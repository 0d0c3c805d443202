"""Signing heads with Ed25519, and checking what was signed (R14). Keys are PEM files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from optin.domain.errors import InvalidInput
from optin.domain.signed_heads import heads_document, read_heads, signed_bytes
from optin.domain.verifying import Head


def make_keys(path: Path) -> Path:
    """Writes a new private key to `path`, for its owner alone, and the public one beside it.

    Returns where the public one is. Raises `InvalidInput` if either is there already.
    """
    public = path.with_name(f"{path.name}.pub")
    made = Ed25519PrivateKey.generate()
    private_pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for where, text, mode in ((path, private_pem, 0o600), (public, public_pem, 0o644)):
        try:
            with os.fdopen(
                os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
            ) as file:
                file.write(text)
        except OSError as failed:
            raise InvalidInput(f"The key {where} can not be written: {failed.strerror}.") from None
    return public


def private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises `InvalidInput`."""
    try:
        key = load_pem_private_key(read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path} is no Ed25519 private key in PEM without a password.")
    return key


def signed(heads: Iterable[Head], made: int, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The heads with their signature."""
    document = heads_document(heads, made)
    return {**document, "signature": key.sign(signed_bytes(document)).hex()}


def checked_heads(path: Path, public_key: Path) -> list[Head]:
    """The heads in a file. Raises `InvalidInput` unless they were signed with that key."""
    key = _public_key(public_key)
    try:
        document = json.loads(read(path))
    except ValueError:
        document = None
    heads = read_heads(document)
    try:
        key.verify(bytes.fromhex(document["signature"]), signed_bytes(document))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        raise InvalidInput(f"{path} is not signed with the key {public_key}.") from None
    return heads


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(read(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(f"{path} is no Ed25519 public key in PEM.")
    return key


def read(path: Path) -> bytes:
    """The file's bytes. Raises `InvalidInput`."""
    try:
        return path.read_bytes()
    except OSError as failed:
        raise InvalidInput(f"{path} can not be read: {failed.strerror}.") from None
