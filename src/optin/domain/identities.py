"""Who a person is addressed by: MSISDN, wa_id or BSUID, and the spellings of one subscriber.

An identity inside the program is a canonical string: digits without '+' for numbers, a BSUID as
given. Identities in a provider's webhook are taken as they come and need no parsing (H3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from optin.domain.errors import InvalidIdentity, InvalidNumber
from optin.domain.numbering import LONGEST, SHORTEST, left_alone, settled

# Room for a number with every separator people use; more is not worth looking at.
_LONGEST_TEXT: Final = 64
_SEPARATORS: Final = str.maketrans("", "", " -.()")
_BSUID: Final = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")

#: What the digest that stands for an erased identity begins with (R15); no number or BSUID does.
DIGEST_MARK: Final = "~"

_BRAZIL_SHORT, _BRAZIL_LONG = 12, 13
_BRAZIL_MOBILE: Final = "6789"
_TEN_DIGITS_LATER: Final = {"52": "521", "54": "549"}


@dataclass(frozen=True, slots=True)
class Reach:
    """What a decision about one identity reads (R11); both sets hold the identity itself.

    `blocking` (W): whose opt-outs and marketing stops count. `allowing` (N, within W): whose
    opt-ins, start words, messages and resumes count.
    """

    blocking: frozenset[str]
    allowing: frozenset[str]


def parse_msisdn(value: object) -> str:
    """The MSISDN (E.164 digits, no '+') of what somebody gave as a number (H3).

    Takes a string or an integer. Parsing its own answer again changes nothing. Raises
    `InvalidNumber`, whose sentence never repeats the input.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and left_alone(value):
        return value  # what nearly all callers send, with nothing around it
    digits = _digits(value)
    if left_alone(digits):
        return digits
    msisdn = settled(digits)
    if msisdn is None:
        raise InvalidNumber("The calling code is unknown or the length is not possible for it.")
    return msisdn


def parse_identity(value: object) -> str:
    """The identity that a caller named: a number by H3, or a BSUID, byte for byte (R11).

    Raises `InvalidIdentity`, whose sentence never repeats the input.
    """
    if isinstance(value, str) and is_bsuid(value):
        return value
    try:
        return parse_msisdn(value)
    except InvalidNumber as error:
        raise InvalidIdentity(
            "An identity is a phone number with its calling code or a business-scoped user id."
        ) from error


def is_bsuid(identity: str) -> bool:
    """Whether `identity` is a business-scoped user id, not a number."""
    return _BSUID.fullmatch(identity) is not None


def shown(identity: str) -> str:
    """`identity` as people and callers see it: digits with '+', everything else as it is."""
    return "+" + identity if identity.isascii() and identity.isdigit() else identity


def is_digest(identity: str) -> bool:
    """Whether it is the keyed digest that stands for an erased identity (R15)."""
    return identity.startswith(DIGEST_MARK)


def reach(identity: str) -> Reach:
    """What a decision about `identity` reads by spelling alone; learned links come on top (R11).

    Argentina's other spelling may be another subscriber's landline, so it blocks and never allows.
    """
    alone = frozenset((identity,))
    other = _other_spelling(identity)
    if other is None:
        return Reach(blocking=alone, allowing=alone)
    both = alone | {other}
    return Reach(blocking=both, allowing=alone if identity.startswith("54") else both)


def _digits(value: object) -> str:
    """`value` as 7 to 15 ASCII digits, without what people write around and between them."""
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise InvalidNumber("The number is too long.")
        digits = _bare(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        # Checked before it is written out: Python refuses to write out huge integers.
        if not 0 < value < 10**LONGEST:
            raise InvalidNumber("A number given as an integer must be positive, up to 15 digits.")
        digits = str(value)
    else:
        raise InvalidNumber("A number must be a string or an integer.")
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidNumber("A number must consist of digits, with its calling code first.")
    if not SHORTEST <= len(digits) <= LONGEST:
        raise InvalidNumber("A number must have 7 to 15 digits.")
    return digits


def _bare(text: str) -> str:
    bare = text.translate(_SEPARATORS)
    if bare.startswith("+"):
        return bare[1:]
    return bare.removeprefix("00")


def _other_spelling(identity: str) -> str | None:
    """The one other way the same subscriber's number is written, or None."""
    if not (identity.isascii() and identity.isdigit()):
        return None
    if identity.startswith("55"):
        return _other_brazilian(identity)
    code = identity[:2]
    longer = _TEN_DIGITS_LATER.get(code)
    if longer is None:
        return None
    if len(identity) == len(code) + 10:
        return longer + identity[2:]
    if len(identity) == len(longer) + 10 and identity.startswith(longer):
        return code + identity[3:]
    return None


def _other_brazilian(identity: str) -> str | None:
    """With or without the ninth digit; the eight after it begin with 6 to 9, or it is no mobile."""
    if len(identity) == _BRAZIL_SHORT and identity[4] in _BRAZIL_MOBILE:
        return f"{identity[:4]}9{identity[4:]}"
    if len(identity) == _BRAZIL_LONG and identity[4] == "9" and identity[5] in _BRAZIL_MOBILE:
        return identity[:4] + identity[5:]
    return None
