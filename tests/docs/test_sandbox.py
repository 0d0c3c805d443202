"""docs/sandbox.md says what the sandbox does: its commands and its table of failures."""

from __future__ import annotations

import click

from optin.cli.sandbox import sandbox
from optin.upstreams.sandbox_script import SCRIPTS
from tests.cli.test_sandbox import ENDS
from tests.docs.pages import code, rows, section, text_of

PAGE = text_of("docs/sandbox.md")
FAILURES = rows(section(PAGE, "## Make messages fail"))


def test_the_commands_are_those_there_are() -> None:
    """Each `optin sandbox` command has its row, in which it is called as it takes its arguments."""
    told = [code(command).split() for command, _ in rows(section(PAGE, "## Play the customer"))]
    assert {words[2] for words in told} == set(sandbox.commands)
    for words in told:
        parameters = sandbox.commands[words[2]].params
        options = {option for each in parameters for option in each.opts if option in words}
        assert options == {word for word in words if word.startswith("--")}
        taken = [each for each in parameters if isinstance(each, click.Argument)]
        assert [each.human_readable_name for each in taken] == words[7:]


def test_the_failures_are_those_there_are() -> None:
    """Each row has the digits and the code of the program's table."""
    told = {code(digits): number for digits, number, _, _ in FAILURES}
    assert told == {
        digits: str(script.refused or script.failed or "") for digits, script in SCRIPTS.items()
    }


def test_the_ends_are_those_that_were_seen() -> None:
    """How a message ends is what the test of the real program waits for."""
    told = {code(digits): end for digits, _, _, end in FAILURES}
    seen = {digits: state for digits, (_, state, _) in ENDS.items() if digits in told}
    assert set(told) - set(seen) == {"0007"}
    assert {digits for digits in seen if not told[digits].startswith(f"`{seen[digits]}`")} == set()
