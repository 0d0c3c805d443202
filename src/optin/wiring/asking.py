"""Use cases that ask providers. Apart from the others: what is needed to ask is slow to load."""

from __future__ import annotations

from optin.ports.store import Store
from optin.upstreams.meta_templates import MetaTemplates
from optin.upstreams.sinch_consents import SinchConsents
from optin.usecases.reconcile import Reconcile
from optin.usecases.sync_templates import SyncTemplates


def sync_templates(store: Store) -> SyncTemplates:
    """`SyncTemplates` with every provider that lists templates. Close it."""
    return SyncTemplates(store, {"meta": MetaTemplates()})


def reconcile(store: Store) -> Reconcile:
    """`Reconcile` with every provider that keeps opt-out lists. Close it."""
    return Reconcile(store, {"sinch": SinchConsents()})
