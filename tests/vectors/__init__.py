"""The rule cases as data, run through the domain, HTTP and the command line alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """The content of `NAME.json`: numbers, spellings, keywords, decisions or signatures."""
    text = Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
