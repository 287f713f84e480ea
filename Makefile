# The two promised commands are `make run` and `make test`; each prepares .venv first, once.

PORT ?= 3000
MLFLOW_PORT ?= 5000
DAGSTER_PORT ?= 3070
# The first of these that is 3.11 or newer; `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(or $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done),python3)
BIN := .venv/bin

.PHONY: help run schedule install test lint format clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

run:  ## train on the bundled sample if there is no champion, then serve it (PORT=3000 MLFLOW_PORT=5000 RETRAIN=1)
	@exec $(PYTHON) run.py demo --port $(PORT) --mlflow-port $(MLFLOW_PORT) $(if $(RETRAIN),--retrain)

schedule:  ## Dagster, in an environment of its own, with the jobs of pipelines/sample/jobs (DAGSTER_PORT=3070)
	@exec $(PYTHON) run.py schedule up pipelines/sample/jobs --port $(DAGSTER_PORT)

install:  ## prepare .venv
	@$(PYTHON) run.py install

test: install  ## run the tests (ARGS="-k law" and the like go to pytest)
	PATH="$(CURDIR)/$(BIN):$$PATH" pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: install  ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: install  ## mend style and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove .venv and caches; the models in mlruns/ stay
	rm -rf .venv .venv-dagster build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
