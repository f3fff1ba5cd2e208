"""`python -m grafana.tools`."""

from __future__ import annotations

import sys

from grafana.tools.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
