# Each target sets up what it needs, in .venv; the second time that takes no time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test lint check bare compat bench clean

help:
	@echo "make demo     show everything at once, with this machine's own sensors (SECONDS=10 ends it)"
	@echo "make test     lint, types, imports, tests, the bare client, every Python at hand"
	@echo "make check    the tests alone"
	@echo "make lint     ruff, mypy, the import rule"
	@echo "make bench    measure, as ratios"
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

test: lint check bare compat

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --config pyproject.toml

check: $(INSTALLED)
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(ARGS)

bare: $(INSTALLED)
	@PYTHON=$(BIN)/python sh tests/packaging/bare_client.sh

compat: $(INSTALLED)
	@sh tests/packaging/other_pythons.sh

bench: $(INSTALLED)
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .hypothesis .coverage*
