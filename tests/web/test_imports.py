"""`imports` and `export`, as a caller of the native API sees them (SPEC 6)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from optin.domain.errors import StoreUnavailable
from optin.usecases.import_list import ReceiveImport, RunImports
from optin.web.connections.limits import Limits
from optin.web.connections.refusals import Refused
from tests.web.doors import ANNA, BERTIL, BOT, Doors, new_id, open_doors

IMPORTS = f"/v1/bots/{BOT}/imports"
EXPORT = f"/v1/bots/{BOT}/export"
LIST = f"phone,status\n+{ANNA},opt-in\n+{BERTIL},opt-out\nx,opt-in\n".encode()


async def post(
    doors: Doors, data: bytes = LIST, query: str = "", kind: str = "text/csv", **more: Any
) -> httpx.Response:
    headers = [("Content-Type", kind)] if kind else []
    return await doors.call("POST", f"{IMPORTS}?{query}", content=data, headers=headers, **more)


async def done(doors: Doors, answer: httpx.Response) -> Any:
    """The job at its end."""
    assert answer.status_code == 202, answer.text
    await RunImports(doors.store, "one")()
    return (await doors.call("GET", f"{IMPORTS}/{answer.json()['id']}")).json()


async def test_a_list(doors: Doors) -> None:
    """`202` with an id once it is on disk; then its state, counts, and the rejected rows."""
    answer = await post(doors, query="name=old.csv")
    waiting = answer.json()
    assert (waiting["state"], waiting["rows"], waiting["size"]) == ("waiting", 0, len(LIST))
    job = await done(doors, answer)
    assert job["state"] == "done"
    assert job["counts"] == {"recorded": 2, "rejected": 1}
    assert job["file"] == "old.csv"
    assert job["shape"]["columns"] == {"identity": "phone", "action": "status"}
    assert await doors.allowed(ANNA)
    assert not await doors.allowed(BERTIL)
    rejected = await doors.call("GET", f"{IMPORTS}/{job['id']}/rejected")
    assert rejected.headers["content-type"] == "text/csv; charset=utf-8"
    assert rejected.text.splitlines()[1].startswith("3,4,invalid_identity,")
    listed = await doors.call("GET", IMPORTS)
    assert listed.json() == {"imports": [job], "next": None}


async def test_a_dry_run(doors: Doors) -> None:
    """It shows what would be, with examples, and writes nothing."""
    job = await done(doors, await post(doors, query="dry_run=true"))
    assert job["counts"] == {"new": 2, "invalid": 1}
    assert job["examples"]["new"][0] == {"row": 1, "line": 2, "identity": f"+{ANNA}"}
    assert job["examples"]["invalid"][0]["reason"] == "invalid_identity"
    assert not await doors.events(ANNA)


async def test_an_undo(doors: Doors) -> None:
    """It is a job of its own; the import names it."""
    job = await done(doors, await post(doors))
    answer = await doors.call("POST", f"{IMPORTS}/{job['id']}/undo")
    undo = await done(doors, answer)
    assert (undo["kind"], undo["undoes"], undo["counts"]) == ("undo", job["id"], {"opt_out": 1})
    assert not await doors.allowed(ANNA)
    again = await doors.call("POST", f"{IMPORTS}/{job['id']}/undo")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (
            "text/csv; charset=windows-1252",
            "phone,status,name\n+46732001122,opt-in,Å\n".encode("cp1252"),
        ),
        ("application/x-ndjson", b'{"phone":"+46732001122","opt_in":true}\n'),
        ("", LIST),
        ("application/x-www-form-urlencoded", LIST),
        ("application/octet-stream", b'{"phone":"+46732001122","opt_in":true}\n'),
    ],
)
async def test_content_types(doors: Doors, kind: str, data: bytes) -> None:
    """The content type says what the body is, or the body says it itself."""
    assert (await done(doors, await post(doors, data, kind=kind)))["counts"]["recorded"] >= 1


@pytest.mark.parametrize(
    ("query", "kind", "data", "field"),
    [
        ("dryrun=true", "text/csv", LIST, "dryrun"),
        ("dry_run=perhaps", "text/csv", LIST, "dry_run"),
        ("dry_run=true&dry_run=false", "text/csv", LIST, "dry_run"),
        ("map=phone", "text/csv", LIST, "map"),
        ("map=phone=nonsense", "text/csv", LIST, "map"),
        ("map=fax=identity", "text/csv", LIST, "map"),
        ("preset=nobody", "text/csv", LIST, "preset"),
        ("time_zone=Mars", "text/csv", LIST, "time_zone"),
        ("action=dance", "text/csv", b"phone\n", "action"),
        ("", "multipart/form-data; boundary=x", LIST, "content-type"),
    ],
)
async def test_what_is_refused_before_anything_is_read(
    doors: Doors, query: str, kind: str, data: bytes, field: str
) -> None:
    """An option that is misspelt or unknown never imports: `400` with its name."""
    answer = await post(doors, data, query, kind)
    assert (answer.status_code, answer.json().get("field")) == (400, field)
    assert await RunImports(doors.store, "one")() == 0


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04zip", b"<html>", b"name\nAnna\n"])
async def test_no_list(doors: Doors, data: bytes) -> None:
    """What is no list is a `400` that says what it is."""
    answer = await post(doors, data)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_list")


async def test_a_compressed_body(doors: Doors) -> None:
    """It is not unpacked, and that is said."""
    headers = [("Content-Encoding", "gzip")]
    answer = await doors.call("POST", IMPORTS, content=LIST, headers=headers)
    assert answer.json()["field"] == "content-encoding"


async def test_scopes(doors: Doors) -> None:
    """Lists take `provision`, lifting opt-outs by one `admin` too, looking `read`."""
    provision, read = await doors.add_token("provision"), await doors.add_token("read")
    assert (await post(doors, token=read)).status_code == 403
    assert (await post(doors, token=provision, query="reopt_in=why")).status_code == 403
    assert (await doors.call("GET", IMPORTS, token=provision)).status_code == 403
    assert (await doors.call("GET", EXPORT, token=provision)).status_code == 403
    assert (await post(doors, token=provision)).status_code == 202
    assert (await post(doors, query="reopt_in=why")).status_code == 202


async def test_another_bots_import(doors: Doors) -> None:
    """R1: a bot sees its own imports only."""
    job = await done(doors, await post(doors))
    token = await doors.add_bot("other")
    for method, tail in (("GET", ""), ("GET", "/rejected"), ("POST", "/undo")):
        path = f"/v1/bots/other/imports/{job['id']}{tail}"
        assert (await doors.call(method, path, token=token)).status_code == 404


async def test_reopt_in(doors: Doors) -> None:
    """R3: the reason is shown with the import."""
    job = await done(doors, await post(doors, query="reopt_in=asked+in+May"))
    assert job["reopt_in"] == "asked in May"


async def test_mapping_and_evidence(doors: Doors) -> None:
    """Both may be given several times; a column's name may hold an equals sign."""
    data = f"a=b;flag\n+{ANNA};yes\n".encode()
    query = "map=a%3Db=identity&map=flag=opted_in&evidence=channel=web&evidence=reference=7"
    await done(doors, await post(doors, data, query))
    [event] = await doors.events(ANNA)
    assert event.claim.evidence == {"channel": "web", "reference": "7"}


async def test_a_list_that_is_too_large(doors: Doors) -> None:
    """`413`, and nothing of it is left waiting."""
    small = await open_doors(
        doors.store, bot_id="small", imports=ReceiveImport(doors.store, new_id, 1_000_000)
    )
    data = LIST + f"+{ANNA},opt-in\n".encode() * 100_000
    answer = await small.call("POST", "/v1/bots/small/imports", content=data)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await RunImports(doors.store, "one")() == 0


async def test_a_caller_who_goes_away(doors: Doors) -> None:
    """A body that breaks off is never recorded, and gets no answer."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": LIST, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: Any) -> None:
        raise AssertionError("nobody is there any more")

    scope = {
        "type": "http",
        "method": "POST",
        "path": IMPORTS,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {doors.token}".encode())],
        "client": ("192.0.2.1", 1),
    }
    await doors.app(scope, receive, send)
    assert messages == []
    assert await RunImports(doors.store, "one")() == 0
    assert not await doors.events(ANNA)


async def test_export(doors: Doors) -> None:
    """Contacts or events, as CSV or JSON Lines, as a file."""
    await done(doors, await post(doors))
    contacts = await doors.call("GET", EXPORT)
    assert contacts.headers["content-disposition"] == f'attachment; filename="{BOT}-contacts.csv"'
    assert contacts.text.splitlines()[1].startswith(f"+{ANNA},opted_in,no,")
    events = await doors.call("GET", f"{EXPORT}?what=events&format=jsonl")
    assert events.headers["content-type"] == "application/x-ndjson"
    assert [line.split('"')[7] for line in events.text.splitlines()] == ["opt_in", "opt_out"]
    for query in ("what=people", "format=xlsx"):
        assert (await doors.call("GET", f"{EXPORT}?{query}")).status_code == 400


async def many(doors: Doors, count: int = 1_200) -> None:
    """So many contacts that an export has several pages."""
    rows = "".join(f"+467{n:08},opt-in\n" for n in range(count))
    await done(doors, await post(doors, f"phone,status\n{rows}".encode()))


async def test_an_export_without_a_store(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """R12: with the store gone at the beginning it is a `503`, and no empty list."""

    async def failing(*_: Any) -> Any:
        raise StoreUnavailable("down")

    monkeypatch.setattr(doors.store, "contacts", failing)
    answer = await doors.call("GET", f"{EXPORT}?format=jsonl")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


async def test_nobody_makes_an_export_for_nobody(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the caller has gone away, no further page is read."""
    await many(doors, 3_000)
    contacts, calls = doors.store.contacts, 0

    async def counting(*asked: Any) -> Any:
        nonlocal calls
        calls += 1
        return await contacts(*asked)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    monkeypatch.setattr(doors.store, "contacts", counting)
    scope = {
        "type": "http",
        "method": "GET",
        "path": EXPORT,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {doors.token}".encode())],
        "client": ("192.0.2.1", 1),
    }
    await doors.app(scope, receive, send)
    assert calls <= 2


def test_only_lists_may_be_large() -> None:
    """H6: the server lets a large body through to `imports`, and to no other path of the API."""
    announced = [(b"content-length", b"1073741824")]
    limits = Limits()
    assert limits.judge_head(IMPORTS, 99, announced) > 2**30
    for path in (
        "/v1/bots/shop.1/consents",
        IMPORTS + "/01J/undo",
        "/v1/bots/imports",
        "x" + IMPORTS,
    ):
        with pytest.raises(Refused):
            limits.judge_head(path, 99, announced)
