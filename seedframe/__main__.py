"""`python -m seedframe`."""

import sys

from seedframe.cli.main import program

if __name__ == "__main__":
    sys.exit(program())
