# Each target sets itself up. Overridable: PYTHON (3.11 or later), VENV, and ARGS for pytest or the fuzzer.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

IN = $(VENV)/bin

# A file of tests stays with one worker, for its tests share servers; ARGS="-n 0" is one process.
SIDE_BY_SIDE = -n 2 --dist loadfile
HOUSE = $(wildcard tests/test_house*.py)
PIP_INSTALL = $(IN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo quick test soak fuzz check bench docs-tables clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    scrape a demo fleet on loopback: first line protocol, then a table"
	@echo "make quick   run the tests that need no other program, but for the slow ones: a minute"
	@echo "make test    run all tests, with a real Telegraf and InfluxDB where they can be had"
	@echo "make soak    the long hauls of some tests: hours of running, in minutes"
	@echo "make fuzz    hostile input for every reader, a minute each; ARGS=\"--seconds 600 fleet\" for more of one"
	@echo "make check   lint, format, types, house rules"
	@echo "make bench   how long a scrape takes beside peers and the least it could, in ten minutes; ARGS=\"--only 10x100\""
	@echo "make docs-tables  write the tables and examples of the documents that a program can write"
	@echo "make clean   remove what these made in this folder"
	@echo "./stack help dashboards and alerts: the whole stack, with Docker or without"

demo: $(VENV)/.set-up
	$(IN)/telegraf-cvmfs --demo
	$(IN)/telegraf-cvmfs --demo --print-for-human

test: $(VENV)/.set-up-for-tests
	$(IN)/python -m tests.programs.cache || echo "tests that need a missing program will be skipped"
	$(IN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

quick: $(VENV)/.set-up-for-tests
	$(IN)/python -m pytest -n 3 --dist worksteal --quick $(ARGS)

soak: $(VENV)/.set-up-for-tests
	TELEGRAF_CVMFS_SOAK=1 $(IN)/python -m pytest -n 0 -m soak $(ARGS)

fuzz: $(VENV)/.set-up-for-fuzzing
	$(IN)/python -m tests.fuzz --corpus $(VENV)/fuzz $(ARGS)

check: $(VENV)/.set-up-for-tests
	$(IN)/ruff check .
	$(IN)/ruff format --check .
	$(IN)/mypy --strict
	$(if $(HOUSE),$(IN)/python -m pytest --quiet $(HOUSE))

bench: $(VENV)/.set-up
	$(IN)/python -m benchmarks $(ARGS)
	$(IN)/python benchmarks/trust.py

docs-tables: $(VENV)/.set-up-for-tests
	$(IN)/python -m docs.tables

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are as old as the last installation, so that nothing is asked of a package index until setup.cfg changes.

$(VENV)/.set-up: setup.cfg pyproject.toml | $(IN)/python
	$(PIP_INSTALL) --editable ".[curl,exporter,history,statuspage]"
	@touch $@

$(VENV)/.set-up-for-tests: setup.cfg pyproject.toml | $(IN)/python
	$(PIP_INSTALL) --editable ".[curl,exporter,history,statuspage,test,dev]"
	@touch $(VENV)/.set-up $@

$(VENV)/.set-up-for-fuzzing: $(VENV)/.set-up-for-tests
	$(PIP_INSTALL) --only-binary atheris --editable ".[fuzz]" || echo "no atheris for this Python: mutations will be blind"
	@touch $@

$(IN)/python:
	$(PYTHON) -m venv $(VENV)
