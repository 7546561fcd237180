"""`python -m molmeta`."""

import sys

from molmeta.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
