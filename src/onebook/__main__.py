"""``python -m onebook``: the command line."""

from onebook.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
