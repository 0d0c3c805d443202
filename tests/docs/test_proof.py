"""docs/proof.md: its commands are run, and its program checks packs, whole and damaged ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optin.domain.events import Kind
from optin.usecases.prove import Prove
from optin.web.proof import _STATES, proof_json
from tests.acceptance.program import Program
from tests.conftest import OpenStore
from tests.docs.pages import blocks, code, rows, section, text_of
from tests.docs.shell import at_hand, run
from tests.stores.works import BOT
from tests.usecases.damage import written
from tests.usecases.lives import PEOPLE

PAGE = text_of("docs/proof.md")
(CHECK,) = (block.text for block in blocks(PAGE) if block.mark == "check")


def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    """History, pack, verify, heads: each command is run, and what it made passes the check."""
    if not at_hand("curl", "openssl"):
        return
    with Program(tmp_path) as program:
        assert run(blocks(PAGE), tmp_path, program.url) == 5
    (tmp_path / "check.py").write_text(CHECK, "utf-8")
    done = subprocess.run(
        [sys.executable, "check.py", "proof.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (head,) = json.loads((tmp_path / "heads.json").read_text())["heads"]
    assert done.stdout == f"writer 0, commit {head['seq']}: {head['hash']}\n"


@pytest.fixture
def check() -> Any:
    names: dict[str, Any] = {"__name__": "check"}
    exec(CHECK, names)
    return names["check"]


async def packs(open_store: OpenStore, path: Path) -> list[dict[str, Any]]:
    """Of everybody in a ledger with all there is in it; the first was erased and is back."""
    await written(path / "optin.db")
    store = await open_store()
    made = [await Prove(store).prove(BOT, who) for who in PEOPLE]
    return [json.loads(json.dumps(proof_json(each))) for each in made]


async def test_the_shown_check_takes_every_pack(
    open_store: OpenStore, tmp_path: Path, check: Any
) -> None:
    """R14: with hashlib alone, following the page, every entry leads to the head."""
    for pack in await packs(open_store, tmp_path):
        assert pack["chain"]["sound"]
        assert pack["events"]
        assert len(check(pack)) == 1


async def test_the_shown_check_refuses_a_changed_pack(
    open_store: OpenStore, tmp_path: Path, check: Any
) -> None:
    """Any field of an entry, a commit, a leaf or a head, and the wording's text."""
    [_, pack, *_] = await packs(open_store, tmp_path)
    text = json.dumps(pack)
    entry = pack["events"][0]["entry"]
    for name in entry:
        if name in ("leaf", "erased_by"):  # the one is computed anew, the other no hash is over
            continue
        changed = json.loads(text)
        value = entry[name]
        changed["events"][0]["entry"][name] = "ab" * 16 if isinstance(value, str) else 7
        with pytest.raises((AssertionError, KeyError)):
            check(changed)
    for name in set(pack["chain"]["commits"][0]):
        changed = json.loads(text)
        value = changed["chain"]["commits"][0][name]
        other = "ab" * 32 if isinstance(value, str) else value + 7
        changed["chain"]["commits"][0][name] = other
        with pytest.raises((AssertionError, KeyError)):
            check(changed)
    for path in (("events", 0, "evidence", "wording"), ("chain", "heads", 0, "hash")):
        changed = json.loads(text)
        *way, last = path
        there: Any = changed
        for step in way:
            there = there[step]
        there[last] = "something else"
        with pytest.raises(AssertionError):
            check(changed)


def test_the_terms_are_those_of_the_program() -> None:
    """Each kind that is an event of consent stands in the row of its state, and in no other."""
    told = {
        kind: state.split("`")[3]
        for state, kinds in rows(section(PAGE, "## The standard's terms"))
        if state.startswith("`event_state`")
        for kind in (code(each) for each in kinds.split(", "))
    }
    assert told == {Kind(kind).value: state for kind, state in _STATES.items()}
