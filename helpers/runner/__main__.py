"""`python -m helpers.runner`: the four labs in sequence. See command.py."""

import sys

if __name__ == "__main__":
    try:
        from helpers.runner.command import main  # takes a second or two, in which someone may press Ctrl-C

        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped. Nothing has to be mended.", file=sys.stderr)
        sys.exit(130)
