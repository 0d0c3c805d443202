"""`optin verify`, `history` and `proof` as users call them (SPEC 8, R14)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from optin.settings import load_settings
from optin.usecases.record_consent import Caller, RecordConsent
from optin.wiring.making import manage_bots, new_id
from optin.wiring.opening import opened_store
from tests.cli.program import optin, succeeded

WHO = "+46701740605"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database with two entries about one contact of the bot `demo`."""
    asyncio.run(_recorded(tmp_path))
    return tmp_path


async def _recorded(folder: Path) -> None:
    settings = load_settings({"database": f"sqlite:{folder / 'optin.db'}"}, {})
    async with opened_store(settings, create=True) as store:
        await manage_bots(store).add("demo", {})
        for action in ("opt_in", "opt_out"):
            item = {"identity": WHO, "action": action, "evidence": {"page": "a"}}
            await RecordConsent(store, new_id).record("demo", [item], Caller("t", "x", {}))


def sql(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "optin.db") as file:
        file.execute(statement)
    file.close()


def test_a_sound_ledger(folder: Path) -> None:
    """Exit code 0, the counts, and what can not be seen."""
    done = succeeded(folder, "verify")
    assert "Bot demo: 2 entries in 2 commits, 1 identity: sound." in done.out
    assert "signed head" in done.out
    told = succeeded(folder, "verify", "--bot", "demo", "--json").json
    assert (told["sound"], told["signed_heads_compared"]) == (True, 0)
    assert (told["bots"][0]["entries"], told["bots"][0]["heads"][0]["seq"]) == (2, 2)


def test_a_broken_ledger(folder: Path) -> None:
    """Exit code 1; the entry and what is wrong with it; nothing is signed."""
    sql(folder, """UPDATE events SET evidence = '{"page":"b"}' WHERE seq = 1""")
    succeeded(folder, "verify", "--new-key", "key.pem")
    done = optin(folder, "verify", "--sign", "key.pem", "--out", "heads.json")
    assert done.code == 1
    assert "BROKEN, 1 finding:" in done.out
    assert "writer 0, commit 1, place 0" in done.out
    assert "Nothing is signed" in done.err
    assert not (folder / "heads.json").exists()
    told = optin(folder, "verify", "--json")
    assert (told.code, told.json["sound"]) == (1, False)
    [finding] = told.json["bots"][0]["findings"]
    assert (finding["fault"], finding["seq"], finding["place"]) == ("entry_changed", 1, 0)


def test_signed_heads_find_a_cut_end(folder: Path) -> None:
    """Signed, cut off with its state, compared: exit code 1. Without the head nothing is found."""
    succeeded(folder, "verify", "--new-key", "key.pem")
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    done = succeeded(folder, "verify", "--sign", "key.pem")
    (folder / "heads.json").write_text(done.out)
    against = ("verify", "--against", "heads.json", "--public-key", "key.pem.pub")
    assert "Compared with 1 signed head." in succeeded(folder, *against).out
    for table in ("commits", "events"):
        sql(folder, f"DELETE FROM {table} WHERE seq = 2")
    sql(folder, f"UPDATE identities SET opt_out_other = {-(2**62)}, version = 1")
    succeeded(folder, "verify")
    cut = optin(folder, *against)
    assert cut.code == 1
    assert "its end was cut" in cut.out


def test_heads_that_are_not_signed_so_are_refused(folder: Path) -> None:
    """Another key, another head, another signature, another file: one sentence, exit code 2."""
    succeeded(folder, "verify", "--new-key", "key.pem")
    succeeded(folder, "verify", "--new-key", "other.pem")
    succeeded(folder, "verify", "--sign", "key.pem", "--out", "heads.json")
    signed = json.loads((folder / "heads.json").read_text())
    moved = [{**signed["heads"][0], "seq": 1}]
    for heads, key, why in (
        ({**signed, "heads": moved}, "key", "not signed"),
        ({**signed, "signature": "00" * 64}, "key", "not signed"),
        (signed, "other", "not signed"),
        ({"signature": signed["signature"]}, "key", "no heads"),
    ):
        (folder / "given.json").write_text(json.dumps(heads))
        against = ("--against", "given.json", "--public-key", f"{key}.pem.pub")
        done = optin(folder, "verify", *against)
        assert (done.code, why in done.err) == (2, True), done


def test_keys_are_never_written_over(folder: Path) -> None:
    """A second key of the same name is refused; so is a file that is no key."""
    succeeded(folder, "verify", "--new-key", "key.pem")
    before = (folder / "key.pem").read_bytes()
    assert optin(folder, "verify", "--new-key", "key.pem").code == 2
    assert (folder / "key.pem").read_bytes() == before
    for name in ("optin.db", "key.pem.pub", "missing"):
        assert optin(folder, "verify", "--sign", name).code == 2
    assert optin(folder, "verify", "--against", "heads.json").code == 2


def test_a_bot_that_is_not_there(folder: Path) -> None:
    """It is not called sound."""
    done = optin(folder, "verify", "--bot", "nobody")
    assert (done.code, "nobody" in done.err) == (1, True)


def test_history(folder: Path) -> None:
    """The last recorded first, in pages, as a table or JSON."""
    done = succeeded(folder, "history", "--bot", "demo", WHO, "--limit", "1")
    assert "opt_out" in done.out
    assert "opt_in" not in done.out
    cursor = done.out.split("--after ")[1].strip()
    told = succeeded(folder, "history", "--bot", "demo", WHO, "--after", cursor, "--json").json
    assert [event["kind"] for event in told["events"]] == ["opt_in"]
    assert "no entry" in succeeded(folder, "history", "--bot", "demo", "+46701740699").out
    assert optin(folder, "history", "--bot", "nobody", WHO).code == 1


def test_proof(folder: Path) -> None:
    """The file's name decides the form; without one, JSON on standard output."""
    pack = json.loads(succeeded(folder, "proof", "--bot", "demo", WHO).out)
    assert (len(pack["events"]), pack["chain"]["sound"]) == (2, True)
    for name, begins in (("a.html", "<!doctype html>"), ("a.json", "{"), ("a", "{")):
        succeeded(folder, "proof", "--bot", "demo", WHO, "--out", name)
        assert (folder / name).read_text().startswith(begins)
    page = succeeded(folder, "proof", "--bot", "demo", WHO, "--html").out
    assert page.startswith("<!doctype html>")
    assert optin(folder, "proof", "--bot", "demo", WHO, "--out", "no/where.json").code == 1
    assert optin(folder, "proof", "--bot", "demo", WHO, "--html", "--json").code == 2
