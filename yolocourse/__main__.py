"""`python -m yolocourse`: the command line."""

import sys

from yolocourse.cli import main

if __name__ == "__main__":
    sys.exit(main())
