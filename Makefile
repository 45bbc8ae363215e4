# Everything a developer types. Each target first makes .venv what requirements.lock says; see .ci/bootstrap.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Tests start the program hundreds of times: its bytecode is kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help install demo test test-fast chaos check bench schemas format lock new-adapter

BIN := .venv/bin
ARGS ?=
# Processes that share the tests, each with engines of its own; 0: none but the first.
WORKERS ?= 2
# How long `make chaos` breaks things, and the seed that its faults are drawn from.
MINUTES ?= 10
SEED ?= 1
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
# What runs in the foreground ends with make, even when make is killed outright.
FOREGROUND := $(if $(shell command -v setpriv),exec setpriv --pdeathsig TERM --,exec)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

.venv/.installed: requirements.lock pyproject.toml .ci/bootstrap
	@.ci/bootstrap

install: .venv/.installed ## make .venv with the pinned packages and this tree

demo: install ## run the demo on embedded Kafka and PostgreSQL; ARGS="--once --json" ends by itself
	@$(FOREGROUND) $(BIN)/mallgate demo $(ARGS)

test: install ## run every test, on real Kafka and PostgreSQL
	@$(FOREGROUND) $(PYTEST) $(ARGS)

test-fast: install ## run the tests that need no engine, no killed process and no browser
	@$(FOREGROUND) $(PYTEST) -m "not engines and not crash and not browser" $(ARGS)

chaos: install ## break programs and engines under load and judge what is left; MINUTES=10 SEED=1
	@$(FOREGROUND) $(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED)

check: install ## lint, format, types, import contracts, dependencies, words, generated files
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry .
	@$(BIN)/python -m contrib.checks.words
	@$(BIN)/mallgate schemas check

bench: install ## run the benchmarks beside their peers
	@$(FOREGROUND) $(BIN)/python -m contrib.bench $(ARGS)

new-adapter: install ## begin an adapter from the template: make new-adapter NAME=acme
	@$(BIN)/mallgate adapters new $(or $(NAME),$(error Say its name: make new-adapter NAME=acme))

schemas: install ## regenerate the JSON Schemas and API documents from the models
	@$(BIN)/mallgate schemas write

format: install ## let ruff mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: install ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --group bench --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
