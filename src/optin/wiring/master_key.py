"""The master key: 32 bytes under which a database's secrets are sealed (SPEC 8).

It comes from OPTIN_MASTER_KEY or lies in a file beside the database. The file is made with an
empty database and only then: a database that has lost its key must not be given another one.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from optin.domain.errors import MasterKeyMismatch, StartupError
from optin.settings import Settings

_LENGTH = 32


def master_key(settings: Settings, is_empty: Callable[[Path], bool]) -> bytes:
    """The key to use. Raises `MasterKeyMismatch` if there is none, or what is there is no key.

    Several processes may start on one empty database at once: they end with the same key, since
    its file appears whole and at once, and always before the database does.
    """
    if settings.master_key:
        return _parsed(settings.master_key, "OPTIN_MASTER_KEY")
    path = settings.key_path
    # In this order: whoever sees a database that is not empty must see its key file too.
    empty = is_empty(settings.database_path)
    if empty and not path.exists():
        _make(path)
    try:
        return _parsed(path.read_text(encoding="ascii"), str(path))
    except FileNotFoundError:
        raise MasterKeyMismatch(
            f"The master key of {settings.database_name} is missing: {path} does not exist and "
            "OPTIN_MASTER_KEY is not set. Put the key back; without it the stored secrets are lost."
        ) from None
    except UnicodeDecodeError:
        raise _no_key(str(path)) from None
    except OSError as error:
        raise StartupError(f"The key file {path} can not be read: {error.strerror}.") from error


def _make(path: Path) -> None:
    """Put a fresh key at `path`, or leave the one that another process has just put there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    text = base64.b64encode(secrets.token_bytes(_LENGTH)).decode() + "\n"
    try:
        _write_durably(draft, text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename it never replaces a key that is there
        _sync_folder(path.parent)
    except OSError as error:
        raise StartupError(f"The key file {path} can not be made: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _write_durably(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parsed(text: str, where: str) -> bytes:
    """32 bytes written as 64 hex digits or as base64, URL-safe or not."""
    bare = text.strip()
    with contextlib.suppress(ValueError):
        if len(bare) == 2 * _LENGTH:
            return bytes.fromhex(bare)
    try:
        plain = bare.rstrip("=").translate(str.maketrans("-_", "+/"))
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _no_key(where) from None
    if len(key) != _LENGTH:
        raise _no_key(where)
    return key


def _no_key(where: str) -> MasterKeyMismatch:
    return MasterKeyMismatch(f"{where} holds no master key: it must be 32 bytes in base64 or hex.")
