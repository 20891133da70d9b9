"""`python -m snowcoder`, which is the command `snowcoder`."""

from snowcoder.cli import main

if __name__ == "__main__":
    main()
