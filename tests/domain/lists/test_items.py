"""What a row claims: numbers, dates, evidence (R3, R4, R8, H3)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from optin.domain.events import DAY, SECOND, Claim, Kind, Origin
from optin.domain.lists.claims import UNDATED, claim_of
from optin.domain.lists.dates import parse_moment
from optin.domain.lists.faults import RowFault
from optin.domain.lists.numbers import listed_identity
from optin.domain.rfc3339 import parse_time, shown_time
from optin.domain.times import effective_time
from tests.domain.lists.reading import ANNA, BERLIN, item, told

MINUTE = 60 * SECOND


def at(text: str) -> int:
    return parse_time(text, "at")


@pytest.mark.parametrize(
    ("text", "country", "code", "expected"),
    [
        ("+46 73-200 11 22", "", None, ANNA),
        ("0046732001122", "DE", None, ANNA),
        ("46732001122", "", None, ANNA),
        ("46732001122", "SE", None, ANNA),
        ("0732001122", "SE", None, ANNA),
        ("073-200 11 22", "SE", None, ANNA),
        ("whatsapp:+46732001122", "", None, ANNA),
        ("tel:+46-73-2001122", "", None, ANNA),
        ("'+46732001122", "", None, ANNA),
        ('="0732001122"', "SE", None, ANNA),
        ("732001122", "", "46", ANNA),
        ("0732001122", "", "+46", ANNA),
        ("46732001122", "", "46", ANNA),
        ("732001122", "", "SE", ANNA),
        ("9876543210", "", "91", "919876543210"),
        ("9198765432", "", "91", "919198765432"),
        ("2125551234", "US", None, "12125551234"),
        ("07911 123456", "GB", None, "447911123456"),
        ("3123456789", "IT", None, "393123456789"),
        ("4791234567", "SE", None, "4791234567"),
        ("US.13491208655302741918", "SE", None, "US.13491208655302741918"),
        (46732001122, "", None, ANNA),
    ],
)
def test_numbers(text: object, country: str, code: object, expected: str) -> None:
    """H3: with their calling code as everywhere; without it, by the list's country or column."""
    assert listed_identity(text, country, code) == expected


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("", "", "invalid_identity"),
        ("0732001122", "", "invalid_identity"),
        ("anna@example.org", "", "invalid_identity"),
        ("=HYPERLINK(1)", "SE", "invalid_identity"),
        ("4,67E+10", "SE", "number_rounded"),
        ("4.6732E+10", "", "number_rounded"),
        ("12", "SE", "invalid_identity"),
        ("+0", "SE", "invalid_identity"),
        (True, "SE", "invalid_identity"),
        (4.5, "SE", "invalid_identity"),
        ([ANNA], "SE", "invalid_identity"),
        ("1" * 500, "SE", "invalid_identity"),
        ("49211234567", "DE", "number_ambiguous"),
    ],
)
def test_no_numbers(text: object, country: str, code: str) -> None:
    """What is no number is refused; so is what may be a subscriber here or abroad."""
    with pytest.raises(RowFault) as wrong:
        listed_identity(text, country)
    assert wrong.value.code == code
    assert not str(text) or str(text) not in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "first", "unit"),
    [
        ("2026-04-11T09:30:00Z", "2026-04-11T09:30:00Z", 1),
        ("2026-04-11 09:30:00.25+02:00", "2026-04-11T07:30:00.25Z", 1),
        ("2026-04-11T09:30:00+0200", "2026-04-11T07:30:00Z", 1),
        ("2026-04-11 09:30:00 UTC", "2026-04-11T09:30:00Z", 1),
        ("2026-04-11 11:30:00", "2026-04-11T09:30:00Z", 1),
        ("2026-04-11 11:30", "2026-04-11T09:30:00Z", MINUTE),
        ("2026-04-11", "2026-04-10T22:00:00Z", DAY),
        ("2026/4/1", "2026-03-31T22:00:00Z", DAY),
        ("11.04.2026", "2026-04-10T22:00:00Z", DAY),
        ("11.4.2026, 11:30:00", "2026-04-11T09:30:00Z", 1),
        ("25/12/2025 11:30", "2025-12-25T10:30:00Z", MINUTE),
        ("12/25/2025", "2025-12-24T23:00:00Z", DAY),
        ("04/04/2026", "2026-04-03T22:00:00Z", DAY),
        ("11 Apr 2026", "2026-04-10T22:00:00Z", DAY),
        ("April 11, 2026 3:05 PM", "2026-04-11T13:05:00Z", MINUTE),
        ("12/25/2025 12:00:00 am", "2025-12-24T23:00:00Z", 1),
        ("Sat, 11 Apr 2026 09:30:00 +0000", "2026-04-11T09:30:00Z", 1),
        ("1775899800", "2026-04-11T09:30:00Z", 1),
        ("1775899800000", "2026-04-11T09:30:00Z", 1),
        (1775899800, "2026-04-11T09:30:00Z", 1),
        ("'2026-04-11", "2026-04-10T22:00:00Z", DAY),
        ("2026-03-29", "2026-03-28T23:00:00Z", 23 * 60 * MINUTE),
        ("2025-10-26", "2025-10-25T22:00:00Z", 25 * 60 * MINUTE),
        ("2025-10-26 02:30:00", "2025-10-26T00:30:00Z", 60 * MINUTE + 1),
    ],
)
def test_dates(text: object, first: str, unit: int) -> None:
    """R3: the instant is the first that the text can mean in its zone, the unit reaches to the last
    one: a day has 23 to 25 hours, an hour that comes twice is two."""
    moment = parse_moment(text, BERLIN)
    assert (shown_time(moment.at), moment.unit) == (shown_time(at(first)), unit)


@pytest.mark.parametrize(
    ("text", "order", "code"),
    [
        ("03/04/2026", "", "date_order"),
        ("3-4-2026", "", "date_order"),
        ("13/13/2026", "", "invalid_time"),
        ("25/12/2025", "mdy", "invalid_time"),
        ("11/04/26", "", "invalid_time"),
        ("2026-02-30", "", "invalid_time"),
        ("2026-04-11 25:00", "", "invalid_time"),
        ("2026-04-11 13:00 pm", "", "invalid_time"),
        ("0001-01-01", "", "invalid_time"),
        ("9999-12-31", "", "invalid_time"),
        ("11 Foo 2026", "", "invalid_time"),
        ("yesterday", "", "invalid_time"),
        ("46123.5", "", "invalid_time"),
        ("٢٠٢٦-٠٤-١١", "", "invalid_time"),
        (True, "", "invalid_time"),
        ({}, "", "invalid_time"),
    ],
)
def test_no_dates(text: object, order: str, code: str) -> None:
    """What could be two dates, or is none, is refused and not guessed."""
    with pytest.raises(RowFault) as wrong:
        parse_moment(text, BERLIN, order)
    assert wrong.value.code == code


@pytest.mark.parametrize(("order", "month"), [("dmy", 4), ("mdy", 3)])
def test_the_order_of_day_and_month(order: str, month: int) -> None:
    """Whoever names the order gets it."""
    moment = parse_moment("03/04/2026 12:00:00", ZoneInfo("UTC"), order)
    day = 3 if month == 4 else 4
    assert moment.at == int(datetime(2026, month, day, 12, tzinfo=UTC).timestamp()) * SECOND


def test_a_time_without_offset_needs_a_zone() -> None:
    """No zone is assumed; a time with its offset needs none."""
    with pytest.raises(RowFault) as wrong:
        parse_moment("2026-04-11 09:30:00", None)
    assert wrong.value.code == "no_time_zone"
    assert parse_moment("2026-04-11T09:30:00Z", None).unit == 1


def claim(row: str, reopt_in: str = "") -> Claim:
    one = item(f"phone,status,date,opt_in_date,opt_out_date\n+{ANNA},{row}\n")
    return claim_of(one, bytes(16), imported=at("2026-11-01T00:00:00Z"), reopt_in=reopt_in)


def effective(row: str) -> int | None:
    now = at("2026-11-23T00:00:00Z")
    return effective_time(claim(row), now, now + 1)


def test_coarse_times_block_in_doubt() -> None:
    """R3: of a day an opt-in takes the first instant, an opt-out the last."""
    assert effective("opt-in,2026-04-11,,") == at("2026-04-10T22:00:00Z")
    assert effective("opt-out,2026-04-11,,") == at("2026-04-11T22:00:00Z") - 1


def test_rows_without_a_date() -> None:
    """R3: an opt-in comes before everything else, an opt-out takes the import's time; with a
    reason, so does the opt-in."""
    assert effective("opt-in,,,") == UNDATED
    assert effective("marketing_resume,,,") == UNDATED
    assert effective("opt-out,,,") == at("2026-11-01T00:00:00Z")
    assert effective("marketing_stop,,,") == at("2026-11-01T00:00:00Z")
    told_why = claim("opt-in,,,", reopt_in="campaign of May")
    assert told_why.at == at("2026-11-01T00:00:00Z")
    assert told_why.context["reopt_in"] == "campaign of May"
    assert told_why.origin is Origin.DATED
    dated = claim("opt-in,2026-04-11,,", reopt_in="campaign of May")
    assert dated.at == at("2026-04-10T22:00:00Z")


def test_nothing_is_earlier_than_an_undated_opt_in() -> None:
    """The earliest date that a list can have is later."""
    assert shown_time(UNDATED) == "0001-01-01T00:00:00Z"
    assert parse_moment("1900-01-01", ZoneInfo("Pacific/Kiritimati")).at > UNDATED


def test_dates_of_their_own() -> None:
    """The date of an opt-in never dates an opt-out, nor the other way round."""
    assert effective("opt-out,,2026-04-11,") == at("2026-11-01T00:00:00Z")
    assert effective("opt-out,,2026-04-11,2026-05-11") == at("2026-05-11T22:00:00Z") - 1
    assert effective("opt-in,,2026-04-11,2026-03-11") == at("2026-04-10T22:00:00Z")


@pytest.mark.parametrize(
    "row", ["opt-in,,2026-04-11,2026-05-11", "opt-in,,,2026-05-11", "opt-in,,2026-04-11,2026-04-11"]
)
def test_contradictions(row: str) -> None:
    """An opt-in with a date of opt-out that is not before it is refused."""
    assert told(f"phone,status,date,opt_in_date,opt_out_date\n+{ANNA},{row}\n") == ["contradiction"]


def test_a_message_needs_its_time() -> None:
    """A message that was some time opens nothing."""
    assert told(f"phone,status\n+{ANNA},message\n") == ["no_time"]


def test_categories() -> None:
    """R8: an opt-in may name some; an opt-out of marketing alone stops that, of others it is
    whole."""
    head = "phone,status,categories\n"
    one = item(head + f"+{ANNA},opt-in,utility;Authentication\n")
    assert one.categories == frozenset({"utility", "authentication"})
    assert item(head + f"+{ANNA},opt-out,marketing\n").kind is Kind.MARKETING_STOP
    assert item(head + f"+{ANNA},opt-out,utility\n").kind is Kind.OPT_OUT
    assert told(head + f"+{ANNA},opt-in,nonsense\n") == ["invalid_categories"]


def test_evidence_and_other_columns() -> None:
    """What is known as evidence is kept under its name, the rest beside it."""
    one = item(f"phone,status,source,IP address,name\n+{ANNA},opt-in,form 3,192.0.2.1,Anna\n")
    assert one.evidence == {
        "collection_point": "form 3",
        "ip": "192.0.2.1",
        "columns": {"name": "Anna"},
    }
    assert claim_of(one, bytes(16), imported=0).wording is None


def test_a_name_is_no_evidence() -> None:
    """R4: a row that brings only columns we do not know has no evidence; they are kept beside."""
    one = item(f"phone,status,name\n+{ANNA},opt-in,Anna\n")
    assert one.evidence == {}
    kept = claim_of(one, bytes(16), imported=0)
    assert not kept.evidence
    assert kept.context["columns"] == '{"name":"Anna"}'


def test_a_wording_binds_the_opt_in() -> None:
    """R4: the wording that was shown is hashed, as in every other door."""
    one = item(f"phone,status,wording\n+{ANNA},opt-in,Yes please\n")
    assert claim_of(one, bytes(16), imported=0).wording is not None


def test_evidence_of_every_row() -> None:
    """What the caller says of the whole list is evidence of each row; the row's own comes first."""
    one = item(f"phone,status,channel\n+{ANNA},opt-in,web\n", evidence={"channel": "x", "ref": "1"})
    assert one.evidence == {"channel": "web", "ref": "1"}


def test_large_columns() -> None:
    """Other columns are left out where there is no room, and it is told; evidence is refused."""
    head = "phone,status,a,b\n"
    one = item(head + f"+{ANNA},opt-out,short,{'x' * 9000}\n")
    assert one.others == {"a": "short", "left_out": 1}
    assert told(f"phone,status,wording\n+{ANNA},opt-in,{'x' * 9000}\n") == ["evidence_too_large"]


def test_evidence_in_one_column() -> None:
    """A column of evidence may hold an object, as JSON text, too."""
    data = f'phone,status,evidence\n+{ANNA},opt-in,"{{""channel"": ""web""}}"\n'
    assert item(data).evidence == {"channel": "web"}
    assert item(f"phone,status,evidence\n+{ANNA},opt-in,by letter\n").evidence == {
        "note": "by letter"
    }


@pytest.mark.parametrize(
    ("row", "by_contact"),
    [
        ("STOP,", True),
        ("opt-out,contact", True),
        ("opt-out,agent", False),
        ("opt-in,contact", False),
    ],
)
def test_who_opted_out(row: str, by_contact: bool) -> None:
    """R4: an opt-out is the contact's own if the row says so."""
    assert item(f"phone,status,actor\n+{ANNA},{row}\n").from_contact is by_contact
