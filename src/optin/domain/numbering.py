"""The numbering plans: what each calling code allows, and what the library makes of digits (H3).

`phonenumbers` needs tens of microseconds a number, so its metadata is read once, at import, into a
table of plans. The table answers one question only: would the library leave these digits exactly
as they are? Whatever it does not vouch for goes through the library itself, so the two ways can
never give one person two MSISDNs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import phonenumbers

SHORTEST: Final = 7
LONGEST: Final = 15

# Numbering plans dropped the 1 in 2019, WhatsApp's own ids still carry it (H3).
_MEXICO_OLD: Final = "521"
_MEXICO_OLD_LENGTH: Final = 13

# Far more rewritings than a number of 15 digits can need; only guards against a cycle.
_REWRITINGS: Final = LONGEST


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the main region of a calling code allows.

    `lengths` counts all digits, the code's included. `rewritten` matches, from `national` on,
    what people put between code and number (a trunk zero, a carrier); None if nothing is put.
    """

    national: int
    lengths: frozenset[int]
    rewritten: re.Pattern[str] | None


def left_alone(digits: str) -> bool:
    """Whether `digits` are an MSISDN that the library would not rewrite (or Mexico's old 521).

    False is no refusal, it only says that the table cannot tell: ask `settled`.
    """
    plan = _PLANS.get(digits[:3])
    if plan is None or len(digits) not in plan.lengths:
        return False
    if plan.rewritten is None:
        return True
    found = plan.rewritten.match(digits, plan.national)
    # Argentina's pattern matches the empty string, which rewrites nothing.
    return found is None or found.end() == plan.national


def settled(digits: str) -> str | None:
    """The MSISDN the library makes of `digits`, or None if they are no possible number.

    The library takes away one trunk prefix at a time (+49 00 30 … becomes +49 0 30 …), so it is
    asked until its answer stays the same: an MSISDN is always the MSISDN of itself.
    """
    for _ in range(_REWRITINGS):
        form = _library_form(digits)
        if form is None or form == digits:
            return form
        digits = form
    return None


def within(digits: str, country: str) -> str | None:
    """The MSISDN of `digits` dialled within `country` (two letters), or None if it is no possible
    number there."""
    form = _library_form(digits, country)
    return form and settled(form)


def is_assigned(msisdn: str) -> bool:
    """Whether numbering plans give out numbers of that form: stricter than possible (H3)."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse("+" + msisdn))
    except phonenumbers.NumberParseException:
        return False


def _library_form(digits: str, country: str | None = None) -> str | None:
    try:
        number = phonenumbers.parse(digits if country else "+" + digits, country)
    except phonenumbers.NumberParseException:
        return None
    # Not is_possible_number(): it also passes what is dialled within one town only, as +1 555 1234.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    return form if SHORTEST <= len(form) <= LONGEST else None


def _plan(code: int) -> _Plan:
    # The code's main region, as the library's own check of length: others of the same code
    # allow lengths of their own (Canada 7 digits after +1).
    region = phonenumbers.region_code_for_country_code(code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None or metadata.general_desc is None:
        raise LookupError(f"phonenumbers knows calling code {code} but nothing about it")
    national = len(str(code))
    prefix = metadata.national_prefix_for_parsing
    return _Plan(
        national=national,
        lengths=frozenset(
            national + length
            for length in metadata.general_desc.possible_length
            if SHORTEST <= national + length <= LONGEST
        ),
        rewritten=re.compile(prefix) if prefix else None,
    )


def _read_plans() -> dict[str, _Plan]:
    """Every plan under each beginning of three digits that leads to it: one look-up finds it."""
    plans: dict[str, _Plan] = {}
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        plan = _plan(code)
        open_digits = 3 - plan.national
        for rest in range(10**open_digits):
            beginning = f"{code}{rest:0{open_digits}}" if open_digits else str(code)
            plans[beginning] = plan
    mexico = plans[_MEXICO_OLD]
    plans[_MEXICO_OLD] = _Plan(
        mexico.national, mexico.lengths | {_MEXICO_OLD_LENGTH}, mexico.rewritten
    )
    return plans


_PLANS: Final = _read_plans()
