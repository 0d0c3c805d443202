"""The measurements behind `docs/scale.md`, at sizes of a test."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.scale.shards import spread, zipf
from tests.house.tree import ROOT


def test_the_measurement_runs_and_decides_right() -> None:
    """Rows that it put in are read by the real store, and every decision is the one expected."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale"],
        cwd=ROOT,
        env=os.environ | {"SIZES": "500,1500", "ROUNDS": "1", "LEDGER_OF": "1000"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("one, anybody", "CPU of the server", "opt-in, durable", "bytes at 1,500"):
        assert told in done.stdout


def test_even_bots_lie_even_and_a_big_one_shows() -> None:
    """The simulation gives about the mean for bots of one size, and more the more they differ."""
    assert sum(zipf(1000, 0.8)) == pytest.approx(1)
    even, odd = (spread(32, 8, skew, 10_000, bots=10_000) for skew in (0.0, 1.0))
    assert 1 <= even.node_contacts < 1.1
    assert odd.node_contacts > even.node_contacts
    assert odd.shard_contacts >= odd.node_contacts
