"""The doors that the tests of this folder knock at."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import OpenStore
from tests.web.doors import Doors, open_doors


@pytest.fixture
async def doors(open_store: OpenStore) -> AsyncIterator[Doors]:
    made = await open_doors(await open_store())
    yield made
    await made.client.aclose()
