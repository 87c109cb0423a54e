# `make` lists the targets. Every one sets up .venv by itself, once; all it needs is Python.

VENV  := .venv
BIN   := $(VENV)/bin
RUN   := $(VENV)/.run# there is what the service needs
READY := $(VENV)/.ready# and what working on it needs
IMAGE := protos/contract.binpb
AUDIT := $(VENV)/.audit# tools that look at the lock, in an environment of their own
AUDIT_BIN := $(AUDIT)/bin
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

run: $(RUN) ## start the service (ARGS="--help" for its options)
	@exec $(BIN)/python server.py $(ARGS)

demo: $(READY) ## a minute of two shops, suppliers, a tracking service and mails around the service, to look at (ARGS=SEED)
	@exec $(BIN)/python -m examples.demo $(ARGS)

test: $(READY) ## run the tests, several files at a time (ARGS="-k parcel" for some of them, ARGS=-n0 for one at a time)
	@$(BIN)/pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

unit: $(READY) ## run the tests that need no database, within a minute
	@$(BIN)/pytest -q --numprocesses auto --dist loadfile tests/unit $(ARGS)

check: $(READY) ## all that must hold before the tests, several checks at a time
	@$(MAKE) --no-print-directory --jobs=3 check-format check-lint check-protos check-generated check-docs check-types check-imports
	@echo "All checks hold."

format: $(READY) ## format the code and fix what can be fixed
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

proto: $(READY) ## generate Python from protos/
	@find protos -name '*_pb2*.py*' -delete
	@$(call generate,protos)

docs: $(READY) ## generate the pages of docs/ that are generated
	@$(BIN)/python -m docs.generate

browser: $(READY) ## look at the tracking page and the pages of reports in Chromium, which has to be there (PICTURES=FOLDER keeps what was seen)
	@$(BIN)/python -m pip install -qq "pip>=25.1"
	@$(BIN)/python -m pip install -qq --group browser
	@TRACKING_PAGE_PICTURES="$(PICTURES)" REPORT_PAGE_PICTURES="$(PICTURES)" $(BIN)/pytest -q \
	  tests/service/test_tracking_page_browser.py tests/service/test_report_pages_browser.py

bench: $(READY) ## measure throughput and latency
	@$(BIN)/python -m benchmarks $(ARGS)

wheel: $(READY) ## build the service, and the contract with its client, into dist/
	@rm -rf build protos/build dist
	@$(BIN)/python -m pip wheel -qq --no-deps --no-build-isolation --wheel-dir dist ./protos .
	@rm -rf build protos/build # the copies of the protos there are no part of the contract

contract: $(READY) ## hold clients to the contract as it is now; on purpose only, as with a release
	@$(BIN)/buf build protos --exclude-source-info --output $(IMAGE)

lock: $(BIN)/python ## choose the newest versions that pyproject.toml allows
	@$(BIN)/python -m pip install -qq uv
	@$(call compile,--all-extras --group dev,requirements-dev.lock)
	@$(call compile,--extra embedded --group build --constraint requirements-dev.lock,requirements.lock)
	@echo "requirements.lock and requirements-dev.lock are up to date."

sbom: $(AUDIT) ## write the bill of materials (CycloneDX) of what the service is built from into dist/
	@mkdir -p dist
	@PYTHONWARNINGS=ignore $(AUDIT_BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file dist/sbom.cdx.json
	@$(BIN)/python -m docs.sbom dist/sbom.cdx.json

audit: $(AUDIT) ## ask for known weaknesses of what is installed; needs an index that serves advisories
	@$(AUDIT_BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock || \
	  { echo "Either a weakness is known, or the index has no advisories: see above." >&2; exit 1; }

clean: ## remove .venv and caches; data/ stays
	@rm -rf $(VENV) build protos/build dist *.egg-info protos/*.egg-info .hypothesis .*_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the checks, each alone ---------------------------------------------------------------------

check-format: $(READY)
	@$(BIN)/ruff format --check --quiet --diff || { echo "Not formatted: run make format."; exit 1; }

check-lint: $(READY)
	@$(BIN)/ruff check --quiet

check-protos: $(READY)
	@$(BIN)/buf lint protos
	@$(BIN)/buf breaking protos --against $(IMAGE)

check-generated: $(READY)
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call generate,$$fresh) && \
	  diff -rq "$$fresh/fulfilment/v1" protos/fulfilment/v1 -x '*.proto' -x __pycache__ || \
	  { echo "Generated code is stale: run make proto."; exit 1; }

check-docs: $(READY)
	@$(BIN)/python -m docs.generate --check

check-types: $(READY)
	@$(BIN)/mypy --no-error-summary --num-workers=2

check-imports: $(READY)
	@out=$$($(BIN)/lint-imports --no-cache --no-logo) || { echo "$$out"; exit 1; }

protos   = $(shell find protos -name '*.proto' | sort)
services = $(shell grep -l '^service ' $(protos))
protoc   = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos
generate = $(protoc) --python_out=$(1) --mypy_out=quiet:$(1) $(protos) && \
  $(protoc) --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1) $(services)

# --- the environment ----------------------------------------------------------------------------

$(RUN): requirements.lock pyproject.toml protos/pyproject.toml | $(BIN)/python
	@$(call install,requirements.lock)
	@touch $@

$(READY): requirements-dev.lock pyproject.toml protos/pyproject.toml | $(BIN)/python
	@$(call install,requirements-dev.lock)
	@touch $(RUN) $@

$(AUDIT): pyproject.toml | $(READY)
	@rm -rf $@ && $(BIN)/python -m venv $@
	@$(AUDIT_BIN)/python -m pip install -qq "pip>=25.1"
	@$(AUDIT_BIN)/python -m pip install -qq --group audit

install = echo "Installing what $(1) names into $(VENV); the first time takes a minute or two ..." && \
  $(BIN)/python -m pip install -qq --require-hashes --requirement $(1) && \
  $(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable protos && \
  $(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
compile = $(BIN)/uv pip compile pyproject.toml $(1) --universal --python-version 3.11 --upgrade --generate-hashes \
  --no-emit-package fulfilment --custom-compile-command "make lock" --quiet --output-file $(2)

$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && \
	  exec $$python -m venv $(VENV); \
	done; \
	echo "Install Python 3.11 to 3.14 with its venv module (on Debian: apt install python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

.PHONY: run demo test unit check format proto docs bench wheel contract lock sbom audit clean help
.PHONY: check-format check-lint check-types check-imports check-protos check-generated check-docs
