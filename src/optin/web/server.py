"""uvicorn's httptools protocol, with the limits and manners that the contract asks for (H5, H6).

Theory of operation. A connection is in one of the phases of `Phase`; the parser's callbacks move
it on. While a head or a body is coming in, one timer watches it; between requests uvicorn's
keep-alive timer does. Whatever is refused goes one way: an exception stops the parser, `_refuse`
writes one JSON answer after the answers still owed to earlier requests, and the connection ends.

This leans on the insides of uvicorn 0.54: pin it, and read its httptools_impl before moving on.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any, ClassVar

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from optin.web.connection import AnsweredApp, LingeringTransport, Refused, busy, refusal
from optin.web.limits import Limits, body_too_large, head_too_large

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application


class Phase(enum.Enum):
    """What the next byte from the client belongs to."""

    BETWEEN = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    REFUSED = enum.auto()


class OptinProtocol(HttpToolsProtocol):
    """One connection. Give the class to `uvicorn.Config(http=...)`; subclass it to set `limits`."""

    limits: ClassVar[Limits] = Limits()

    transport: LingeringTransport
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request

    _phase = Phase.BETWEEN
    _progress = False  # this read began a head or brought some of a body
    _since = 0.0  # loop time of the last such read
    _idle_bytes = 0  # received since then, in whole reads
    _body_most = _body_left = 0
    _watch: asyncio.TimerHandle | None = None
    _owed: Refused | None = None  # waits for the answers to earlier requests

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the transport so that no close cuts off an answer, and start the idle timer."""
        limits = self.limits
        lingering = LingeringTransport(
            transport, self.loop, self._unread, limits.linger_size, limits.linger_seconds
        )
        super().connection_made(lingering)
        self._arm_keep_alive()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every timer; the rest is uvicorn's."""
        self._unwatch()
        self._unset_keepalive_if_required()
        self.transport.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, or refuse it, or drop it if the connection is ending."""
        if self._phase is Phase.REFUSED or self.transport.lingering:
            self.transport.discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._idle_bytes += len(data)
        try:
            self._feed(data)
            if self._phase is not Phase.BETWEEN and self._idle_bytes > self.limits.head_size:
                raise head_too_large()
        except Refused as refused:
            self._refuse(refused)
        except httptools.HttpParserError as error:
            self._refuse(_verdict(error))
        else:
            self._rewatch()

    def _feed(self, data: bytes) -> None:
        """Parse `data`; offers to upgrade are parsed again without the offer (H5).

        llhttp takes what follows such a head for another protocol, and so would lose the body.
        """
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
            if self.parser.get_method() == b"CONNECT":
                raise Refused(400, "The method CONNECT is not offered here.")
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self.parser.feed_data(head)

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        head = [b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)]
        head += [b"%s: %s\r\n" % line for line in self.headers if line[0] != b"upgrade"]
        return b"".join([*head, b"\r\n"])

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """The first byte of a request line."""
        super().on_message_begin()
        self._enter(Phase.HEAD)

    def on_headers_complete(self) -> None:
        """Judge the head before the application is started with it."""
        if self.parser.should_upgrade():
            return  # comes again, without the offer
        self._body_most = self._body_left = self.limits.judge_head(self.url, self.headers)
        super().on_headers_complete()
        self.headers = []  # trailers of a chunked body must not reach the application as headers
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Count the body against its limit, then hand it on."""
        self._progress = True
        self._idle_bytes = 0
        self._body_left -= len(body)
        if self._body_left < 0:
            raise body_too_large(self._body_most)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a body, or of a head without one."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._enter(Phase.BETWEEN)

    # Answers

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        chosen = busy if app is service_unavailable else app
        super()._start_asgi_task(cycle, AnsweredApp(chosen, cycle))

    def on_response_complete(self) -> None:
        """Go on with what waited for this answer: the next request, or a refusal."""
        last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._phase in (Phase.HEAD, Phase.BODY):
            self._unset_keepalive_if_required()  # the watch has it
        if last and self._owed is not None:
            self._end_with(self._owed)

    def _refuse(self, refused: Refused) -> None:
        """Take nothing more from this client, and say why after the answers owed to it."""
        phase, self._phase = self._phase, Phase.REFUSED
        self._unwatch()
        self.logger.info("Request refused: %d %s", refused.status, refused.details)
        cycle = self.cycle
        if phase is not Phase.BODY:
            # The request at fault never got a cycle; the newest one is an earlier request's.
            if cycle is None or cycle.response_complete:
                self._end_with(refused)
            else:
                self._owed = refused
        elif self.pipeline:
            self.pipeline.popleft()  # the newest: it never starts
            self._owed = refused
        elif cycle is None or cycle.response_complete:
            self.transport.close()  # answered before its body was read
        else:
            self._cut_off(cycle, refused)

    def _cut_off(self, cycle: RequestResponseCycle, refused: Refused) -> None:
        """The application waits for a body that will not come: it is told of a disconnect."""
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.close()
        else:
            self._end_with(refused)

    def _end_with(self, refused: Refused) -> None:
        self._unset_keepalive_if_required()
        self._owed = None
        self.transport.write(refusal(refused, self.server_state.default_headers))
        self.transport.close()

    # Time

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._progress = True
        if phase is not Phase.HEAD:  # a read that begins with a head counts wholly as head
            self._idle_bytes = 0
        if self._watch is not None:
            self._unwatch()

    def _unread(self) -> bool:
        return self._phase in (Phase.BODY, Phase.REFUSED)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _rewatch(self) -> None:
        if self._phase is not Phase.BETWEEN:
            if self._progress:
                self._progress, self._since = False, self.loop.time()
            if self._watch is None:
                self._watch = self.loop.call_later(self._patience(), self._look)
        elif self.cycle is None or self.cycle.response_complete:
            self._arm_keep_alive()  # stray line ends, or a body that nobody waited for

    def _patience(self) -> float:
        limits = self.limits
        return limits.head_seconds if self._phase is Phase.HEAD else limits.body_seconds

    def _look(self) -> None:
        """The watch: refuse what has stood still too long by the client's fault."""
        self._watch = None
        now = self.loop.time()
        if self.flow.read_paused:
            self._since = now  # it is us who do not read
        left = self._since + self._patience() - now
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
        elif self._phase is Phase.HEAD:
            self._refuse(Refused(408, "The head of the request did not arrive in time."))
        else:
            self._refuse(Refused(408, "The body of the request did not arrive in time."))

    def _arm_keep_alive(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )


def _verdict(error: httptools.HttpParserError) -> Refused:
    """What stopped the parser, as an answer. llhttp's reasons are fixed texts, never input."""
    if isinstance(error.__context__, Refused):
        return error.__context__
    if isinstance(error, httptools.HttpParserCallbackError):
        return Refused(400, "The request target is not valid.")
    return Refused(400, f"The request is not valid HTTP: {str(error).rstrip('.')}.")


def server_config(
    app: ASGI3Application | str,
    *,
    host: str,
    port: int,
    workers: int = 1,
    factory: bool = False,
    trusted_proxies: str = "",
    **options: Any,
) -> uvicorn.Config:
    """uvicorn's configuration for this house; `options` are uvicorn's own and go before ours.

    With more than one worker `app` is an import string. `trusted_proxies`: comma-separated
    addresses or networks whose `X-Forwarded-For` is believed; empty believes nobody.
    """
    ours: dict[str, Any] = {
        "http": OptinProtocol,
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": trusted_proxies or None,
        "timeout_keep_alive": 75,  # as nginx: clients' pools give up first, so none meets a close
        "timeout_graceful_shutdown": 30,
    }
    return uvicorn.Config(
        app, host=host, port=port, workers=workers, factory=factory, **(ours | options)
    )
