"""What a key leaves behind, and what a repetition may cost (SPEC 6, R15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.stores.sqlite import SQLiteStore
from tests.web.doors import ANNA, BOT, Doors
from tests.web.test_native import CONSENTS, assert_problem, item

CONTACT = f"/v1/bots/{BOT}/contacts/+{ANNA}"
MIB = 1024 * 1024


def keyed(key: str) -> list[tuple[str, str]]:
    return [("Idempotency-Key", key)]


async def kept(doors: Doors) -> list[tuple[Any, ...]]:
    """What is stored of each key: (route, key, digest)."""
    assert isinstance(doors.store, SQLiteStore)
    return await doors.store._fetch("SELECT route, key, digest FROM answers ORDER BY created")


async def test_neither_path_nor_key_is_stored(doors: Doors) -> None:
    """R15: the number in the path of an erasure, and one in a key, are in no row afterwards."""
    body = {"items": [item("opt_in")]}
    await doors.call("POST", CONSENTS, body, headers=keyed(f"optin-+{ANNA}"))
    await doors.call("DELETE", CONTACT, headers=keyed("erase-1"))
    rows = await kept(doors)
    assert len(rows) == 2
    assert ANNA not in repr(rows)


async def test_what_is_stored_cannot_be_tried_out(doors: Doors) -> None:
    """R15: two tokens' digests of one request differ: without the token nobody can compute them
    for every number there is."""
    body = {"items": [item("opt_in")]}
    for token in (None, await doors.add_token("provision")):
        await doors.call("POST", CONSENTS, body, headers=keyed("k1"), token=token)
    [(_, key, digest), (_, other_key, other_digest)] = await kept(doors)
    assert key != other_key
    assert digest != other_digest


async def test_a_key_is_that_of_its_path(doors: Doors) -> None:
    """SPEC 6: the same key on another contact's path is another key."""
    await doors.call("DELETE", CONTACT, headers=keyed("k1"))
    other = await doors.call("DELETE", CONTACT[:-1] + "3", headers=keyed("k1"))
    assert other.status_code == 200
    assert len(await kept(doors)) == 2


class Long:
    """A body that goes on for a gigabyte; `sent`: the MiB that somebody asked for."""

    def __init__(self) -> None:
        self.sent = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        while self.sent < 64:
            self.sent += 1
            yield bytes(MIB)


@pytest.mark.parametrize(
    ("method", "path", "body", "most"),
    [
        ("POST", CONSENTS, {"items": [item("opt_in")]}, 8),
        ("PUT", f"/v1/bots/{BOT}/templates/sale/en", {"category": "marketing"}, 1),
        ("DELETE", CONTACT, None, 1),
    ],
)
async def test_a_repetition_is_read_no_further_than_its_first(
    doors: Doors, method: str, path: str, body: Any, most: int
) -> None:
    """H6: under a known key a body longer than the path takes is refused when that is known."""
    await doors.call(method, path, body, headers=keyed("k1"))
    long = Long()
    given = [("Authorization", f"Bearer {doors.token}"), *keyed("k1")]
    answer = await doors.client.request(method, path, content=long.pieces(), headers=given)
    assert_problem(answer, 413, "too_large")
    assert long.sent <= most + 2


async def test_a_body_nobody_reads_does_not_undo_what_was_done(doors: Doors) -> None:
    """SPEC 6: an erasure that came with an endless body is done and answered; it keeps no answer,
    and its body is not read on."""
    long = Long()
    given = [("Authorization", f"Bearer {doors.token}"), *keyed("k1")]
    answer = await doors.client.request("DELETE", CONTACT, content=long.pieces(), headers=given)
    assert answer.status_code == 200
    assert long.sent <= 3
    assert not await kept(doors)
