"""Every error has a code of its own, and docs/errors.md tells of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from optin.domain import errors
from tests.house.tree import ROOT

ROW = re.compile(r"^\| `(?P<code>[a-z_]+)` \| (?P<status>[^|]+) \| (?P<meaning>[^|]+) \|", re.M)


def error_classes(
    parent: type[errors.OptinError] = errors.OptinError,
) -> Iterator[type[errors.OptinError]]:
    """Yield the root of the tree and everything below it that domain/errors.py defines."""
    if parent.__module__ == errors.__name__:
        yield parent
    for child in parent.__subclasses__():
        yield from error_classes(child)


def documented() -> list[str]:
    """Return the codes that have a row in docs/errors.md."""
    return [m["code"] for m in ROW.finditer((ROOT / "docs" / "errors.md").read_text("utf-8"))]


@pytest.mark.parametrize("error", list(error_classes()), ids=lambda error: error.__name__)
def test_an_error_has_a_documented_code(error: type[errors.OptinError]) -> None:
    """The class sets a code of its own, inherits none, and docs/errors.md has a row for it."""
    assert "code" in vars(error)
    assert error.code in documented()


def test_codes_are_unique() -> None:
    """No two errors share a code, and no code has two rows."""
    codes = [vars(error)["code"] for error in error_classes()]
    assert sorted(codes) == sorted(set(codes))
    assert sorted(documented()) == sorted(set(documented()))


def test_nothing_else_is_documented() -> None:
    """docs/errors.md has no row for a code that no error has."""
    assert set(documented()) == {vars(error)["code"] for error in error_classes()}
