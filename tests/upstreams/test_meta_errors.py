"""Meta's errors, read and judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.upstreams.meta_errors import ERRORS, RETRIED, Classified, Outcome, classify
from tests.domain.message_examples import JSON

# Every code of Meta's list that this program knows, by what must happen.
TABLE: dict[str, str] = {
    "retry": "1 2 130429 131000 131016 131053 131057",
    "retry_pair": "131056",
    "retry_slowly": "4 80007 131048 133016",
    "marketing_stop": "131050",
    "window_closed": "131047",
    "circuit_break": ("0 3 10 190 200 219 299 368 131005 131031 131037 131042 131045"),
    "fail": (
        "33 100 130403 130472 130497 131008 131009 131021 131026 131049 131051 131052 131060"
        " 131062 131063 131064 132000 132001 132005 132007 132012 132015 132016 137000"
    ),
}
EXPECTED = [(int(code), Outcome(kind)) for kind, codes in TABLE.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "outcome"), EXPECTED)
@pytest.mark.parametrize("transient", [True, False])
def test_known_codes(code: int, outcome: Outcome, transient: bool) -> None:
    """Each known code has one outcome, whatever Graph says of its being transient."""
    judged = classify({"code": code, "is_transient": transient})
    assert (judged.code, judged.outcome) == (code, outcome)
    assert judged.details


def test_every_code_of_the_table_is_tested() -> None:
    """No code is in the table without a line above, and none above is missing there."""
    permissions = {200, 219, 299}
    assert {code for code, _ in EXPECTED} - permissions == set(ERRORS)


@pytest.mark.parametrize("code", [199, 300, 131999, -1, 10**30])
def test_unknown_codes_fail_unless_transient(code: int) -> None:
    """What nobody knows is not tried again, but where Graph itself calls it passing."""
    assert classify({"code": code}).outcome is Outcome.FAIL
    assert classify({"code": code, "is_transient": "true"}).outcome is Outcome.FAIL
    assert classify({"code": code, "is_transient": True}).outcome is Outcome.RETRY


def test_a_whole_answer_the_object_and_a_webhooks_item_read_alike() -> None:
    """The same fault comes in three wrappings and is judged the same."""
    details = "More than 24 hours have passed."
    error = {
        "message": "(#131047) Re-engagement message",
        "type": "OAuthException",
        "code": 131047,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": "AbC",
    }
    item = {"code": 131047, "title": "Re-engagement message", "error_data": {"details": details}}
    expected = Classified(131047, Outcome.WINDOW_CLOSED, details)
    assert classify(error) == classify({"error": error}) == classify(item) == expected


@pytest.mark.parametrize(
    ("error", "details"),
    [
        ({"message": "m", "title": "t", "error_data": {"details": "d"}}, "d"),
        ({"message": "m", "title": "t", "error_data": {"details": " "}}, "m"),
        ({"message": 7, "title": "t", "error_data": "blame-field"}, "t"),
        ({"message": "a\x00b\ud800"}, "a\ufffdb\ufffd"),
        ({"message": "x" * 9_000}, "x" * 500),
        ({}, "the template is paused"),
    ],
)
def test_details(error: dict[str, object], details: str) -> None:
    """The most telling text is kept, short and storable; without any, our own words."""
    assert classify({"code": 132015, **error}).details == details


@pytest.mark.parametrize("code", ["131050", 131050])
def test_a_code_may_be_text(code: object) -> None:
    """An opt-out of marketing (R8) is not missed because its code came as a string."""
    assert classify({"code": code}).outcome is Outcome.MARKETING_STOP


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "<html>502 Bad Gateway</html>",
        [],
        {},
        {"error": None},
        {"error": {"is_transient": True}},
        {"code": None, "is_transient": True},
        {"code": True, "is_transient": True},
        {"code": 1.0},
        {"code": "１"},
        {"code": "9" * 5_000},
        {"code": {}},
    ],
)
def test_what_is_no_error_of_graphs_is_never_retried(nonsense: object) -> None:
    """H8: without a code nobody said that nothing was sent; `code` None tells the caller so."""
    judged = classify(nonsense)
    assert judged.code is None
    assert judged.outcome not in RETRIED
    assert judged.details


@given(JSON | st.fixed_dictionaries({"code": JSON, "error_data": JSON, "message": JSON}))
def test_no_answer_breaks_it(error: object) -> None:
    """Random JSON is judged without a crash; only what has a code of Graph's may be retried."""
    judged = classify(error)
    assert judged.details.encode()
    assert judged.code is not None or judged.outcome is Outcome.FAIL
