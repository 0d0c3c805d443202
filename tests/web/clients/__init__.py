"""The HTTP clients that businesses really use, each behind the same call (H5).

`run(name, method, url, headers, body)` sends one request and returns (status, body text). The
programs in other languages are the files beside this one; what they need (axios, compiled Java)
is made once in `.clients/` at the root of the repository.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import requests

Answer = tuple[int, str]
Client = Callable[[str, str, Mapping[str, str], bytes | None], Answer]

_SOURCES = Path(__file__).parent
_CACHE = _SOURCES.parents[2] / ".clients"
_AXIOS = "axios@1.21.1"
_SECONDS = 60


def run(
    client_name: str, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
) -> Answer:
    """Send one request by the named client; raises if the client itself fails."""
    return _CLIENTS[client_name](method, url, headers, body)


def missing(client_name: str) -> str | None:
    """What this machine lacks for the client, or None; builds and installs what can be had."""
    programs = _PROGRAMS.get(client_name.partition("-")[0], ())
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        return f"{client_name} needs {', '.join(absent)}"
    try:
        if client_name == "axios":
            _axios()
        if client_name.startswith("java"):
            _java()
    except subprocess.CalledProcessError as error:
        return f"{client_name} could not be prepared: {error.stderr.strip()[-300:]}"
    return None


def runnable(client_name: str) -> bool:
    """Whether the client can run here; says so when not, and in CI (`CI=true`) fails instead."""
    reason = missing(client_name)
    if reason is None:
        return True
    assert os.environ.get("CI") != "true", f"not run: {reason}"
    print(f"not run: {reason}")  # named, not passed over in silence
    return False


def _curl(*options: str, upload: bool = False, typed: bool = True) -> Client:
    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        command = ["curl", "--silent", "--show-error", *options, "--request", method, url]
        for name, value in headers.items():
            if typed or name.lower() != "content-type":
                command += ["--header", f"{name}: {value}"]
        if body is not None:
            command += ["--upload-file", "-"] if upload else ["--data-binary", "@-"]
        out = _output([*command, "--write-out", "\n%{http_code}"], body or b"")
        text, _, status = out.rpartition("\n")
        return int(status), text

    return send


def _requests(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    answer = requests.request(method, url, headers=dict(headers), data=body, timeout=_SECONDS)
    return answer.status_code, answer.text


def _httpx(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    with httpx.Client(trust_env=False) as client:
        answer = client.request(method, url, headers=dict(headers), content=body, timeout=_SECONDS)
    return answer.status_code, answer.text


def _node(kind: str) -> Client:
    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        text = None if body is None else body.decode()
        wish = {"method": method, "url": url, "headers": dict(headers), "body": text}
        folder = str(_axios()) if kind == "axios" else ""
        script = str(_SOURCES / "client.cjs")
        out = json.loads(_output(["node", script, kind, folder], json.dumps(wish).encode()))
        return int(out["status"]), str(out["body"])

    return send


def _jvm(kind: str) -> Client:
    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        has_body = "no-body" if body is None else "body"
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", str(_java()), "Client"]
        out = _output([*command, kind, method, url, has_body, *lines], body or b"")
        status, _, text = out.partition("\n")
        return int(status), text

    return send


def _output(command: list[str], stdin: bytes) -> str:
    done = subprocess.run(
        command, check=False, input=stdin, capture_output=True, timeout=_SECONDS, env=_environment()
    )
    # curl ends with 55 or 56 when the server closes during the upload, the answer read or not
    if done.returncode != 0 and not (command[0] == "curl" and done.returncode in (55, 56)):
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def _environment() -> dict[str, str]:
    """No proxy between a client and the loopback."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


@functools.cache
def _axios() -> Path:
    """The folder in which node finds axios."""
    folder = _CACHE / "axios"
    with _prepared(folder) as ready:
        if not ready:
            (folder / "package.json").write_text('{"private":true}')
            _prepare(["npm", "install", "--no-audit", "--no-fund", _AXIOS], folder)
    return folder


@functools.cache
def _java() -> Path:
    """The folder that holds the compiled `Client.java`."""
    folder = _CACHE / f"java-{(_SOURCES / 'Client.java').stat().st_mtime_ns}"
    with _prepared(folder) as ready:
        if not ready:
            _prepare(["javac", "-d", str(folder), str(_SOURCES / "Client.java")], folder)
    return folder


@contextmanager
def _prepared(folder: Path) -> Iterator[bool]:
    """Whether `folder` is ready; if not, the caller makes it so, alone among all processes."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / ".done"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield done.exists()
        done.touch()


def _prepare(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)


_PROGRAMS = {
    "curl": ("curl",),
    "node": ("node",),
    "axios": ("node", "npm"),
    "java": ("java", "javac"),
}

_CLIENTS: dict[str, Client] = {
    "curl": _curl(),
    "curl-http1.0": _curl("--http1.0"),
    "curl-expect": _curl("--header", "Expect: 100-continue"),
    "curl-chunked": _curl(upload=True),  # from a pipe: chunked and Expect
    "curl-untyped": _curl(typed=False),  # a form's Content-Type over a JSON body
    "requests": _requests,
    "httpx": _httpx,
    "node-fetch": _node("fetch"),
    "axios": _node("axios"),
    "java-httpclient": _jvm("HttpClient"),  # offers h2c
    "java-httpurlconnection": _jvm("HttpURLConnection"),
}

CLIENTS: list[str] = list(_CLIENTS)
