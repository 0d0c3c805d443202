"""Who a row is about: numbers as lists have them, with or without their calling code (H3).

A list may have a country. Digits without + or 00 can then be dialled within it or from abroad, and
may be a possible number either way: what only one of the two makes a real subscriber's number is
that, and what stays open is refused, since it would be the consent of somebody else.
"""

from __future__ import annotations

import re
from typing import Any

from optin.domain.errors import InvalidIdentity, InvalidNumber
from optin.domain.identities import is_bsuid, parse_identity, parse_msisdn
from optin.domain.lists.faults import RowFault
from optin.domain.numbering import is_assigned, within

#: What stands before a number in other programs' lists.
_PREFIXES = re.compile(r"^(?:whatsapp:|tel:|')+", re.I)
#: How a spreadsheet is told to leave digits alone.
_AS_TEXT = re.compile(r'="([^"]*)"')
#: What it makes of them otherwise.
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.I)
_BARE = str.maketrans("", "", " \u00a0-.()/\u202a\u202c\u200e")
_LONGEST = 64


def listed_identity(value: Any, country: str = "", calling_code: Any = None) -> str:
    """The identity in a cell. `country`: two letters, "" for none; `calling_code`: what another
    cell has, as 46, +46 or SE. Raises `RowFault`."""
    try:
        return _identity(value, country, calling_code)
    except (InvalidIdentity, InvalidNumber) as wrong:
        raise RowFault("invalid_identity", str(wrong)) from None


def _identity(value: Any, country: str, calling_code: Any) -> str:
    if not isinstance(value, str):
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    elif value.startswith("+") or is_bsuid(value):
        return parse_identity(value)
    else:
        text = _plain(value)
    if text.startswith(("+", "00")) or is_bsuid(text):
        return parse_identity(text)
    code, country = _calling_code(calling_code, country)
    digits = text.translate(_BARE)
    if not (digits.isascii() and digits.isdigit()):
        return parse_identity(text)
    if code:
        return _one_of(_possible(code + digits.removeprefix("0")), _possible(digits))
    if country:
        return _one_of(within(digits, country), _possible(digits))
    return parse_identity(text)


def _plain(value: str) -> str:
    text = value[:_LONGEST].strip() if len(value) <= _LONGEST else value
    if found := _AS_TEXT.fullmatch(text):
        text = found[1]
    text = _PREFIXES.sub("", text).strip()
    if _ROUNDED.fullmatch(text):
        raise RowFault(
            "number_rounded", "A spreadsheet has rounded the number: its digits are lost."
        )
    return text


def _calling_code(given: Any, country: str) -> tuple[str, str]:
    """(calling code, country) that a cell of its own says."""
    text = str(given).strip().lstrip("+").removeprefix("00") if given is not None else ""
    if text.isascii() and text.isdigit():
        return text, country
    if len(text) == 2 and text.isascii() and text.isalpha():
        return "", text.upper()
    return "", country


def _possible(digits: str) -> str | None:
    try:
        return parse_msisdn(digits)
    except InvalidNumber:
        return None


def _one_of(home: str | None, abroad: str | None) -> str:
    """Which of the two numbers it is, that of the country or what the digits are by themselves."""
    if home is None or abroad is None or home == abroad:
        if (one := home or abroad) is None:
            raise InvalidNumber("It is no possible number, neither in the country nor abroad.")
        return one
    real = [one for one in (home, abroad) if is_assigned(one)]
    if len(real) == 1:
        return real[0]
    raise RowFault(
        "number_ambiguous", "The number may be one of the country or of another: write it with +."
    )
