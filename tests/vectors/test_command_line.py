"""The rule cases, run through the real command `optin check` (SPEC 8)."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.consent_items import ACTIONS
from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.ports.store import Store
from optin.settings import load_settings
from optin.wiring.opening import opened_store
from tests.acceptance.program import Program
from tests.conftest import first_token
from tests.domain.histories import micros
from tests.stores.works import record
from tests.vectors import load

NUMBERS = load("numbers")
CASES = [
    case
    for case in load("decisions")["cases"]
    if all(event["kind"] in ACTIONS for event in case["events"])
]


def person(number: int) -> str:
    return f"4673{number:07d}"


def claims(number: int) -> list[Claim]:
    """What happened to the person of the case, dated."""
    return [
        Claim(
            event_id=derived_id(micros(event["at"]), str(number), str(place)),
            identity=person(number),
            kind=Kind(event["kind"]),
            origin=Origin.DATED,
            source="test",
            at=micros(event["at"]),
        )
        for place, event in enumerate(CASES[number]["events"])
    ]


async def fill(folder: Path) -> None:
    """One person for each case, and an opt-in of each number's one MSISDN."""
    settings = load_settings({"database": f"sqlite:{folder / 'optin.db'}"}, {}, folder / "none")
    async with opened_store(settings) as store:
        await fill_store(store)


async def fill_store(store: Store) -> None:
    await store.add_bot(Bot("vectors"), first_token("vectors"))
    for number in range(len(CASES)):
        for claim in claims(number):
            await store.commit(record(claim, bot_id="vectors"))
    for case in NUMBERS["valid"]:
        at = micros("2020-01-01T00:00:00Z")
        yes = Claim(
            event_id=derived_id(at, "yes", str(case["input"])),
            identity=case["msisdn"],
            kind=Kind.OPT_IN,
            origin=Origin.DATED,
            source="test",
            at=at,
        )
        await store.commit(record(yes, bot_id="vectors"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    made = Program(tmp_path_factory.mktemp("vectors"))
    assert made.command("migrate").returncode == 0
    asyncio.run(fill(made.folder))
    return made


def check(program: Program, *arguments: str) -> list[dict[str, Any]]:
    done = program.command("check", "--json", "--bot", "vectors", *arguments)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return rows


def test_decisions(program: Program) -> None:
    """R2 to R8: every case that can be recorded, each question asked with `--at`."""
    asked: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for number, case in enumerate(CASES):
        for decision in case["decisions"]:
            asked[decision["now"], decision["category"]].append((number, decision))
    for (now, category), expected in asked.items():
        people = [person(number) for number, _ in expected]
        rows = check(program, "--at", now, "--category", category, *people)
        for (number, want), row in zip(expected, rows, strict=True):
            got = {key: row[key] for key in ("allowed", "reason", "basis", "until")}
            assert got == {key: want[key] for key in got}, CASES[number]["name"]


def test_good_numbers(program: Program) -> None:
    """H3: however it is written, it is the one MSISDN that opted in."""
    rows = check(program, *(str(case["input"]) for case in NUMBERS["valid"]))
    assert [row["allowed"] for row in rows] == [True] * len(NUMBERS["valid"])


def test_bad_numbers(program: Program) -> None:
    """H3: what is no number is a row with the reason `invalid`."""
    bad = [given for given in NUMBERS["invalid"] if isinstance(given, str)]
    rows = check(program, "--", *bad)
    assert [(row["identity"], row["reason"]) for row in rows] == [(b, "invalid") for b in bad]
