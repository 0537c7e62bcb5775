"""`python -m seedframe`."""

import sys

from seedframe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
