"""The program `optin`: its commands, and what it says when something goes wrong."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from optin import __version__
from optin.cli.output import print_json
from optin.domain.errors import InvalidInput, OptinError

_FAILED, _USAGE = 1, 2

_log = logging.getLogger(__name__)


#: Each is the object of its own name in the module of its own name.
_COMMANDS = (
    "serve",
    "bot",
    "admin",
    "check",
    "history",
    "proof",
    "forget",
    "verify",
    "import",
    "filter",
    "export",
    "template",
    "reconcile",
    "callbacks",
    "webhooks",
    "review",
    "keywords",
    "sandbox",
    "migrate",
    "copy",
    "demo",
)


#: But those whose names are words of Python.
_ELSEWHERE = {"import": "import_list", "filter": "filter_list"}


class _Commands(click.Group):
    """Loads the command that is called, not all: `bot list` needs no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = _ELSEWHERE.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"optin.cli.{name}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="optin %(version)s")
def optin() -> None:
    """Keep a business's WhatsApp consent and enforce it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0 done, 1 failed, 2 usage. Never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an odd name must not end a listing
    try:
        code = optin.main(given, prog_name="optin", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as missing:
        print(missing.format_message(), file=sys.stderr)
        return _USAGE
    except click.UsageError as wrong:
        return _told(given, _USAGE, "usage", _usage_sentence(wrong))
    except InvalidInput as wrong:
        return _told(given, _USAGE, wrong.code, str(wrong))
    except OptinError as error:
        return _told(given, _FAILED, error.code, str(error))
    except (click.Abort, KeyboardInterrupt):
        return _told(given, _FAILED, "stopped", "Stopped.")
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not trip over it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as fault:  # noqa: BLE001 - nobody is shown a traceback who did not ask
        _log.debug("The fault in full:", exc_info=fault)
        return _told(given, _FAILED, "internal_error", _fault_sentence(fault))
    return code if isinstance(code, int) else 0


def _usage_sentence(wrong: click.UsageError) -> str:
    path = wrong.ctx.command_path if wrong.ctx else "optin"
    return f"{wrong.format_message()} (`{path} --help` tells more.)"


def _fault_sentence(fault: Exception) -> str:
    return f"Something went wrong that should not have: {type(fault).__name__}: {fault}"


def _told(given: Sequence[str], code: int, name: str, sentence: str) -> int:
    """Say it once for people and, where a program reads our output, once for that."""
    if "--json" in given:
        print_json({"error": {"code": name, "message": sentence}})
    print(f"optin: {sentence}", file=sys.stderr)
    return code
