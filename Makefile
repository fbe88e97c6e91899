# Everything there is to do with a checkout. `make` lists it; each target sets up what it needs.

# The first of these that is Python 3.11 or newer; `make test PYTHON=/path/to/python` takes another.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
    $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)) python3)

# What builds the image: docker, podman or buildah (the latter two leave the health check out of their own format).
BUILDER ?= docker

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check format docs lock image dist audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## show the whole program against bundled stand-ins: no key, no network, nothing of yours is touched
	@$(BIN)/python -m kometa_ai --demo

test: check ## everything that CI checks
	$(BIN)/python -m pytest -n auto --cov --cov-report=term

check: $(VENV)/.installed-dev ## the fast part of it: format, lint, types, imports, dependencies
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/deptry .

format: $(VENV)/.installed-dev ## bring the code into form, and correct what can be corrected without thinking
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

docs: $(VENV)/.installed-dev ## write the parts of the documentation that are made from the code
	@$(BIN)/python -m tests.written_docs

site: docs ## build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

live: docs ## show the site at http://localhost:8000 while you write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

lock: $(VENV)/.installed-dev ## pin the dependencies of pyproject.toml anew (UPGRADE=1: to their newest versions)
	$(COMPILE) --output-file=requirements.txt pyproject.toml
	$(COMPILE) --extra=dev --constraint=requirements.txt --output-file=requirements-dev.txt pyproject.toml
	$(COMPILE) --build-deps-for=wheel --only-build-deps --constraint=requirements-dev.txt \
	    --output-file=requirements-build.txt pyproject.toml

COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe \
    --strip-extras --annotation-style=line --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    $(if $(UPGRADE),--upgrade)

image: ## build the container image (BUILDER=docker, podman or buildah)
	$(BUILDER) build $(if $(filter-out docker,$(BUILDER)),--format docker) \
	    --build-arg GIT_COMMIT="$$(git rev-parse HEAD)" --tag kometa-ai .

dist: $(VENV)/.installed-dev ## build the wheel and the source archive into dist/
	rm -rf dist
	git rev-parse HEAD > kometa_ai/COMMIT
	$(BIN)/python -m build --no-isolation; status=$$?; rm kometa_ai/COMMIT; exit $$status

audit: $(VENV)/.installed-dev ## known holes in what is shipped; advice on workflows and Dockerfiles (needs the network)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt
	$(BIN)/zizmor --persona=auditor .
	$(BIN)/hadolint Dockerfile Dockerfile.dev

clean: ## remove what all this has made
	rm -rf $(VENV) build dist site *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "Kometa-AI needs Python 3.11 or newer; \`$(PYTHON)\` is not. Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing what the program needs into $(VENV) (once) ..."
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what development needs into $(VENV) (once) ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.installed $@
