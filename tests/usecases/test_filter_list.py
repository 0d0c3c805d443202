"""Who of a list may be messaged: the rows of the allowed ones, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.errors import InvalidList, NotFound, StoreUnavailable
from optin.domain.lists.reader import ListOptions
from optin.domain.messages import Category
from optin.usecases.check import Check
from optin.usecases.filter_list import FilterList
from tests.conftest import OpenStore
from tests.usecases.ledger import BOT, FRIEND, HOUR, NOW, WHO, Ledger, item

THIRD = "46732001144"


@pytest.fixture
async def ledger(open_store: OpenStore) -> Ledger:
    made = await Ledger.opened(open_store)
    await made.record(item("opt_in"), item("opt_out", identity=FRIEND))
    return made


async def filtered(
    ledger: Ledger, data: bytes, category: Category = Category.UTILITY, **given: Any
) -> tuple[bytes, bytes, dict[str, int]]:
    """(passed, refused, counts)."""
    passed, refused = bytearray(), bytearray()
    work = FilterList(
        ledger.store, BOT, category, ListOptions(**given), passed.extend, refused.extend
    )
    await work.run(data[n : n + 1000] for n in range(0, len(data), 1000))
    return bytes(passed), bytes(refused), dict(work.counts)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_rows_come_out_as_they_were(ledger: Ledger, encoding: str, end: str) -> None:
    """Head and rows of the allowed ones are the file's own bytes; the others have a reason more."""
    lines = [
        "Name;Telefon;Notiz",
        '"Ä;\n""Anna""";+46 73-200 11 22;  x ',
        f"Bo;{FRIEND};y",
        "Cé;123;z",
        f"Dö;{THIRD};",
    ]
    data = (end.join(lines) + end).encode(encoding)
    passed, refused, counts = await filtered(ledger, data)
    assert passed == (end.join(lines[:2]) + end).encode(encoding)
    whys = ["reason", "opted_out", "invalid_identity", "no_opt_in"]
    others = [lines[0], *lines[2:]]
    expected = "".join(f"{row};{why}{end}" for row, why in zip(others, whys, strict=True))
    assert refused == expected.encode(encoding)
    assert counts == {"allowed": 1, "opted_out": 1, "invalid_identity": 1, "no_opt_in": 1}


async def test_a_list_without_head(ledger: Ledger) -> None:
    """A bare list of numbers stays one, and a last line without end stays so."""
    passed, refused, _ = await filtered(ledger, f"{WHO}\n{FRIEND}\n{WHO}".encode())
    assert passed == f"{WHO}\n{WHO}".encode()
    assert refused == f"{FRIEND},opted_out\n".encode()


async def test_json_lines(ledger: Ledger) -> None:
    """Objects stay as they are; refused ones stand in one with their reason."""
    data = f'{{"to": 1, "phone" : "+{WHO}"}}\n{{"phone":"{FRIEND}"}}\n'.encode()
    passed, refused, _ = await filtered(ledger, data)
    assert passed == data.splitlines(keepends=True)[0]
    assert refused == f'{{"reason":"opted_out","row":{{"phone":"{FRIEND}"}}}}\n'.encode()


async def test_it_answers_as_check_does(ledger: Ledger) -> None:
    """R7: for every category each of many rows is passed if `check` allows it, and only then."""
    who = [f"467{n:08}" for n in range(2_500)]
    kinds = ("opt_in", "opt_out", "marketing_stop", "message")
    for start in range(0, 2_000, 1_000):
        some = who[start : start + 1_000]
        at = NOW - HOUR
        await ledger.record(
            *(item(kinds[n % 4], at=at, identity=one) for n, one in enumerate(some))
        )
    data = "".join(f"{one}\n" for one in who).encode()
    for category in Category:
        passed, _, counts = await filtered(ledger, data, category)
        rows = await Check(ledger.store).now(BOT, who, category)
        assert passed.decode().split() == [str(row.identity) for row in rows if row.allowed]
        assert sum(counts.values()) == 2_500


async def test_the_bots_country(ledger: Ledger) -> None:
    """H3: numbers of the bot's country need no calling code."""
    await ledger.store.put_settings(BOT, {"default_country": "SE"})
    passed, _, _ = await filtered(ledger, b"phone\n073-200 11 22\n")
    assert passed == b"phone\n073-200 11 22\n"


async def test_nothing_is_written_of_what_is_no_list(ledger: Ledger) -> None:
    """A file without numbers, or an unknown bot, gives nothing but its error."""
    for data in (b"", b"name\nAnna\n", b"\x1f\x8b123"):
        with pytest.raises(InvalidList):
            await filtered(ledger, data)
    with pytest.raises(NotFound):
        await FilterList(ledger.store, "nobody", Category.UTILITY, ListOptions(), print, print).run(
            []
        )


async def test_a_store_that_fails_allows_nobody(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: rows that could not be asked about are not passed."""
    read, calls = ledger.store.read, 0

    async def failing(bot_id: str, who: list[str]) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise StoreUnavailable("down")
        return await read(bot_id, who)

    monkeypatch.setattr(ledger.store, "read", failing)
    passed = bytearray()
    work = FilterList(
        ledger.store, BOT, Category.UTILITY, ListOptions(), passed.extend, lambda _: None
    )
    with pytest.raises(StoreUnavailable):
        await work.run([f"{WHO}\n".encode() * 3_000])
    assert bytes(passed) == f"{WHO}\n".encode() * 1_000
