"""Numbers, BSUIDs and the spellings of one subscriber (H3, R11)."""

from __future__ import annotations

from typing import Any

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optin.domain.errors import InvalidIdentity, InvalidNumber
from optin.domain.identities import is_bsuid, parse_identity, parse_msisdn, reach, shown
from optin.domain.numbering import left_alone
from tests.vectors import load

NUMBERS = load("numbers")
SPELLINGS: list[dict[str, Any]] = load("spellings")["cases"]
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
# What people and old contact lists put between the calling code and the number.
PUT_BETWEEN = (
    *("", "0", "00", "000", "1", "8", "06", "80", "90", "9", "15", "01", "011", "11", "1115"),
    *("01115", "021155", "015", "021", "9015", "03", "04", "0441", "0456", "044", "082", "08505"),
    *("180020", "1831", "17911", "12123", "003768", "0002", "10010", "15000", "1001", "1900"),
    "0549",
)


def by_library(digits: str) -> str | None:
    """H3 said again without the table: the oracle."""
    if digits.startswith("521") and len(digits) == 13:
        return digits
    seen: list[str] = []
    while digits not in seen:
        seen.append(digits)
        try:
            number = phonenumbers.parse("+" + digits)
        except phonenumbers.NumberParseException:
            return None
        if phonenumbers.is_possible_number_with_reason(number) != 0:
            return None
        digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    assert digits == seen[-1], "the library goes round in a circle"
    return digits if 7 <= len(digits) <= 15 else None


def parsed(value: object) -> str | None:
    try:
        return parse_msisdn(value)
    except InvalidNumber:
        return None


def example_numbers() -> list[str]:
    """A number of each kind that each region of the library has."""
    kinds = (
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.VOIP,
    )
    found = {
        f"{number.country_code}{phonenumbers.national_significant_number(number)}"
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    }
    return sorted(found)


@st.composite
def typed_numbers(draw: st.DrawFn) -> str:
    """A known calling code, something people put after it, and a number of any length."""
    code = draw(st.sampled_from(CODES))
    between = draw(st.sampled_from(PUT_BETWEEN))
    return f"{code}{between}{draw(st.text('0123456789', min_size=2, max_size=12))}"


@pytest.mark.parametrize("case", NUMBERS["valid"], ids=lambda case: repr(case["input"]))
def test_valid_numbers_become_their_msisdn(case: dict[str, Any]) -> None:
    """Each valid case of the vectors gives exactly its MSISDN."""
    assert parse_msisdn(case["input"]) == case["msisdn"]


@pytest.mark.parametrize("value", NUMBERS["invalid"], ids=repr)
def test_invalid_numbers_are_refused(value: object) -> None:
    """Each invalid case of the vectors raises, whatever its JSON type."""
    with pytest.raises(InvalidNumber):
        parse_msisdn(value)


@pytest.mark.parametrize(
    "value",
    [
        "４６７３２００１１２２",
        "٤٦٧٣٢٠٠١١٢٢",
        "4673200112²",
        "+46 73 200 1١22",
        "46732О01122",  # a Cyrillic O
        *("46732\x00001122", "46732001122\x00", "46732001122\n"),
        "46\u00a073\u00a0200\u00a01122",
        "\ud80046732001122",
        "4 6 7 3 2 0 0 1 1 2 2" + " " * 60,
        "9" * 1_000_000,
        10**15,
        10**4000,
        0,
        b"46732001122",
        "+1 555 1234",  # dialled within one town only: no E.164 number
        "4901234",  # 7 digits, but not without its trunk zero
        *("00", "+00", "+()", "(+)46732001122+"),
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:24]!r}",
)
def test_hostile_numbers_are_refused(value: object) -> None:
    """Foreign digits, control characters, endless input and half numbers never pass."""
    with pytest.raises(InvalidNumber):
        parse_msisdn(value)


@pytest.mark.parametrize(
    "value",
    ["46732001122x", "46732001122" * 2, "46732001122" * 9, "99946732001122", -46732001122],
    ids=repr,
)
def test_a_refusal_never_repeats_the_input(value: object) -> None:
    """No personal data reaches logs or answers by way of an error's sentence."""
    with pytest.raises(InvalidNumber) as refused:
        parse_msisdn(value)
    with pytest.raises(InvalidIdentity) as unknown:
        parse_identity(value)
    said = f"{refused.value!r}{unknown.value!r}{unknown.value.__cause__!r}"
    assert "46732001122" not in said
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("typed", "msisdn"),
    [
        ("+54 11 15 2345 6789", "5491123456789"),
        ("+54 011 15 2345 6789", "5491123456789"),
        ("+54 9 11 2345 6789", "5491123456789"),
        ("+54 0221 15 456 7890", "5492214567890"),
        ("+55 0 11 98765-4321", "5511987654321"),
        ("+55 021 11 3333-4444", "551133334444"),
        ("+55 90 11 98765-4321", "5511987654321"),
        ("+1 1 212 555 0123", "12125550123"),
        ("+7 8 912 345 67 89", "79123456789"),
        ("+36 06 20 123 4567", "36201234567"),
        ("+44 (0)7911 123456", "447911123456"),
        ("+44 180020 191 614 6100", None),  # more than 15 digits
        ("+49 (0)151 12345678", "4915112345678"),
        ("+49 00 151 12345678", "4915112345678"),
        ("+57 03 300 1234567", "573001234567"),
        ("+61 0412 345 678", "61412345678"),
        ("+86 17911 138 1234 5678", None),
        ("+86 0138 1234 5678", "8613812345678"),
        ("+370 8 612 34567", "37061234567"),
        ("+375 80 29 123 45 67", "375291234567"),
        ("+261 24 12345", "261202412345"),
        ("+378 88 66 77", "3780549886677"),
        ("+39 347 123 4567", "393471234567"),
        ("+225 07 07 12 34 56", "2250707123456"),
        ("+52 1 55 1234 5678", "5215512345678"),
        ("+52 01 55 1234 5678", None),
        ("+52 044 55 1234 5678", None),
    ],
)
def test_what_people_put_after_the_code_goes(typed: str, msisdn: str | None) -> None:
    """Trunk prefixes, carriers and Argentina's 15 lead to the one MSISDN of the person."""
    assert parsed(typed) == msisdn


@pytest.mark.parametrize("number", example_numbers())
def test_every_numbering_plan_agrees_with_the_library(number: str) -> None:
    """Numbers of all regions and kinds, bare and with what people put in: table = library."""
    for between in PUT_BETWEEN:
        for code in (number[:1], number[:2], number[:3]):
            if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
                typed = code + between + number[len(code) :]
                expected = by_library(typed) if 7 <= len(typed) <= 15 else None
                assert parsed(typed) == expected


@given(typed_numbers() | st.text("0123456789", min_size=6, max_size=17))
@example("5411152345678")
@example("490030123456")
@example("13101234")
@example("5210000000000")
def test_the_table_never_differs_from_the_library(digits: str) -> None:
    """No digits are accepted by one and refused by the other, or lead to two MSISDNs."""
    expected = by_library(digits) if 7 <= len(digits) <= 15 and digits[0] != "0" else None
    if not digits.startswith("00"):
        assert parsed(digits) == expected
    if left_alone(digits):
        assert by_library(digits) == digits


@given(typed_numbers() | st.sampled_from(example_numbers()))
def test_an_msisdn_is_its_own_msisdn(digits: str) -> None:
    """Parsing again, bare, with '+', with '00' or as an integer, changes nothing."""
    msisdn = parsed(digits)
    if msisdn is not None:
        assert parse_msisdn(msisdn) == msisdn
        assert parse_msisdn(shown(msisdn)) == msisdn
        assert parse_msisdn("00" + msisdn) == msisdn
        assert parse_msisdn(int(msisdn)) == msisdn


@given(
    st.sampled_from(example_numbers()),
    st.lists(st.sampled_from(" -.()"), min_size=16, max_size=16),
    st.sampled_from(["", "+", "00"]),
)
def test_separators_make_no_difference(number: str, between: list[str], front: str) -> None:
    """Spaces, dashes, dots and brackets, wherever they stand, name the same person."""
    pairs = zip(between, number, strict=False)
    written = front + "".join(separator + digit for separator, digit in pairs) + between[-1]
    assert parsed(written) == parsed(number)


@pytest.mark.parametrize("bsuid", ["SE.1349120865530274", "US.ENT.11815799212886844830", "BR.a"])
def test_bsuids_pass_byte_for_byte(bsuid: str) -> None:
    """A BSUID is an identity as given, and is shown without '+'."""
    assert is_bsuid(bsuid)
    assert parse_identity(bsuid) == bsuid
    assert shown(bsuid) == bsuid


def test_a_long_bsuid_is_no_long_number() -> None:
    """128 characters after the country are a BSUID, one more is nothing."""
    assert parse_identity("SE." + "a" * 128) == "SE." + "a" * 128
    with pytest.raises(InvalidIdentity):
        parse_identity("SE." + "a" * 129)


@pytest.mark.parametrize(
    "value",
    [
        *("se.123", "SE.", "SE123", "SE.12 3", "SE.123\n", " SE.123", "SE.ENT.", "SWE.123"),
        *("ＳＥ.123", "SE.١٢٣", "SE.1\x002", "", "abc", None, True, 1.5, {}),
    ],
    ids=repr,
)
def test_what_is_neither_is_no_identity(value: object) -> None:
    """Near misses of a BSUID are refused with the identity's own code."""
    with pytest.raises(InvalidIdentity) as caught:
        parse_identity(value)
    assert caught.value.code == "invalid_identity"


def test_identities_include_numbers() -> None:
    """A number is an identity by H3, shown with '+'."""
    assert parse_identity("+44 (0)191 614 6100") == "441916146100"
    assert shown("441916146100") == "+441916146100"


@pytest.mark.parametrize("case", SPELLINGS, ids=lambda case: case["identity"])
def test_spellings_of_one_subscriber(case: dict[str, Any]) -> None:
    """Each case of the vectors is blocked and allowed by exactly the spellings it names."""
    found = reach(case["identity"])
    assert found.blocking == set(case["blocked_by"])
    assert found.allowing == set(case["allowed_by"])


@pytest.mark.parametrize(
    "identity",
    [
        "551151234567",  # a landline: the eight digits begin with 5
        "5511951234567",  # a mobile that never had eight digits
        "52155123456789",
        "54911234567890",
        "52551234567",
        "5512345678",
        "SE.525512345678",
        "５２5512345678",
    ],
)
def test_no_spelling_is_invented(identity: str) -> None:
    """Landlines, other lengths and BSUIDs reach themselves alone."""
    assert reach(identity).blocking == reach(identity).allowing == {identity}


@given(
    st.builds(
        str.__add__,
        st.sampled_from(["52", "521", "54", "549", "55", "5511", "55119", "46", ""]),
        st.text("0123456789", min_size=6, max_size=12),
    )
)
def test_reach_is_symmetric(identity: str) -> None:
    """Who is reached reaches back, in both sets; what allows also blocks; oneself is in both."""
    found = reach(identity)
    assert identity in found.allowing <= found.blocking
    assert all(identity in reach(other).blocking for other in found.blocking)
    assert all(identity in reach(other).allowing for other in found.allowing)
    assert all(reach(other).blocking == found.blocking for other in found.blocking)
