"""`python -m grafana.tools`."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C ends it as any program, until it is listened to; Python's own way is a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

from grafana.tools.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
