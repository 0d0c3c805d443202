"""The application: which door a request goes to, and no error without a JSON body (H5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from optin.domain.errors import NotFound, OptinError, WrongMethod
from optin.web import admin, graph, health, hooks, legacy, metrics, native
from optin.web.answers import Answer
from optin.web.incoming import IncomingBodies
from optin.web.problems import NO_SUCH_PATH, problem, unexpected
from optin.web.services import Services

__all__ = ["Services", "create_app"]

_CHECK = re.compile(r"/v1/bots/([^/]+)/check")


def create_app(services: Services, lifespan: Lifespan[Starlette] | None = None) -> ASGIApp:
    """The whole application. `lifespan` starts and ends what runs beside it.

    The busy paths go straight to their handlers; the rest through Starlette.
    """
    rest = _router(services, lifespan)
    face = legacy.legacy_face(services)
    graph_face = graph.graph_face(services)
    check = native.check_resource(services)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith(legacy.PREFIX):
            await face(scope, receive, send)
        elif path.startswith(graph.PREFIX):
            await graph_face(scope, receive, send)
        elif bot := _CHECK.fullmatch(path):
            await check.serve({"bot_id": bot[1]}, scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


def _router(services: Services, lifespan: Lifespan[Starlette] | None) -> Starlette:
    bodies = IncomingBodies()
    router = Starlette(
        routes=[
            *native.routes(services),
            *admin.routes(services),
            *hooks.routes(services, bodies),
            *hooks.sinch_routes(services, bodies),
            *health.routes(services),
            *metrics.routes(services.backlog),
        ],
        exception_handlers={
            HTTPException: _refused,
            OptinError: _failed,
            Exception: _failed,
        },
        lifespan=lifespan,
    )
    router.router.redirect_slashes = False
    return router


async def _refused(_: Request, error: Exception) -> Response:
    """What the router itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    if error.status_code != 405:
        return _response(problem(NotFound(NO_SUCH_PATH)))
    headers: Mapping[str, str] = error.headers or {}
    allowed = tuple(sorted(headers.get("Allow", "").split(", ")))
    return _response(problem(WrongMethod("The path takes other methods.", allowed=allowed)))


async def _failed(_: Request, error: Exception) -> Response:
    return _response(problem(unexpected(error)))


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())
