"""Whether this process lives, and whether it can do its work (SPEC 6)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optin.domain.errors import OptinError
from optin.ports.store import Store


def routes(store: Store) -> list[Route]:
    """`/healthz` and `/readyz`."""

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            await store.ready()
        except OptinError as error:
            why = {"status": "unavailable", "code": error.code, "detail": str(error)}
            return JSONResponse(why, 503, headers={"retry-after": "1"})
        return JSONResponse({"status": "ok"})

    return [Route("/healthz", alive), Route("/readyz", ready)]
