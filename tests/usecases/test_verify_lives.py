"""Whatever happens, the stored state is the ledger's fold, and its chain is whole (R2, R14)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings

from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.verify import Verify
from tests.conftest import SEAL
from tests.usecases.lives import LIVES, NOW, Step, live


@given(LIVES)
@settings(max_examples=40)
async def test_verify_says_nothing_of_what_the_store_wrote(steps: list[Step]) -> None:
    """R2, R14 to R16: after any claims, links, changes, erasures and cuts of the ledger of a few
    contacts, in any order and of any age, nothing is found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        migrate(path)
        now = iter(range(NOW, NOW + 10**9, 1_000))
        store = await SQLiteStore.open(path, SEAL, clock=lambda: next(now))
        try:
            await live(store, steps)
            reports = await Verify(store).verify()
        finally:
            await store.close()
    assert [report.findings for report in reports] == [[] for _ in reports]
