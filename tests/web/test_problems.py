"""The table of statuses and the page about errors say the same."""

from __future__ import annotations

from optin.web.problems import STATUS
from tests.house.test_errors import ROW
from tests.house.tree import ROOT


def test_the_page_and_the_table_agree() -> None:
    """docs/errors.md names the status that each code has on the wire, and no other."""
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    told = {m["code"]: m["status"].strip() for m in ROW.finditer(page)}
    numbers = {code: int(status) for code, status in told.items() if status.isdigit()}
    assert numbers
    assert dict(STATUS) == numbers
