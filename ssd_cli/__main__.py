"""``python -m ssd_cli`` is ``ssd-bench``."""

from ssd_cli.cli.app import main

if __name__ == "__main__":
    main()
