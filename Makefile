# The one list of commands. It needs make, Python 3.11 or later, and Debian's python3-venv.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

# A change of what is installed changes the name of the stamp, so an old environment is brought up to date by itself.
digest = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-12)
RUNTIME := .venv/stamps/runtime-$(call digest,requirements/runtime.txt requirements/node.txt pyproject.toml package-lock.json build_hook.py)
FLOWER := .venv-flower/stamps/flower-$(call digest,requirements/flower.txt)
DEV := .venv/stamps/dev-$(call digest,requirements/dev.txt $(notdir $(RUNTIME)))

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

.DEFAULT_GOAL := help
.PHONY: help demo install test check format docs reference bench lock build clean
.DELETE_ON_ERROR:

help: ## Print this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(RUNTIME) ## Run the demonstration; `make demo ARGS=--check` proves it and ends
	@$(BIN)/python scripts/redis-advice
	@$(BIN)/celeriac demo $(ARGS)

install: $(DEV) ## Make .venv with everything that development needs

test: $(DEV) ## Run every test; installs redis-server and chromium when root
	@CI='$(CI)' scripts/system-packages
	@CI='$(CI)' scripts/test $(ARGS)

check: $(DEV) ## Format, lint, types, import contracts, locks and documentation
	@scripts/check

format: $(DEV) ## Format the code, and mend what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: $(DEV) ## Build the documentation into site/
	@scripts/docs

reference: $(DEV) ## Write the generated pages of docs/reference/ anew
	@$(BIN)/python scripts/reference

bench: $(DEV) $(if $(filter --short --no-flower,$(ARGS)),,$(FLOWER)) ## Measure, in turn with Flower (35 minutes); ARGS=--short asserts only
	@$(BIN)/python -m benchmarks $(ARGS)

build: $(DEV) ## Build the wheel into dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist . && ls dist/*.whl

lock: $(DEV) ## Compile the locks anew; `make lock ARGS=--upgrade` takes newer versions
	@scripts/lock $(ARGS)

clean: ## Remove .venv and everything built
	@rm -rf .venv .venv-flower build dist site node_modules src/celeriac/web/static/vendor
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	@PYTHON='$(PYTHON)' scripts/make-venv

$(RUNTIME): | $(BIN)/pip
	@echo 'Installing Celeriac and its libraries into .venv (a minute or two, once) ...'
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@command -v npm >/dev/null || $(PIP) install --require-hashes -r requirements/node.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D) && rm -f $(@D)/* && touch $@

$(DEV): $(RUNTIME)
	@echo 'Installing the tools of development into .venv (a minute or two, once) ...'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@rm -f $(@D)/dev-* && touch $@

$(FLOWER): $(RUNTIME)
	@echo 'Installing Flower into .venv-flower, to compare with (once) ...'
	@$(BIN)/python -m venv --clear .venv-flower
	@.venv-flower/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/flower.txt
	@mkdir -p $(@D) && touch $@
