"""The HTTP protocol of this house, with the limits and manners that the contract asks for (H5, H6).

Theory of operation. llhttp (httptools) parses; a connection is in one of the phases of `Phase`,
which the parser's callbacks move on. One timer watches it, and looks again rather than be set
anew with each request. Requests become exchanges, of which one runs and the others wait for it.
Whatever is refused goes one way: an exception stops the parser, `_refuse` writes one JSON answer
after the answers still owed to earlier requests, and the connection ends.

What is uvicorn's is the server around it: sockets, signals, processes, the application's start
and end. It makes one such object for a connection and asks of it no more than `shutdown`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, ClassVar

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from optin.web.connections.exchange import Exchange
from optin.web.connections.limits import Limits, body_too_large, head_too_large
from optin.web.connections.lingering import LingeringTransport
from optin.web.connections.reading import Phase, ReadingProtocol, verdict
from optin.web.connections.refusals import Refused, busy, refusal
from optin.web.connections.scopes import common_scope, read_target
from optin.web.connections.watch import Watch

_log = logging.getLogger("uvicorn.error")

#: So much of a body is kept for an application that does not ask for it, in bytes.
_UNASKED = 64 * 1024
#: So many requests wait behind the one that runs before no more are read. Not at the first: while
#: nothing is read, nobody sees that the client is gone.
_QUEUED = 20


class OptinProtocol(ReadingProtocol):
    """One connection. Give the class to `uvicorn.Config(http=...)`; subclass it to set `limits`."""

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()

        self._phase = Phase.BETWEEN
        self._progress = False  # this read began a head or brought some of a body
        self._since = 0.0  # loop time of the last such read, or of the last answer's end
        self._idle_bytes = 0  # received since then, in whole reads
        self._body_most = self._body_left = 0
        self._watch = Watch(self._loop, self._look)

        self._newest: Exchange | None = None  # whose body comes in
        self._running: Exchange | None = None
        self._queue: deque[tuple[Exchange, ASGIApp]] = deque()  # the newest last
        self._owed: Refused | None = None  # waits for the answers to earlier requests

    # The connection

    def connection_made(self, transport: Any) -> None:
        """Wrap the transport so that no close cuts off an answer, and start the idle timer."""
        limits = self.limits
        self.transport = LingeringTransport(
            transport, self._loop, self._unread, limits.linger_size, limits.linger_seconds
        )
        self._scope = common_scope(transport)
        self._state.connections.add(self)  # type: ignore[arg-type]  # it names its own classes
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """The application hears of it, and nothing more is waited for."""
        self._state.connections.discard(self)
        self._watch.stop()
        if self._running is not None:
            self._running.cut()
        self.transport.lost()

    def shutdown(self) -> None:
        """The server ends: so does the connection, behind the answers under way."""
        if self._running is None:
            self.transport.close()
        else:
            last = self._queue[-1][0] if self._queue else self._running
            last.keep_alive = False

    def pause_writing(self) -> None:
        """The client does not take what was written as fast as we write."""
        self.transport.fill()

    def resume_writing(self) -> None:
        """It has taken enough of it."""
        self.transport.clear()

    def data_received(self, data: bytes) -> None:
        """Parse what came, or refuse it, or drop it if the connection is ending."""
        if self._phase is Phase.REFUSED or self.transport.is_closing():
            self.transport.discard(len(data))
            return
        self._idle_bytes += len(data)
        try:
            self.feed(data)
            if self._phase is not Phase.BETWEEN and self._idle_bytes > self.limits.head_size:
                raise head_too_large()
        except Refused as refused:
            self._refuse(refused)
        except httptools.HttpParserError as error:
            self._refuse(verdict(error))
        else:
            self._rewatch()

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """The first byte of a request line."""
        super().on_message_begin()
        self._enter(Phase.HEAD)

    def on_headers_complete(self) -> None:
        """Judge the head before the application is started with it."""
        parser, headers = self.parser, self.headers
        if self.is_offer:
            return  # comes again, without the offer
        target = read_target(self.target)
        self._body_most = self._body_left = self.limits.judge_head(
            target.path, len(self.target), headers
        )
        version = parser.get_http_version()
        scope = {
            **self._scope,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
            "headers": headers,
            "state": self._app_state.copy(),
        }
        self.headers = []  # trailers of a chunked body must not reach the application as headers
        self._newest = exchange = Exchange(
            scope,
            self.transport,
            self._state,
            self._answered,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            awaits_continue=self.expects_continue,
        )
        if self._running is None:
            self._start(exchange, self._app())
        else:
            self._queue.append((exchange, self._app()))
            if len(self._queue) >= _QUEUED:
                self.transport.pause_reading()
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Count the body against its limit, then hand it on."""
        self._progress = True
        self._idle_bytes = 0
        self._body_left -= len(body)
        if self._body_left < 0:
            raise body_too_large(self._body_most)
        exchange = self._newest
        if exchange is not None and not exchange.complete and exchange.hear(body) > _UNASKED:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        """The last byte of a body, or of a head without one."""
        if self.is_offer:
            return
        if self._newest is not None and not self._newest.complete:
            self._newest.heard_all()
        self._enter(Phase.BETWEEN)

    # Answers

    def _app(self) -> ASGIApp:
        """The application, or who answers in its place while too many requests run."""
        state, most = self._state, self._config.limit_concurrency
        if most is not None and (len(state.connections) >= most or len(state.tasks) >= most):
            _log.warning("Exceeded concurrency limit.")
            return busy
        return self._config.loaded_app  # type: ignore[no-any-return]

    def _start(self, exchange: Exchange, app: ASGIApp) -> None:
        self._running = exchange
        task = self._loop.create_task(exchange.run(app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _answered(self) -> None:
        """Go on with what waited for this answer: the next request, or a refusal."""
        self._state.total_requests += 1
        self._running = None
        if self.transport.is_closing():
            return
        if self._queue:
            self._start(*self._queue.popleft())
            return
        self.transport.resume_reading()
        if self._owed is not None:
            self._end_with(self._owed)
        elif self._phase is Phase.BETWEEN:
            self._rest()

    def _refuse(self, refused: Refused) -> None:
        """Take nothing more from this client, and say why after the answers owed to it."""
        phase, self._phase = self._phase, Phase.REFUSED
        _log.info("Request refused: %d %s", refused.status, refused.details)
        if phase is not Phase.BODY:
            # The request at fault never became an exchange; what runs is an earlier one's.
            if self._running is None:
                self._end_with(refused)
            else:
                self._owed = refused
        elif self._queue:
            self._queue.pop()  # the newest: it never starts
            self._owed = refused
        elif self._running is None:
            self.transport.close()  # answered before its body was read
        else:
            self._cut_off(self._running, refused)

    def _cut_off(self, exchange: Exchange, refused: Refused) -> None:
        """The application waits for a body that will not come: it is told of a disconnect."""
        exchange.cut()
        if exchange.started:
            self.transport.close()
        else:
            self._end_with(refused)

    def _end_with(self, refused: Refused) -> None:
        self._owed = None
        self.transport.write(refusal(refused, self._state.default_headers))
        self.transport.close()

    # Time

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._progress = True
        if phase is not Phase.HEAD:  # a read that begins with a head counts wholly as head
            self._idle_bytes = 0

    def _unread(self) -> bool:
        return self._phase in (Phase.BODY, Phase.REFUSED)

    def _rewatch(self) -> None:
        if self._phase is not Phase.BETWEEN:
            if self._progress:
                self._progress, self._since = False, self._loop.time()
            self._watch.look_by(self._since + self._patience())

    def _rest(self) -> None:
        """Nothing is under way: the client may take its time."""
        self._since = self._loop.time()
        self._watch.look_by(self._since + self._patience())

    def _patience(self) -> float:
        if self._phase is Phase.BETWEEN:
            return self._config.timeout_keep_alive
        limits = self.limits
        return limits.head_seconds if self._phase is Phase.HEAD else limits.body_seconds

    def _look(self) -> None:
        """The watch: end what has stood still too long by the client's fault."""
        phase = self._phase
        if phase is Phase.REFUSED or self.transport.is_closing():
            return
        if phase is Phase.BETWEEN and self._running is not None:
            return  # the answer's end looks on
        if phase is not Phase.BETWEEN and self.transport.reading_paused:
            self._since = self._loop.time()  # it is us who do not read
        due = self._since + self._patience()
        if due > self._loop.time():
            self._watch.look_by(due)
        elif phase is Phase.BETWEEN:
            self.transport.close()
        else:
            part = "head" if phase is Phase.HEAD else "body"
            self._refuse(Refused(408, f"The {part} of the request did not arrive in time."))
