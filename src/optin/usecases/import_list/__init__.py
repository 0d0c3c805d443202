"""Takes lists in as jobs: what each would do can be seen beforehand, and taken back afterwards."""

from optin.usecases.import_list.foreseeing import Foresee
from optin.usecases.import_list.receiving import ImportRequest, ReceiveImport
from optin.usecases.import_list.rejects import HEAD, rejected_csv, rejected_line
from optin.usecases.import_list.running import RunImports
from optin.usecases.import_list.telling import examples_of, examples_told, job_told

__all__ = [
    "HEAD",
    "Foresee",
    "ImportRequest",
    "ReceiveImport",
    "RunImports",
    "examples_of",
    "examples_told",
    "job_told",
    "rejected_csv",
    "rejected_line",
]
