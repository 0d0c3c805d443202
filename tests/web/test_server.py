"""The protocol under every door: offers, limits, errors and old clients, on the wire (H5, H6)."""

from __future__ import annotations

import dataclasses
import json
import logging
import select
import socket
import time
from collections.abc import Iterator

import pytest

from optin.web.connections.limits import KIB, MIB, Limits
from optin.web.connections.protocol import OptinProtocol
from tests.web.echo import GONE, SEEN, app
from tests.web.running import Wire, assert_refused, serving

OFFER = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)


class Impatient(OptinProtocol):
    """The same limits of size, with times that a test can wait for."""

    limits = dataclasses.replace(
        Limits(), head_seconds=0.4, body_seconds=0.4, linger_seconds=0.5, linger_size=256 * KIB
    )


class Patient(OptinProtocol):
    """A head may take longer than the shortest keep-alive time of uvicorn."""

    limits = dataclasses.replace(Limits(), head_seconds=2.0)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(app) as port:
        yield port


@pytest.fixture(scope="module")
def impatient() -> Iterator[int]:
    with serving(app, Impatient) as port:
        yield port


def request(
    path: str = "/", body: bytes = b"", *, method: str = "POST", extra: bytes = b""
) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + extra + b"\r\n" + body


def said(answer: tuple[int, dict[str, str], bytes]) -> dict[str, object]:
    status, _, body = answer
    assert status == 200, body
    members: dict[str, object] = json.loads(body)
    return members


# --- offers to upgrade ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_h2c_offer_keeps_body_and_connection(port: int, method: str) -> None:
    """H5: an h2c offer loses neither the body nor the connection, twice over."""
    with Wire(port) as wire:
        for body in (b'{"numbers":["46732001122"]}', b"second"):
            wire.send(request("/a", body, method=method, extra=OFFER))
            got = said(wire.answer())
            assert (got["method"], got["text"]) == (method, body.decode())
        wire.send(request("/b", b"plain"))
        assert said(wire.answer())["text"] == "plain"


def test_h2c_offer_in_pieces_chunked_and_pipelined(port: int) -> None:
    """H5: an offer survives any cut of the bytes, chunked bodies, and requests right behind it."""
    chunked = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + OFFER
    chunked += b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    stream = request("/a", b"one", extra=OFFER) + chunked + request("/d", b"last")
    for size in (1, 7, 100, len(stream)):
        with Wire(port) as wire:
            for start in range(0, len(stream), size):
                wire.send(stream[start : start + size])
            got = [said(wire.answer()) for _ in range(3)]
            assert [(each["path"], each["text"]) for each in got] == [
                ("/a", "one"),
                ("/c", "abcde"),
                ("/d", "last"),
            ]


def test_websocket_offer_is_an_ordinary_request(port: int) -> None:
    """H5: offers of other protocols are ignored in the same way, without a body too."""
    offer = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    with Wire(port) as wire:
        wire.send(request("/a", method="GET", extra=offer))
        got = said(wire.answer())
        assert (got["method"], "upgrade" in str(got["headers"])) == ("GET", False)


def test_h2c_offer_is_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """H5: what is ignored is no reason for a warning."""
    with caplog.at_level(logging.INFO), Wire(port) as wire:
        wire.send(request("/a", b"x", extra=OFFER))
        said(wire.answer())
    assert [record for record in caplog.records if record.name == "uvicorn.error"] == []


def test_offer_does_not_hide_a_conflict(port: int) -> None:
    """H6: a head refused without an offer is refused with one."""
    with Wire(port) as wire:
        wire.send(request("/a", b"x", extra=OFFER + b"Transfer-Encoding: chunked\r\n"))
        assert_refused(wire.answer(), 400)
        assert wire.ended()


def test_connect_is_refused(port: int) -> None:
    """H6: CONNECT turns the connection into no tunnel."""
    with Wire(port) as wire:
        wire.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        assert "CONNECT" in assert_refused(wire.answer(), 400)
        assert wire.ended()


# --- what is no HTTP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_bad_http_is_refused_in_json(port: int, data: bytes) -> None:
    """H5, H6: whatever the parser refuses is a JSON 400 and the end of the connection."""
    with Wire(port) as wire:
        wire.send(data)
        assert_refused(wire.answer(), 400)
        assert wire.ended()


def test_refusal_waits_for_earlier_answers(port: int) -> None:
    """R13: a request already running is answered first, so no client takes a 400 for its answer."""
    with Wire(port) as wire:
        wire.send(request("/slow", b"one") + request("/slow", b"two") + b"garbage\r\n\r\n")
        assert said(wire.answer())["text"] == "one"
        assert said(wire.answer())["text"] == "two"
        assert_refused(wire.answer(), 400)
        assert wire.ended()


def test_trailers_are_no_headers(port: int) -> None:
    """H4: what follows a chunked body cannot pose as a header of the request."""
    with Wire(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(b"1\r\nx\r\n0\r\nAuthorization: Bearer T\r\n\r\n")
        got = said(wire.answer())
        assert got["headers"] == ["host", "transfer-encoding"]


# --- limits of the head --------------------------------------------------------------------------


def headers(count: int, size: int) -> bytes:
    return b"".join(b"x-%03d: %s\r\n" % (n, b"v" * (size - 9)) for n in range(count))


def test_head_at_the_limits_is_taken(port: int) -> None:
    """H6: 100 headers, and nearly 32 KiB of them, pass."""
    with Wire(port) as wire:
        wire.send(request("/a", b"x", extra=headers(98, 300)))
        assert len(str(said(wire.answer())["headers"])) > 98


@pytest.mark.parametrize(
    "extra", [headers(99, 20), headers(50, 700), b"x: " + b"v" * 32 * KIB + b"\r\n"]
)
@pytest.mark.parametrize("size", [5000, 10**6])
def test_head_over_a_limit_is_431(port: int, extra: bytes, size: int) -> None:
    """H6: 101 headers or more than 32 KiB are refused, in one piece or in many."""
    data = request("/a", b"x", extra=extra)
    with Wire(port) as wire:
        for start in range(0, len(data), size):
            wire.send(data[start : start + size])
        assert_refused(wire.answer(), 431)
        assert wire.ended()


@pytest.mark.parametrize("prefix", [b"GET /", b"GET / HTTP/1.1\r\nx: ", request("/", b"x") * 2])
def test_endless_head_is_431_before_it_ends(port: int, prefix: bytes) -> None:
    """H6: a target or header that never ends is refused while it grows."""
    with Wire(port) as wire:
        wire.send(prefix)
        for _ in range(prefix.count(b"POST")):
            said(wire.answer())
        wire.send(b"POST /" if b"POST" in prefix else b"a")
        for _ in range(20):
            wire.send(b"a" * 2 * KIB)
        assert_refused(wire.answer(), 431)


def test_endless_trailer_is_431(port: int) -> None:
    """H6: what follows a chunked body is bounded like a head."""
    with Wire(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: ")
        for _ in range(300):  # more than one read takes
            wire.send(b"a" * 2 * KIB)
        assert_refused(wire.answer(), 431)


def test_slow_head_is_408(impatient: int) -> None:
    """H6: bytes that keep trickling do not extend the head's time."""
    with Wire(impatient) as wire:
        begin = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: aaa":
            wire.send(bytes([byte]))
            if select.select([wire.socket], [], [], 0.1)[0]:
                break
        assert 0.3 < time.monotonic() - begin < 1.5
        assert_refused(wire.answer(), 408)
        assert wire.ended()


def test_slow_second_head_is_408(impatient: int) -> None:
    """H6: the limit holds for every request of a connection, and begins with its first byte."""
    with Wire(impatient) as wire:
        wire.send(request("/", b"one"))
        assert said(wire.answer())["text"] == "one"
        time.sleep(0.6)
        wire.send(b"GET / HT")
        assert_refused(wire.answer(), 408)


def test_head_begun_before_an_answer_keeps_its_time(impatient: int) -> None:
    """H6: a head begun while an earlier request runs is refused after that one's answer."""
    with Wire(impatient) as wire:
        wire.send(request("/slow", b"one") + b"GET / HT")
        assert said(wire.answer())["text"] == "one"
        assert_refused(wire.answer(), 408)


def test_half_a_head_is_not_an_idle_connection() -> None:
    """H6: the keep-alive time, begun by an earlier answer, does not cut off a head in silence."""
    with serving(app, Patient, timeout_keep_alive=1) as port, Wire(port) as wire:
        wire.send(request("/slow", b"one") + b"GET / HT")
        assert said(wire.answer())["text"] == "one"
        assert_refused(wire.answer(), 408)


def test_silent_connection_is_closed_without_a_word() -> None:
    """H6: who never sends a byte is let go by the keep-alive time; there is nothing to answer."""
    with serving(app, timeout_keep_alive=1) as port, Wire(port) as wire:
        wire.send(b"\r\n")
        assert wire.ended()


# --- limits of the body --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "most"), [("/whatsapp/v1/b/messages", MIB), ("/webhooks/meta", 8 * MIB)]
)
def test_body_of_the_limit_is_taken(port: int, path: str, most: int) -> None:
    """H6: a body of exactly the limit passes, announced or chunked."""
    body = b"a" * most
    with Wire(port) as wire:
        wire.send(request(path, body))
        assert said(wire.answer())["length"] == most
        wire.send(chunked_head(path) + b"%x\r\n" % most + body + b"\r\n0\r\n\r\n")
        assert said(wire.answer())["length"] == most


def chunked_head(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/whatsapp/v1/b/messages", MIB),
        ("/%77hatsapp/v1/b/messages", MIB),
        ("http://x/whatsapp/v1/b/messages", MIB),
        ("/webhooks/meta", 8 * MIB),
    ],
)
def test_announced_body_over_the_limit_is_413_at_once(port: int, path: str, most: int) -> None:
    """H6: the announcement is enough, however the path is spelt; no `100 Continue` comes first."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {most + 1}\r\n"
    with Wire(port) as wire:
        wire.send(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert str(most) in assert_refused(wire.answer(), 413)
        assert wire.ended()


def test_chunked_body_over_the_limit_is_413(port: int) -> None:
    """H6: a body without an announced size is refused when it has grown too large."""
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    with Wire(port) as wire:
        wire.send(chunked_head("/whatsapp/x") + chunk * 16 + b"1\r\na\r\n")
        assert_refused(wire.answer(), 413)
        assert wire.ended()


def test_refused_body_waits_for_earlier_answers(port: int) -> None:
    """H6, R13: a refusal of a body waits its turn too, and its request never starts."""
    with Wire(port) as wire:
        wire.send(request("/slow", b"one") + chunked_head("/never") + b"zz\r\n")
        assert said(wire.answer())["text"] == "one"
        assert_refused(wire.answer(), 400)
        assert wire.ended()
    assert "/never" not in SEEN


def test_application_hears_of_a_refused_body(port: int) -> None:
    """H6: an application that waits for the rest of a refused body does not wait for ever."""
    with Wire(port) as wire:
        wire.send(chunked_head("/cut") + b"1\r\na\r\n")
        time.sleep(0.1)
        wire.send(b"zz\r\n")
        assert_refused(wire.answer(), 400)
        for _ in range(40):  # while the connection is still half open
            if "/cut" in GONE:
                break
            time.sleep(0.05)
        assert (SEEN.count("/cut"), GONE.count("/cut")) == (1, 1)


def test_refused_client_is_not_kept_for_ever(impatient: int) -> None:
    """H6: after a refusal the connection is cut in time, even if the client never closes it."""
    with Wire(impatient) as wire:
        wire.send(b"hello\r\n\r\n")
        assert_refused(wire.answer(), 400)
        with pytest.raises(ConnectionError):
            trickle(wire, 30)


def trickle(wire: Wire, count: int) -> None:
    for _ in range(count):
        time.sleep(0.1)
        wire.send(b"a")


def test_nothing_is_obeyed_after_the_last_answer(port: int) -> None:
    """H5: what a client still sends after `Connection: close` starts nothing."""
    with Wire(port) as wire:
        wire.send(request("/early", b"abcde", extra=b"Expect: 100-continue\r\n")[:-2])
        assert wire.answer()[0] == 401
        wire.send(b"de" + request("/after"))
        assert wire.ended()
        time.sleep(0.1)
    assert "/after" not in SEEN


def test_huge_body_is_not_read_to_the_end(impatient: int) -> None:
    """H6: after a 413 the server drops a bounded amount, then cuts the connection."""
    with Wire(impatient) as wire:
        begin = time.monotonic()
        wire.send(b"POST /whatsapp/x HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n")
        assert_refused(wire.answer(), 413)
        with pytest.raises(ConnectionError):
            wire.send(b"a" * 64 * MIB)
        assert time.monotonic() - begin < 3


def test_answer_survives_a_body_still_being_sent(port: int) -> None:
    """H6: a client that reads only after sending a body somewhat too large still gets its 413."""
    with Wire(port) as wire:
        wire.send(request("/whatsapp/x", b"a" * 3 * MIB))
        time.sleep(0.2)
        assert_refused(wire.answer(), 413)


def test_early_answer_on_a_closing_connection_survives(port: int) -> None:
    """H4, H5: HTTP/1.0 clients get the 401 though their body was never read."""
    with Wire(port) as wire:
        wire.send(b"POST /early HTTP/1.0\r\nContent-Length: 900000\r\n\r\n" + b"a" * 500_000)
        time.sleep(0.2)
        wire.send(b"a" * 400_000)
        assert wire.answer()[0] == 401
        assert wire.ended()


def test_closing_connection_still_takes_what_is_being_sent(port: int) -> None:
    """H4, H5: a client that sends its whole body before it reads does not block on ours."""
    with Wire(port, timeout=3) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * KIB)
        wire.send(b"POST /early HTTP/1.0\r\nContent-Length: 3500000\r\n\r\n" + b"a" * 3_500_000)
        assert wire.answer()[0] == 401


def test_stalled_body_is_408(impatient: int) -> None:
    """H6: a body without progress ends in a 408; progress, however small, extends the time."""
    with Wire(impatient) as wire:
        wire.send(request("/a", b"a" * 10)[:-6])
        for _ in range(4):
            time.sleep(0.2)
            wire.send(b"a")
        assert_refused(wire.answer(), 408)
        assert wire.ended()


def test_slow_application_is_not_the_clients_fault(impatient: int) -> None:
    """H6: no limit of time runs while the application is what does not read, or not answer."""
    with Wire(impatient) as wire:
        wire.send(request("/late", b"a" * 5 * MIB))
        assert said(wire.answer())["length"] == 5 * MIB
    with Wire(impatient) as wire:
        for _ in range(2):
            wire.send(request("/slow", b"x") + request("/slow", b"y"))
            assert said(wire.answer())["text"] == "x"
            assert said(wire.answer())["text"] == "y"


# --- the application's faults, old clients, expectations -----------------------------------------


@pytest.mark.parametrize("path", ["/raises", "/silent"])
def test_fault_of_the_application_is_a_json_500(
    port: int, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """H5: an application that raised, or said nothing, is answered for, and not in its words."""
    with Wire(port) as wire:
        wire.send(request(path))
        assert "fault" not in assert_refused(wire.answer(), 500)
        assert wire.ended()
    if path == "/raises":
        assert "a fault of the application" in caplog.text


def test_too_many_requests_at_once_are_a_json_503() -> None:
    """H6: uvicorn's own limit of concurrency speaks JSON too."""
    with serving(app, limit_concurrency=1) as port, Wire(port) as wire:
        wire.send(request("/a"))
        answer = wire.answer()
        assert_refused(answer, 503)
        assert answer[1]["retry-after"] == "1"


def test_http_1_0(port: int) -> None:
    """H5: HTTP/1.0 is answered and the connection closed."""
    with Wire(port) as wire:
        wire.send(b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
        got = said(wire.answer())
        assert (got["version"], got["text"]) == ("1.0", "abc")
        assert wire.ended()


def test_expectation_is_met(port: int) -> None:
    """H5: `100 Continue` comes when the application asks for the body."""
    with Wire(port) as wire:
        wire.send(request("/a", b"abc", extra=b"Expect: 100-continue\r\n")[:-3])
        assert wire.answer()[0] == 100
        wire.send(b"abc")
        assert said(wire.answer())["text"] == "abc"
        wire.send(request("/b", b"kept"))
        assert said(wire.answer())["text"] == "kept"


def test_unmet_expectation_closes(port: int) -> None:
    """H5: a final answer without `100 Continue` ends the connection: nobody knows what follows."""
    with Wire(port) as wire:
        wire.send(request("/early", b"abc", extra=b"Expect: 100-continue\r\n")[:-3])
        status, head, _ = wire.answer()
        assert (status, head["connection"]) == (401, "close")


def test_connection_is_kept_after_an_early_answer(port: int) -> None:
    """H5: a body nobody asked for is dropped, and the next request is understood."""
    with Wire(port) as wire:
        wire.send(request("/early", b"a" * 300_000))
        assert wire.answer()[0] == 401
        wire.send(request("/a", b"next"))
        assert said(wire.answer())["text"] == "next"


def test_abandoned_requests_leave_the_server_well(port: int) -> None:
    """R12: clients that vanish in a head, a body or a pipeline harm nobody else."""
    for data in (b"GET / HT", request("/a", b"abc")[:-1], request("/slow") * 3, b"x\r\n\r\n"):
        with Wire(port) as wire:
            wire.send(data)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + [0] * 7))
    with Wire(port) as wire:
        wire.send(request("/a", b"well"))
        assert said(wire.answer())["text"] == "well"
