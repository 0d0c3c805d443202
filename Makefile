# Two commands are enough: `make run` and `make test`. Each makes what it needs in .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV_VERSION := 0.13.9
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header

.PHONY: help
help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' Makefile | while IFS=: read -r name what; do \
		printf 'make %-10s%s\n' "$$name" "$$what"; done

.PHONY: run
run: .venv/.run  ## start a demonstration: a bot, sample contacts, a simulated WhatsApp
	@exec $(BIN)/optin demo

.PHONY: test
test: .venv/.dev  ## all tests but the full campaigns
	$(BIN)/pytest -m "not long" --numprocesses 2 --dist loadgroup --no-loadscope-reorder \
		-o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true  # one that hangs fails alone

.PHONY: test-long
test-long: .venv/.dev  ## all tests, full campaigns too
	$(BIN)/pytest

.PHONY: lint
lint: .venv/.dev  ## style, types, floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: check
check: lint test  ## lint and test: what the CI runs

.PHONY: bench
bench: .venv/.dev  ## opt-ins a second beside an app that only parses (needs wrk)
	@$(BIN)/python -m bench.optins

.PHONY: lock
lock:  ## renew requirements/ from pyproject.toml (UPGRADE=1: take newer versions)
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	python=$$($(find-python)); "$$python" -m venv "$$tools"; \
	"$$tools/bin/pip" install --disable-pip-version-check --quiet uv==$(UV_VERSION); \
	lock() { "$$tools/bin/uv" $(LOCK) $(if $(UPGRADE),--upgrade) "$$@"; }; \
	lock -o requirements/run.txt pyproject.toml; \
	lock --extra dev -c requirements/run.txt -o requirements/dev.txt pyproject.toml; \
	{ sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml; echo editables; } | \
		lock -c requirements/dev.txt -o requirements/build.txt -

.PHONY: clean
clean:  ## remove everything that was made here
	rm -rf .venv .clients .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment: made once, renewed when a lock or pyproject.toml changes ---

# Prints the first Python that is new enough and can make a virtual environment.
define find-python
for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1; then command -v "$$name"; exit 0; fi; done; \
echo 'optin needs Python 3.11 or newer with its venv module' \
	'(on Debian and Ubuntu: apt install python3 python3-venv).' >&2; exit 1
endef

# A .venv that is there already and works is used as it is.
.venv/.python:
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$($(find-python)); echo "Making .venv with $$python"; \
		"$$python" -m venv --clear .venv; fi
	@touch $@

.venv/.run: .venv/.python requirements/run.txt requirements/build.txt pyproject.toml
	@echo 'Installing what optin runs on into .venv'
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@echo 'Installing what the tests need into .venv'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
