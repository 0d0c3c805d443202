"""Gives a process a clock that is wrong and jumps. Python imports it first if it is on its path.

`SKEWED_CLOCK`: seconds that the clock is off. It jumps every two seconds, by up to five minutes
to either side of that. The monotonic clock is left as it is.
"""

from __future__ import annotations

import os
import random
import time

_true, _true_ns = time.time, time.time_ns


def _off() -> float:
    skew = os.environ["SKEWED_CLOCK"]
    jumps = random.Random(f"{skew} {time.monotonic() // 2}")
    return float(skew) + jumps.uniform(-300, 300)


if "SKEWED_CLOCK" in os.environ:
    time.time = lambda: _true() + _off()
    time.time_ns = lambda: _true_ns() + int(_off() * 1e9)
