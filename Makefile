# Each target sets up what it needs, in .venv; the second time that takes no time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs

.PHONY: help install demo test lint check bare compat bench fuzz soak docs judges judges-at-hand clean

help:
	@echo "make demo     show everything at once, with this machine's own sensors (SECONDS=10 ends it)"
	@echo "make test     lint, types, imports, tests, documentation, the bare client, every Python at hand"
	@echo "make check    the tests alone"
	@echo "make lint     ruff, mypy, the import rule"
	@echo "make docs     build the documentation, in docs/_build"
	@echo "make bench    measure, as ratios"
	@echo "make soak     half an hour of kills, power cuts, failing disks, jumping clocks and crowds"
	@echo "make fuzz     spoilt inputs for all that reads them, and 10 000 requests for the API"
	@echo "make judges   install the programs that some tests need: a browser, Mosquitto's tools, netcat"
	@echo "make install  the command line and the service, in $(BIN)"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "txpachube needs Python 3.11 or later; say which with: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/txpachube demo $(if $(SECONDS),--seconds $(SECONDS))

test: judges-at-hand lint check docs bare compat

# A machine of its own, as CI has, gets what it lacks; anybody else is told.
judges-at-hand:
	@sh tests/packaging/judges.sh

judges:
	@sh tests/packaging/judges.sh --install

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --config pyproject.toml
	@$(BIN)/python tests/packaging/audit.py

check: $(INSTALLED)
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(ARGS)

bare: $(INSTALLED)
	@PYTHON=$(BIN)/python sh tests/packaging/bare_client.sh

compat: $(INSTALLED)
	@sh tests/packaging/other_pythons.sh

docs: $(DOCS_INSTALLED)
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet --builder html docs docs/_build
	@echo "The documentation is in docs/_build/index.html"

$(DOCS_INSTALLED): $(INSTALLED)
	@echo "Setting up what builds the documentation ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

bench: $(INSTALLED)
	$(BIN)/python -m bench $(ARGS)

# Long: ten minutes or so. ARGS='--seed 1' asks the same again.
fuzz: $(INSTALLED)
	$(BIN)/python -m fuzz
	$(BIN)/python -m fuzz.api $(ARGS)

# The same code as among the tests, with larger numbers. ARGS='-k kill' makes a part of it.
soak: $(INSTALLED) judges-at-hand
	TXPACHUBE_SOAK=long $(BIN)/python -m pytest tests/soak tests/durability -s --durations=0 $(ARGS)

clean:
	rm -rf $(VENV) .venv-* docs/_build .mypy_cache .ruff_cache .hypothesis .coverage*
