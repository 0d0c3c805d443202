"""Which column holds what: by heading, by hand, by preset; and when that is in doubt."""

from __future__ import annotations

import pytest

from optin.domain.errors import InvalidList
from optin.domain.lists.headings import HEADINGS, Field, folded
from optin.domain.lists.presets import PRESETS
from optin.domain.lists.reader import ListOptions, ListReader
from tests.domain.lists.reading import ANNA, BO, item, rows_of, told, who


@pytest.mark.parametrize(
    "head",
    [
        "phone,status",
        "Phone Number,Opt-In",
        "MSISDN,optedIn",
        "Teléfono,Estado",
        "Telefonnummer,Einwilligung",
        "Numéro de téléphone,consentement",
        "НОМЕР ТЕЛЕФОНА,согласие",
        "电话号码,同意",
        "電話番号,同意",
        "رقم الهاتف,الموافقة",
        "मोबाइल,सहमति",
        " PHONE_NUMBER , opt_in ",
    ],
)
def test_headings_in_many_languages(head: str) -> None:
    """The columns are found whatever the language, case, accents and punctuation."""
    assert who(told(f"{head}\n+{ANNA},subscribed\n")) == [ANNA]


@pytest.mark.parametrize(
    ("head", "cell", "kind"),
    [
        ("opted in", "yes", "opt_in"),
        ("opted in", "no", "opt_out"),
        ("subscribed", "1", "opt_in"),
        ("subscribed", "FALSE", "opt_out"),
        ("unsubscribed", "yes", "opt_out"),
        ("unsubscribed", "1", "opt_out"),
        ("unsubscribed", "true", "opt_out"),
        ("Do not contact", "Y", "opt_out"),
        ("unsubscribed", "no", "says_nothing"),
        ("blocked", "0", "says_nothing"),
        ("status", "STOP", "opt_out"),
        ("status", "Opted-Out", "opt_out"),
        ("status", "opt_out_marketing", "marketing_stop"),
        ("status", "marketing_resume", "marketing_resume"),
        ("status", "1", "unknown_action"),
        ("status", "yes", "unknown_action"),
        ("status", "perhaps", "unknown_action"),
        ("status", "", "unknown_action"),
        ("einwilligung", "Ja", "opt_in"),
        ("consentimiento", "sí", "opt_in"),
        ("согласие", "нет", "opt_out"),
        ("opted in", "2", "unknown_action"),
    ],
)
def test_what_a_cell_says(head: str, cell: str, kind: str) -> None:
    """Yes below "unsubscribed" is an opt-out; a status of 1 may be anything and is refused."""
    (one,) = told(f"phone,{head}\n+{ANNA},{cell}\n")
    assert (one if isinstance(one, str) else one.kind.value) == kind


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("phone,Phone,status", "two columns named"),
        ("phone,mobile,status", "'phone' and 'mobile'"),
        ("name,status", "No column was found"),
        ("phone,name", "what the rows are"),
        ("phone,status,unsubscribed", "could both be the action"),
        ("phone,date,timestamp,status", "'date' and 'timestamp'"),
    ],
)
def test_doubt_is_refused(head: str, says: str) -> None:
    """Where two columns could be it, or none, the file is refused with their names."""
    row = ",".join(["+46732001122"] * (head.count(",") + 1))
    with pytest.raises(InvalidList, match=says):
        rows_of(f"{head}\n{row}\n".encode())


def test_mapping_ends_the_doubt() -> None:
    """Columns mapped by hand count, by name or place; `-` takes a column out."""
    data = f"phone,mobile,status,flag\n+{ANNA},+{BO},1,yes\n"
    assert who(told(data, mapping={"mobile": "identity", "Flag": "opted_in", "status": "-"})) == [
        BO
    ]
    assert who(told(data, mapping={"#1": "identity", "#2": "-", "STATUS": "opted_in"})) == [ANNA]


@pytest.mark.parametrize(
    "mapping", [{"nothing": "identity"}, {"phone": "nonsense"}, {"#9": "identity"}, {"#0": "-"}]
)
def test_a_mapping_to_nowhere(mapping: dict[str, str]) -> None:
    """A column or field that is not there is refused."""
    with pytest.raises(InvalidList):
        rows_of(f"phone,status\n+{ANNA},stop\n".encode(), mapping=mapping)


def test_an_action_for_all_rows() -> None:
    """It counts where no column says one; beside such a column it is a contradiction."""
    assert item(f"phone\n+{ANNA}\n", action="opt_out").kind == "opt_out"
    with pytest.raises(InvalidList, match="leave the action out"):
        rows_of(f"phone,status\n+{ANNA},opt-in\n".encode(), action="opt_in")
    data = f"phone,status\n+{ANNA},1\n"
    assert item(data, action="opt_in", mapping={"status": "-"}).kind == "opt_in"


def test_a_filter_asks_for_numbers_only() -> None:
    """Where only numbers matter, nothing else is asked of the columns."""
    data = f"phone,name,name2,date,timestamp\n+{ANNA},a,b,c,d\n".encode()
    assert len(rows_of(data, needs_action=False)[1]) == 1


@pytest.mark.parametrize(
    "options",
    [{"preset": "x"}, {"form": "xlsx"}, {"delimiter": "%"}, {"date_order": "ymd"}],
)
def test_options_that_are_none(options: dict[str, str]) -> None:
    """An option that does not exist is refused before anything is read."""
    with pytest.raises(InvalidList):
        ListReader(ListOptions(**options))  # type: ignore[arg-type]


def test_no_heading_means_two_things() -> None:
    """Each heading of the table stands for one field, and is found as it is written."""
    assert len(HEADINGS) > 250
    assert folded("Opt-In Date") == folded("optInDate") == "optindate"
    assert HEADINGS["unsubscribed"] is Field.OPTED_OUT
    assert HEADINGS["optedin"] is Field.OPTED_IN
    assert not {"createdat", "updatedat", "lastseen", "time"} & set(HEADINGS)


PRESET_ROWS = {
    "twilio": (
        "contact_id,correlation_id,sender_id,status,source,date_of_consent\n"
        f"+{ANNA},ad38,MG1,opt-in,website,2026-04-11T09:30:00Z\n"
        f"+{BO},ad39,MG1,opt-out,opt-out-message,2026-04-12T09:30:00Z\n",
        [("opt_in", False), ("opt_out", True)],
    ),
    "gupshup": (
        "countryCode,phoneCode,optinStatus,optinSource,optinTimeStamp,lastMessageTimeStamp\n"
        "46,732001122,OPT_IN,URL,1775899800000,0\n46,732001133,OPT_OUT,URL,1775899800000,0\n",
        [("opt_in", False), ("opt_out", False)],
    ),
    "infobip": (
        "Contact information,Sender,Source,Channel,Account,Added\n"
        f"{ANNA},Shop,Added manually,WHATSAPP,1,2026-04-11 11:30:00\n"
        f"{BO},Shop,Message from the end user,SMS,1,2026-04-11 11:30:00\n",
        [("opt_out", False), ("opt_out", True)],
    ),
    "sinch": (
        f'{{"identity":"{ANNA}","list_type":"OPT_OUT_MARKETING","operation":"INSERT",'
        '"datetime":"2026-04-11T09:30:00Z","origin":"INBOUND_MESSAGE"}\n'
        f'{{"identity":"{BO}","list_type":"OPT_OUT_ALL"}}\n',
        [("marketing_stop", False), ("opt_out", False)],
    ),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    """A provider's list is read without mapping anything."""
    data, expected = PRESET_ROWS[preset]
    items = told(data, preset=preset)
    assert who(items) == [ANNA, BO]
    found = [(each.kind.value, each.from_contact) for each in items if not isinstance(each, str)]
    assert found == expected
    first = items[0]
    assert not isinstance(first, str)
    assert first.at == 1_775_899_800_000_000


def test_a_gupshup_opt_out_is_not_as_old_as_its_opt_in() -> None:
    """The date of an opt-in never dates an opt-out: it takes the import's time instead."""
    data, _ = PRESET_ROWS["gupshup"]
    out = told(data, preset="gupshup")[1]
    assert not isinstance(out, str)
    assert out.at is None


def test_a_sinch_record_of_removal_is_no_opt_in() -> None:
    """Who was taken off a provider's opt-out list has not opted in by that."""
    data = f'{{"identity":"{ANNA}","list_type":"OPT_OUT_ALL","operation":"DELETE"}}\n'
    assert told(data, preset="sinch") == ["says_nothing"]
