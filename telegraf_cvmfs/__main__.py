"""`python -m telegraf_cvmfs`."""

from telegraf_cvmfs.cli import entry

if __name__ == "__main__":
    entry()
