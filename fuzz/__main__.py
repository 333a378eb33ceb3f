"""``python -m fuzz`` is ``iris-fuzz``."""

from fuzz.cli import main

if __name__ == "__main__":
    main()
