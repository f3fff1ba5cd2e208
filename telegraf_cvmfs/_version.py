"""The version and the place of the project, in a file of its own so that packaging can read it without the rest."""

__version__ = "0.1.0"

PROJECT_URL = "https://github.com/telegraf-cvmfs/telegraf-cvmfs"
