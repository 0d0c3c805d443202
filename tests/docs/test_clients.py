"""docs/clients.md: every program is run as it stands there, against the real service."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Program
from tests.docs.pages import Block, blocks, text_of
from tests.docs.shell import environment
from tests.web.clients import CLIENTS, runnable

#: mark of the program -> its file, and the command that runs it.
COMMANDS = {
    "curl": ("optin.sh", ["bash"]),
    "requests": ("optin.py", ["python"]),
    "httpx": ("optin.py", ["python"]),
    "node-fetch": ("optin.mjs", ["node"]),
    "axios": ("optin.mjs", ["node"]),
    "java-httpclient": ("OptIn.java", ["java", "-XX:TieredStopAtLevel=1"]),
    "java-httpurlconnection": (
        "OptIn.java",
        ["java", "-XX:TieredStopAtLevel=1", "-Dsun.net.http.retryPost=false"],
    ),
}
AXIOS = Path(__file__).parents[2] / ".clients" / "axios" / "node_modules"
_MARK = "client: "


def page() -> list[Block]:
    return blocks(text_of("docs/clients.md"))


def programs() -> dict[str, str]:
    """The programs of the page by the client's name."""
    marked = (block for block in page() if block.mark.startswith(_MARK))
    return {block.mark.removeprefix(_MARK): block.text for block in marked}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the page's own set-up exports, with a service that runs."""
    (setup,) = (block.text for block in page() if block.mark == "run")
    with Program(tmp_path_factory.mktemp("clients")) as program:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", setup + "env -0 >variables"],
            cwd=program.folder,
            env=environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert b"order_ready (en) is utility." in done.stdout
        lines = (program.folder / "variables").read_text().split("\0")
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        exported = {name: found[name] for name in ("OPTIN_BOT", "OPTIN_TOKEN")}
        yield {**exported, "OPTIN_URL": program.url}


def started(
    client: str, folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The client's program, saved as a file and run."""
    name, command = COMMANDS[client]
    (folder / name).write_text(programs()[client], "utf-8")
    if client == "axios":  # as after `npm install axios` there
        (folder / "node_modules").symlink_to(AXIOS)
    return subprocess.run(
        [*command, name],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("client", COMMANDS)
def test_the_program_prints_the_states(
    client: str, variables: dict[str, str], tmp_path: Path
) -> None:
    """Opt in, send, opt out, send again: the program prints what the page says."""
    if not runnable(client):
        return
    number = f"+467017406{10 + list(COMMANDS).index(client)}"
    done = started(client, tmp_path, {**variables, "NUMBER": number})
    (output,) = (block.text for block in page() if block.mark == "output")
    assert (done.stdout, done.returncode) == (output, 0), done.stderr


@pytest.mark.parametrize("client", COMMANDS)
def test_the_program_says_why_it_failed(
    client: str, variables: dict[str, str], tmp_path: Path
) -> None:
    """With a wrong token it ends with an error that has the answer's sentence in it."""
    if not runnable(client):
        return
    wrong = {**variables, "NUMBER": "+46701740605", "OPTIN_TOKEN": "wrong"}
    done = started(client, tmp_path, wrong)
    assert done.returncode != 0
    assert "Unauthorized bot" in done.stdout + done.stderr
    assert "opted in" not in done.stdout


def test_the_page_has_every_client() -> None:
    """Each client that the protocol is tested with has its program; curl's variants share one."""
    families = {"curl" if name.startswith("curl") else name for name in CLIENTS}
    assert programs().keys() == COMMANDS.keys() == families
