# Everything there is to do with a checkout. `make` lists it; each target sets up what it needs.

# The first of these that the locked packages are built for; `make test PYTHON=/path/to/python` takes another.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
    $(name) -c 'import sys; (3, 11) <= sys.version_info < (3, 15) and print("$(name)")' 2>/dev/null)) python3)

# What builds the image: docker, podman or buildah (the latter two leave the health check out of their own format).
BUILDER ?= docker

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The locks are complete, so nothing is resolved: what was released since they were made cannot change what is installed.
# Wheels only: to build one would take whatever build tools are the newest.
INSTALL_LOCK := --disable-pip-version-check --quiet install --no-deps --require-hashes --only-binary=:all:

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-page test check format docs site live lock assets try-locks image image-check dist audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## show the whole program against bundled stand-ins: no key, no network, nothing of yours is touched
	@$(BIN)/python -m kometa_ai --demo

demo-page: $(VENV)/.installed ## the same, and its page stays open at an address that is printed, until Ctrl-C
	@$(BIN)/python -m kometa_ai --demo --serve

# Compiled first, for tests start the program some hundred times; where PYTHONDONTWRITEBYTECODE is set, nothing else would.
# With worksteal a module's tests stay together, and so does what they share: a browser, a daemon, the demo.
test: check ## everything that CI checks
	@$(BIN)/python -m compileall -q kometa_ai
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

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
	@$(BIN)/python -m zensical build --strict --clean

live: docs ## show the site at http://localhost:8000 while you write
	@$(BIN)/python -m zensical serve

lock: $(VENV)/.installed-dev ## pin the dependencies of pyproject.toml anew (UPGRADE=1: to their newest versions)
	$(COMPILE) --output-file=requirements.txt pyproject.toml
	$(COMPILE) --extra=dev --constraint=requirements.txt --output-file=requirements-dev.txt pyproject.toml
	echo setuptools | $(COMPILE) --constraint=requirements-dev.txt --output-file=requirements-build.txt -

# One lock for every Python that is supported; extras stay, for pip refuses an extra whose package has no hash.
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version=3.11 \
    --generate-hashes --no-strip-extras --annotation-style=line $(if $(UPGRADE),--upgrade)

# renovate: datasource=npm depName=htmx.org
HTMX := 4.0.1

assets: ## take htmx, the one script that is not ours, from npm (needs npm; then record its hash in tests/web/pages)
	@set -e; folder=$$(mktemp -d); there=$(CURDIR)/kometa_ai/web/static; cd $$folder; \
	    npm pack --silent htmx.org@$(HTMX) >/dev/null; tar -xzf htmx.org-$(HTMX).tgz; \
	    cp package/dist/htmx.min.js $$there/htmx.min.js; cp package/LICENSE $$there/htmx.LICENSE; rm -rf $$folder; \
	    sha256sum $$there/htmx.min.js

try-locks: ## install the locks with the oldest and the newest pip, each into a folder of its own (needs the network)
	@set -e; for wanted in $(PIPS); do \
	    tool=$$(mktemp -d); $(PYTHON) -m venv $$tool; pip="$$tool/bin/python -m pip"; \
	    $$pip --disable-pip-version-check --quiet install --upgrade "$$wanted"; \
	    for lock in requirements.txt requirements-dev.txt; do \
	        echo "$$lock with $$($$pip --version | cut -d ' ' -f 1,2)"; \
	        folder=$$(mktemp -d); $(PYTHON) -m venv --without-pip $$folder; there="$$pip --python $$folder/bin/python"; \
	        $$there $(INSTALL_LOCK) --no-compile -r $$lock; $$there --quiet check; rm -rf $$folder; done; \
	    rm -rf $$tool; done

# Nothing is run from these folders, so nothing is compiled. The oldest pip is the one that came with 3.11.0, 3.12.0, ...
PIPS = pip==$(shell $(PYTHON) -c 'import sys; print(["22.3", "23.2.1", "24.2", "25.2"][sys.version_info.minor - 11])') pip

image: ## build the container image (BUILDER=docker, podman or buildah)
	$(BUILDER) build $(if $(filter-out docker,$(BUILDER)),--format docker) \
	    $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE="$(PYTHON_IMAGE)") \
	    --build-arg GIT_COMMIT="$$(git rev-parse HEAD)" --tag kometa-ai .

# Not a part of `make test`: it takes minutes, most of them for packages to arrive, and root.
image-check: ## build it from a clean clone on a base made of Debian's packages, and use it (root; no registry of images)
	@python3 -u -m tests.shipping.image_check

dist: $(VENV)/.installed-dev ## build the wheel and the source archive into dist/
	rm -rf dist
	git rev-parse HEAD > kometa_ai/COMMIT
	$(BIN)/python -m build --no-isolation; status=$$?; rm kometa_ai/COMMIT; exit $$status

audit: $(VENV)/.installed-dev ## known holes in what is shipped; advice on workflows and Dockerfiles (needs the network)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt
	$(BIN)/zizmor --persona=auditor .
	$(BIN)/hadolint Dockerfile Dockerfile.dev

clean: ## remove what all this has made
	rm -rf $(VENV) .cache build dist site *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || \
	    { echo "Kometa-AI's locked packages are for Python 3.11 to 3.14; \`$(PYTHON)\` is none of these." \
	        "Try: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing what the program needs into $(VENV) (once) ..."
	@$(BIN)/python -m pip $(INSTALL_LOCK) -r requirements.txt
	@$(PIP) check
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what development needs into $(VENV) (once) ..."
	@$(BIN)/python -m pip $(INSTALL_LOCK) -r requirements-dev.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $(VENV)/.installed $@
