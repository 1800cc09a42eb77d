"""`python -m tamrl`: the command `tamrl`."""

import sys

from tamrl.command.main import main

if __name__ == "__main__":
    sys.exit(main())
