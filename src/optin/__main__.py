"""`python -m optin` is the same as `optin`."""

import sys

from optin.cli import main

if __name__ == "__main__":
    sys.exit(main())
