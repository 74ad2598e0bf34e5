# Everything happens in .venv; nothing is installed elsewhere. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
DATA ?=
ORDERS ?= 500

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-drills test-browser lint format lock down clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/installed ## Create .venv and install the pinned dependencies

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "eventlib needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@echo "Installing the pinned dependencies into .venv, which takes a minute the first time."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## From nothing to the report of an order (DATA=DIR adds the Olist files in DIR)
	$(BIN)/eventlib demo --orders $(ORDERS) $(if $(DATA),--data "$(DATA)")

test: setup ## Run the tests in two processes, on servers that each of them starts itself
	$(BIN)/pytest -n 2 --dist worksteal

test-drills: setup ## Run what takes minutes: kills at every point, fifty in a row, a long outage; every command of the documentation
	$(BIN)/pytest -m drill

test-browser: setup ## Look at reports in a real browser; needs chromium on the PATH
	$(BIN)/pytest -m browser

lint: setup ## Style, types, notebook hygiene, import layering
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify notebooks/*.ipynb

format: setup ## Format code and notebooks
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/nbstripout notebooks/*.ipynb

lock: setup ## Pin the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --all-extras \
		--python-version 3.11 --output-file requirements.txt pyproject.toml
	$(BIN)/python tools/conda_environment.py > environment.yml

down: setup ## Stop the embedded servers; their data stays
	$(BIN)/eventlib down

clean: ## Remove .venv, caches and published reports
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache reports/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
