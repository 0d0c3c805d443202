"""docs/how-it-decides.md: its tables are checked against the rules, its codes are complete."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from optin.domain import handing_over
from optin.domain.consent import BLANK, Clocks
from optin.domain.decision import Basis, Enforce, Reason, decide, gate
from optin.domain.events import DAY
from optin.domain.keywords import Intent, intent
from optin.domain.messages import Category
from optin.usecases import check
from tests.docs.pages import code, rows, section, text_of
from tests.house.tree import SOURCE

PAGE = text_of("docs/how-it-decides.md")
NOW = 10 * DAY

#: What the first three columns of the table of decisions say, as clocks.
STANDING = {
    "opted in": {"opt_in": 1},
    "unknown": {},
    "opted out": {"opt_in": 1, "opt_out_other": 2},
}
STOP: dict[str, dict[str, int]] = {"no": {}, "yes": {"marketing_stop": 3}}
SESSION: dict[str, dict[str, int]] = {"none": {"message": NOW - DAY}, "open": {"message": NOW - 1}}

#: The categories of its last three.
COLUMNS = [[Category.MARKETING], [Category.UTILITY, Category.AUTHENTICATION], [Category.SERVICE]]

#: What the table of words says, as the program names it.
MEANINGS = {
    "opt-out": Intent.STOP,
    "marketing stop": Intent.MARKETING_STOP,
    "start word": Intent.START,
    "unclear": Intent.REVIEW,
    "ordinary message": Intent.NONE,
}

#: Clocks and a category that are refused for the reason.
REFUSED: dict[Reason, tuple[Clocks, Category]] = {
    Reason.OPTED_OUT: (BLANK._replace(opt_out_other=1), Category.UTILITY),
    Reason.NO_OPT_IN: (BLANK, Category.UTILITY),
    Reason.MARKETING_STOPPED: (BLANK._replace(opt_in=1, marketing_stop=1), Category.MARKETING),
    Reason.SESSION_REQUIRED: (BLANK._replace(opt_in=1), Category.SERVICE),
}


def marked_rows(mark: str) -> list[list[str]]:
    """The rows of the table that follows the comment."""
    _, _, rest = PAGE.partition(f"<!-- {mark} -->")
    return rows(rest.partition("\n\n#")[0].split("\n\n")[1])


def decisions() -> Iterator[tuple[list[str], Category, str]]:
    """(contact, stop and session; category; what the table says) for every cell."""
    for *case, marketing, template, free in marked_rows("decisions"):
        for categories, cell in zip(COLUMNS, (marketing, template, free), strict=True):
            yield from ((case, category, cell.strip("`")) for category in categories)


@pytest.mark.parametrize(("case", "category", "told"), list(decisions()))
def test_the_table_of_decisions_is_what_the_rule_says(
    case: list[str], category: Category, told: str
) -> None:
    """R7: each cell is the decision for clocks that are as the row says."""
    standing, stop, session = case
    moved: dict[str, Any] = {**STANDING[standing], **STOP[stop], **SESSION[session]}
    clocks = BLANK._replace(**moved)
    decision = decide(clocks, category, NOW)
    assert told == ("yes" if decision.allowed else decision.reason)


def test_the_table_of_decisions_has_every_case() -> None:
    """Every combination of standing, stop and session has its row, once."""
    cases = [tuple(row[:3]) for row in marked_rows("decisions")]
    assert len(cases) == len(set(cases))
    assert set(cases) == {(a, b, c) for a in STANDING for b in STOP for c in SESSION}


def test_the_table_of_enforcement_is_what_the_gate_does() -> None:
    """R7, `enforce`: each cell is what the gate does with a message so refused."""
    table = marked_rows("enforcement")
    assert {code(reason) for reason, *_ in table} == set(Reason)
    for reason, *cells in table:
        clocks, category = REFUSED[Reason(code(reason))]
        assert decide(clocks, category, NOW).reason == code(reason)
        for enforce, cell in zip(Enforce, cells, strict=True):
            passes = gate(clocks, category, NOW, enforce=enforce).passes
            assert cell == ("passes" if passes else "refused"), (reason, enforce)


def test_opt_outs_refuses_marketing_that_was_stopped() -> None:
    """R7: what the page says about `opt_outs` and a reason of `no_opt_in` holds."""
    clocks = BLANK._replace(marketing_stop=1)
    assert decide(clocks, Category.MARKETING, NOW).reason is Reason.NO_OPT_IN
    judged = gate(clocks, Category.MARKETING, NOW, enforce=Enforce.OPT_OUTS)
    assert (judged.passes, judged.decision.reason) == (False, Reason.MARKETING_STOPPED)


@pytest.mark.parametrize(("cell", "told"), [tuple(row) for row in marked_rows("keywords")])
def test_the_table_of_words_is_what_the_packs_say(cell: str, told: str) -> None:
    """R10: each message of the table counts as the page says, with English words."""
    meaning = intent(code(cell), languages=["en"], nanp="+1" in cell)
    assert meaning is MEANINGS[told]


def test_the_reasons_are_complete() -> None:
    """Every code that a refusal, a check, a recorded item or a message ends with has its row."""
    told = {code(row[0]) for row in rows(section(PAGE, "## The reasons"))}
    codes = {*Reason, *Basis, check.INVALID, *reasons_of_items()}
    assert told == codes | {handing_over.EXPIRED, handing_over.UNKNOWN_OUTCOME}


def reasons_of_items() -> set[str]:
    """The reasons that recording gives an item by itself; errors bring the codes of docs/errors."""
    tree = ast.parse((SOURCE / "usecases" / "record_consent.py").read_text("utf-8"))
    keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword))
    found = {
        k.value.value for k in keywords if k.arg == "reason" and isinstance(k.value, ast.Constant)
    }
    return {value for value in found if isinstance(value, str)}
