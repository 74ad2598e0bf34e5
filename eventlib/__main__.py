"""`python -m eventlib`: the command line, as the supervisor starts it."""

from eventlib.cli import main

if __name__ == "__main__":
    main()
