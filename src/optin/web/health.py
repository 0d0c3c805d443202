"""Whether this process lives, and whether it can do its work (SPEC 6)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optin.domain.breaker import Breaker
from optin.domain.errors import OptinError
from optin.domain.rfc3339 import shown_time
from optin.web.services import Services


def routes(services: Services) -> list[Route]:
    """`/healthz` and `/readyz`. A circuit breaker that is open makes nobody unready: opt-outs are
    taken and messages kept; `breakers` names those of this process."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            await services.store.ready()
        except OptinError as error:
            why = {"status": "unavailable", "code": error.code, "detail": str(error)}
            return JSONResponse(why, 503, headers={"retry-after": "1"})
        rows = [_row(bot_id, breaker) for bot_id, breaker in services.breakers().items()]
        return JSONResponse({"status": "ok", "breakers": rows})

    return [Route("/healthz", alive), Route("/readyz", ready)]


def _row(bot_id: str, breaker: Breaker) -> dict[str, Any]:
    return {
        "bot": bot_id,
        "state": breaker.state,
        "since": shown_time(breaker.since),
        "next_try": shown_time(breaker.until),
        "why": breaker.why,
    }
