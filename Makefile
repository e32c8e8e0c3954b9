# One-line targets; what they do in full stands in scripts/. Only Python 3.11+ (pip and venv), git and make are needed.
PYTHON ?= $(shell ./scripts/find-python)
VENV   ?= .venv
BIN    := $(VENV)/bin
GROUPS ?= --group target --group test
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test check selftest test-pythons bench mutants artillery schema clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

setup:           ## everything a fresh machine needs, into .venv and the user's cache
	@./scripts/setup "$(PYTHON)" "$(VENV)" $(GROUPS)

demo: setup      ## the main job: real load, a real Redis failing, a verdict
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/chaos --no-version-check run experiments/redis-failure.yaml

test: setup      ## the whole default test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: GROUPS += --group check
check: setup     ## lint, types, architecture, lock file, schema
	@./scripts/check "$(BIN)"

selftest: setup  ## planted bugs must be told, the healthy target must pass, defects of the tool must not (ARGS=--list)
	@$(BIN)/resilience selftest $(ARGS)

bench: setup     ## every benchmark, as a table and as JSON
	@missed=; for name in $$($(BIN)/python -m benchmarks --list | cut -d' ' -f1); do echo "== $$name"; $(BIN)/python -m benchmarks $$name --json || missed="$$missed $$name"; done; \
	  if [ -n "$$missed" ]; then echo "not met:$$missed"; exit 1; fi

test-pythons:    ## the test suite on every Python 3.11+ that this machine has
	@./scripts/test-pythons $(ARGS)

mutants: setup    ## small mistakes made in the judge and the ledger, one at a time: the tests must notice each (hours)
	@$(BIN)/python scripts/mutants.py --jobs $(WORKERS) $(ARGS)

artillery: setup ## Artillery, for the tests that need it (half a gigabyte, a minute; Node.js and npm)
	@./scripts/get-artillery $(VENV)/artillery

schema:          ## write the JSON Schema again after a change to the declaration
	@$(BIN)/python -m resilience.spec.schema > src/resilience/spec/experiment.schema.json

clean:           ## remove what setup and runs made in this folder
	@rm -rf .venv .venv-* .cache .state .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
