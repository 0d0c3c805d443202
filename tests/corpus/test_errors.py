"""No error of the provider's is an opt-out, unless it says so (P8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from optin.domain.events import Kind
from optin.upstreams.meta_errors import ERRORS
from tests.usecases.hearing import NOW, SETTINGS, body, hear, kinds
from tests.usecases.outbox import ADA, Clock, add_bot, opened

#: Those of the table, and some that no table has.
CODES = sorted({*ERRORS, 200, 299, 1002, 1013, 999_999, 131_099})


@pytest.mark.parametrize("sent_as", [int, str], ids=["number", "text"])
async def test_only_131050_stops_anything(tmp_path: Path, sent_as: Any) -> None:
    """Reported for a message to somebody else each: one marketing stop, no opt-out, no other."""
    async with opened(tmp_path / "t.db", Clock()) as store:
        await add_bot(store, **SETTINGS)
        people = {code: f"4670{code:07}" for code in CODES}
        failed = [
            {
                "id": f"w.{code}",
                "status": "failed",
                "timestamp": str(NOW - 9),
                "recipient_id": who,
                "errors": [{"code": sent_as(code), "title": "opted out", "message": "STOP"}],
            }
            for code, who in people.items()
        ]
        await hear(store, body(statuses=failed))
        found = {code: await kinds(store, who) for code, who in people.items()}
        assert {code: some for code, some in found.items() if some} == {
            131050: [Kind.PROVIDER_MARKETING_STOP]
        }


async def test_several_errors_in_one_report(tmp_path: Path) -> None:
    """A stop among other errors is a stop; shapes that are no errors are none."""
    async with opened(tmp_path / "t.db", Clock()) as store:
        await add_bot(store, **SETTINGS)
        for number, errors in enumerate(([{"code": 131026}, {"code": 131050}], [131050], "131050")):
            report = {"id": f"w.{number}", "status": "failed", "recipient_id": f"{ADA}{number}"}
            await hear(store, body(statuses=[report | {"errors": errors}]))
        heard = [await kinds(store, f"{ADA}{n}") for n in range(3)]
        assert heard == [[Kind.PROVIDER_MARKETING_STOP], [], []]
