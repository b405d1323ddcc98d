# Annals: everything a person or CI runs. Needs make and Python 3.11 or newer, nothing else.

VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
LOCK    := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
             --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
PYTHON  ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
             "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

TESTERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install run test check lint unit bench chaos proto docs lock clean

help:            ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

install: $(STAMP)  ## make the virtual environment from the lock file, hashes checked

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Annals needs Python 3.11 or newer and found none; install one or say make PYTHON=/path/to/python." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.version_info >= (3, 11) or sys.exit("Annals needs Python 3.11 or newer; $(PYTHON) is " + v + ". Say make PYTHON=/path/to/python.")'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "installing into $(VENV) (once; again only when requirements.lock changes)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install     ## play in the demonstration company and serve page and API
	@$(BIN)/annals demo

test: install    ## every test that this machine can run, three files at a time
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

check: lint unit ## lint, types, import contracts and unit tests, in under a minute

lint: install    ## ruff, mypy and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: install
	@$(BIN)/python -m pytest -q -m "not slow and not servers" --hypothesis-profile=quick

bench: install   ## measure this machine; writes benchmarks/out/latest.json
	@$(BIN)/python -m benchmarks

chaos: install   ## faults at random under load, and proof that nothing was lost; SHORT=1 for each kind once
	@$(BIN)/python -m tests.chaos $(if $(SHORT),--short)

proto: install   ## write proto/, its stubs and the API descriptions from the commands
	@$(BIN)/python -m shared.chassis.api.protogen

docs: install    ## write the catalogue, the references, the context map and the list of capabilities
	@$(BIN)/python -m shared.chassis.catalogue
	@$(BIN)/python -m annals.reference
	@$(BIN)/python -m tests.docs.capabilities

lock: install    ## resolve requirements.lock anew from pyproject.toml, and from it what images hold
	@$(LOCK) --extra dev --output-file requirements.lock pyproject.toml
	@$(LOCK) --constraint requirements.lock --output-file deploy/docker/requirements.lock pyproject.toml

clean:           ## remove everything that was built; the data folder .annals stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
