"""Runs a page's blocks in one shell, as a reader would copy them, and compares what they print."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.docs.pages import Block

#: Where the pages say that the service listens.
WRITTEN_URL = "http://127.0.0.1:8080"

_END = "\x1e"  # ASCII's record separator, printed after each block
_SECONDS = 60
_STATUS = re.compile(r"\n?HTTP (\d{3})\s*$")

# What differs in each run, and what stands for it in both texts.
_MASKS = (
    (re.compile(r"optin_[\w-]{43}"), "optin_TOKEN"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"wamid\.SANDBOX[0-9A-F]+"), "wamid.SANDBOX"),
    (re.compile(r'"fbtrace_id": ?"[^"]*"'), '"fbtrace_id":"TRACE"'),
    (re.compile(r"http://127\.0\.0\.1:\d+"), WRITTEN_URL),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ENTRY"),
    (re.compile(r"curl/[\d.]+"), "curl/VERSION"),
    (re.compile(r'"commit": ?\d+'), '"commit": 1'),
)


def at_hand(*programs: str) -> bool:
    """Whether the machine has what a page's commands need; says so when not; fails in the CI."""
    absent = [program for program in programs if shutil.which(program) is None]
    assert not (absent and os.environ.get("CI") == "true"), f"not run: {absent} missing"
    if absent:
        print(f"not run: {', '.join(absent)} missing")  # named, not passed over in silence
    return not absent


def environment(**variables: str) -> dict[str, str]:
    """This machine's, with `optin` in the path, without settings for it and without a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OPTIN_") and "proxy" not in name.lower()
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "no_proxy": "*", **variables}


def run(
    page: Sequence[Block], folder: Path, url: str = WRITTEN_URL, mark: str = "run", **variables: str
) -> int:
    """Runs the blocks whose mark begins with `mark`, in one bash; each that an `output` follows
    must print that.

    `url` takes the place of the address in the text. Returns how many outputs were compared.
    """
    commands = [block.text for block in page if block.mark.startswith(mark)]
    printed = _printed([text.replace(WRITTEN_URL, url) for text in commands], folder, variables)
    compared, command, got = 0, "", None
    for block in page:
        if block.mark != "output":
            command = block.text
            got = printed.pop(0) if block.mark.startswith(mark) else None
        elif got is not None:
            assert comparable(got) == comparable(block.text), command + got
            compared += 1
    return compared


def _printed(scripts: Sequence[str], folder: Path, variables: dict[str, str]) -> list[str]:
    """What each script prints; a command that fails ends the page."""
    ended = f"\nprintf '{_END}'\n"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ended.join([*scripts, ""])],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    *parts, _ = done.stdout.split(_END)
    failed = scripts[len(parts)] if len(parts) < len(scripts) else "the last"
    assert done.returncode == 0, (failed, done.stdout, done.stderr)
    return parts


def comparable(text: str) -> Any:
    """The text with what differs in each run masked; an answer in JSON without its layout."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    status = _STATUS.search(text)
    body = text[: status.start()] if status else text
    try:
        answer: Any = json.loads(body)
    except ValueError:
        answer = [" ".join(line.split()) for line in body.strip().splitlines()]
    return answer, status[1] if status else None
