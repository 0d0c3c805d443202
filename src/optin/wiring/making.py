"""Use cases that commands need by themselves, with the real clock and the real chance."""

from __future__ import annotations

import os
import secrets
import time

from optin.domain.ids import time_ordered_id
from optin.domain.tokens import SECRET_LENGTH
from optin.ports.store import Store
from optin.usecases.manage_bots import ManageBots
from optin.usecases.manage_deployment_tokens import ManageDeploymentTokens
from optin.usecases.rotate_tokens import RotateTokens


def new_id() -> bytes:
    """A fresh id (`ids.NewId`)."""
    return time_ordered_id(time.time_ns() // 1000, os.urandom(10))


def manage_bots(store: Store) -> ManageBots:
    """`ManageBots` on the store."""
    return ManageBots(store, new_id, _new_secret)


def manage_deployment_tokens(store: Store) -> ManageDeploymentTokens:
    """`ManageDeploymentTokens` on the store."""
    return ManageDeploymentTokens(store, new_id, _new_secret)


def rotate_tokens(store: Store) -> RotateTokens:
    """`RotateTokens` on the store."""
    return RotateTokens(store, new_id, _new_secret)


def _new_secret() -> bytes:
    return secrets.token_bytes(SECRET_LENGTH)
