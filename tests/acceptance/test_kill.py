"""R13: `kill -9` at any instant loses nothing acknowledged and leaves no half of a request."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.load import Log, lists_of_numbers, load
from tests.acceptance.program import Program

CHUNK = 1000


async def allowed(program: Program, token: str, numbers: list[str]) -> dict[str, bool]:
    """What `check` says of each number."""
    answers: dict[str, bool] = {}
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            url = f"{program.url}/v1/bots/b1/check"
            async with session.post(url, json={"identities": chunk}) as answer:
                assert answer.status == 200
                results = (await answer.json())["results"]
            answers.update(zip(chunk, (r["allowed"] for r in results), strict=True))
    return answers


def under_fire(
    program: Program, token: str, method: str, log: Log, offset: int, life: float
) -> None:
    """Loads the service from 8 clients and kills it with `kill -9` after `life` seconds."""

    async def fire() -> None:
        url = f"{program.url}/whatsapp/v1/b1/provision/optin"
        firing = asyncio.create_task(load(url, token, method, lists_of_numbers(offset), log))
        await asyncio.sleep(life)
        program.kill()
        await asyncio.wait_for(firing, 30)

    asyncio.run(fire())


def campaign(folder: Path, kills: int, *options: str) -> int:
    """Kills the service `kills` times, alternating opt-ins and opt-outs; what was acknowledged."""
    chance = random.Random(kills)
    program = Program(folder, *options)
    token = program.add_bot("b1")
    opted_in, opted_out = Log(), Log()
    for number in range(kills):
        program.start()
        method, log = ("POST", opted_in) if number % 2 == 0 else ("DELETE", opted_out)
        under_fire(program, token, method, log, number // 2 * 1_000_000, chance.uniform(0.3, 1.2))
    with program:
        before = asyncio.run(allowed(program, token, flat(opted_in.acknowledged)))
        after = asyncio.run(allowed(program, token, flat(opted_out.acknowledged)))
        halves = asyncio.run(allowed(program, token, flat(opted_in.unanswered)))
    gone = set(flat(opted_out.acknowledged + opted_out.unanswered))
    lost = [n for n, ok in before.items() if not ok and n not in gone]
    revived = [n for n, ok in after.items() if ok]
    torn = [
        numbers
        for numbers in opted_in.unanswered
        if not gone & set(numbers) and len({halves[n] for n in numbers}) > 1
    ]
    assert (lost, revived, torn) == ([], [], [])
    assert program.command("check", "--bot", "b1", "46732001122").returncode == 0
    acknowledged = len(opted_in.acknowledged) + len(opted_out.acknowledged)
    print(f"{acknowledged} acknowledged requests, {kills} kills, none lost, none torn")
    return acknowledged


def flat(lists: list[list[str]]) -> list[str]:
    return [number for numbers in lists for number in numbers]


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path, options: tuple[str, ...]) -> None:
    """R13: 8 clients, opt-ins and opt-outs of 1 to 20 numbers, killed four times."""
    assert campaign(tmp_path, 4, *options) > 100


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_nothing_acknowledged_is_lost_by_many_kills(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """R13: the same, killed forty times."""
    assert campaign(tmp_path, 40, *options) > 1000
