"""The doors as those who run the deployment see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from optin.domain.tokens import FreshToken
from optin.ports.store import Store
from optin.usecases.manage_deployment_tokens import ManageDeploymentTokens
from tests.web.doors import Doors, doors_on, new_id, new_secret

ROOT = "/v1/admin"


@dataclass
class Runner:
    """A caller of `/v1/admin` with a deployment token."""

    doors: Doors
    fresh: FreshToken
    managing: ManageDeploymentTokens = field(init=False)

    def __post_init__(self) -> None:
        self.managing = ManageDeploymentTokens(self.doors.store, new_id, new_secret)

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", **more: Any
    ) -> httpx.Response:
        """One call below the root, with an `Idempotency-Key` if one is given."""
        headers = [("Idempotency-Key", key)] if key else []
        token = more.pop("token", self.fresh.text)
        return await self.doors.call(
            method, ROOT + path, body, token=token, headers=headers, **more
        )

    async def good(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """What a call answers that goes well."""
        answer = await self.call(method, path, body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


async def runner_on(store: Store, **more: Any) -> Runner:
    """The application on a store, and a new deployment token for it."""
    fresh = await ManageDeploymentTokens(store, new_id, new_secret).add("ops")
    return Runner(doors_on(store, **more), fresh)
