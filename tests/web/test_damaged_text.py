"""A stored text that is not UTF-8, over HTTP (R12)."""

from __future__ import annotations

import pytest

from optin.stores.sqlite import SQLiteStore
from tests.web.doors import ANNA, BERTIL, BOT, Doors
from tests.web.test_native import assert_problem, item, record


@pytest.mark.parametrize("column", ["source", "evidence"])
async def test_it_is_an_unreadable_record(
    doors: Doors, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    """R12: the contact's history and the feed are refused as for any broken record, the other
    contact's is not; the log has none of the text."""
    await record(doors, item("opt_in", ANNA), item("opt_in", BERTIL))
    sql = f"UPDATE events SET {column} = CAST(x'22736563726574ff22' AS TEXT) WHERE identity = ?"
    assert isinstance(doors.store, SQLiteStore)
    await doors.store._writer.run(lambda c: c.execute(sql, (ANNA,)))
    for path in (f"contacts/{ANNA}/history", "changes"):
        answer = await doors.call("GET", f"/v1/bots/{BOT}/{path}")
        assert_problem(answer, 503, "inconsistent_record")
    other = await doors.call("GET", f"/v1/bots/{BOT}/contacts/{BERTIL}/history")
    assert other.status_code == 200
    assert "secret" not in caplog.text
