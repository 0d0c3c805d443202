"""The command line (SPEC 8): one file for each command or group of commands."""

from optin.cli.program import main

__all__ = ["main"]
