"""R12: a disk with no room left is a 503, nothing is reported as recorded, and it recovers."""

from __future__ import annotations

import resource
from pathlib import Path

import requests

from tests.acceptance.program import Program

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_full_disk_is_503_and_records_nothing(tmp_path: Path) -> None:
    """The process may not write another byte to a file; then it may again."""
    program = Program(tmp_path)
    token = program.add_bot("b1")
    with program:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        optin = f"{program.url}/whatsapp/v1/b1/provision/optin"
        check = f"{program.url}/v1/bots/b1/check"
        assert session.post(optin, json={"numbers": ["46732001122"]}).status_code == 200

        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        refused = session.post(optin, json={"numbers": ["46732001133"]})
        assert refused.status_code == 503
        assert set(refused.json()) == {"message", "details", "reason"}
        assert session.delete(optin, json={"numbers": ["46732001122"]}).status_code == 503
        assert session.get(f"{program.url}/readyz").status_code == 503
        assert session.get(f"{program.url}/healthz").status_code == 200

        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        both = {"identities": ["46732001122", "46732001133"]}
        results = session.post(check, json=both).json()["results"]
        assert [r["allowed"] for r in results] == [True, False]
        assert session.delete(optin, json={"numbers": ["46732001122"]}).status_code == 200
        assert session.get(f"{program.url}/readyz").status_code == 200
        results = session.post(check, json=both).json()["results"]
        assert [r["reason"] for r in results] == ["opted_out", "no_opt_in"]
