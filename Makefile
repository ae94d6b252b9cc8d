# Every target sets up what it needs. `make` alone lists the targets.
# Variables: PYTHON (interpreter for the environments), ARGS (passed to the command), PEERS (which oracles to install),
# CHROMIUM (the browser of tests/browser).

PYTHON ?= python3
ARGS ?=
CHROMIUM ?= /usr/bin/chromium
PEERS ?= nautilus freqtrade eventsourcing beancount fastapi

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/stamp
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input --root-user-action=ignore
COMPILE := .venvs/pins/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11 --upgrade
SOURCES := src tests $(wildcard bench) hatch_build.py
PAGE := src/onebook/http/page/index.html
PAGE_SOURCES := $(wildcard web/index.html web/package.json web/package-lock.json web/vite.config.ts) \
	$(shell find web/src web/public -type f 2>/dev/null)
HAS_NODE := command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' 2>/dev/null
# Debian's own Chromium, where this may install it.
GET_CHROMIUM := { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && grep -qi debian /etc/os-release && \
	echo "make: installing chromium" && \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo web web-check check test chromium bench compare torture explore fmt clean pins peers setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- what a person runs ----

demo: $(STAMP)-base $(if $(filter --once --json --no-serve,$(ARGS)),,$(PAGE)) ## the main job on the bundled real data, with its dashboard: make demo ARGS="--once"
	@$(BIN)/onebook demo $(ARGS)

# The page, when something that it is made from is newer; whatever keeps it from being built is said, and is no error.
$(PAGE): $(PAGE_SOURCES)
	@if $(HAS_NODE); then $(MAKE) --no-print-directory web || echo "make: the dashboard's page is not built" >&2; \
		else echo "make: Node 20 or newer is not here: the dashboard's page is not built" >&2; fi

web: web/node_modules/.package-lock.json ## build the dashboard into the package; needs Node 20 or newer
	@cd web && npm run --silent build

check: $(STAMP)-dev ## format, lint, types, import contract, tidy test; the dashboard's types and tests where Node is
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/tidy
	@if $(HAS_NODE); then $(MAKE) --no-print-directory web-check; \
		else echo "make: NODE 20 OR NEWER IS NOT HERE: THE DASHBOARD IN web/ WAS NOT CHECKED" >&2; fi

web-check: web/node_modules/.package-lock.json
	cd web && npm run --silent check && npm run --silent test

test: $(STAMP)-dev .venvs/nautilus/stamp .venvs/beancount/stamp $(PAGE) chromium ## the tests, in two processes: make test ARGS="-k lots"
	CHROMIUM=$(CHROMIUM) $(BIN)/python -m pytest -n 2 -m "not compare and not torture" $(ARGS)

# The browser of tests/browser, which look at the built page; without either they say so and are left out.
chromium:
	@command -v $(CHROMIUM) >/dev/null || $(GET_CHROMIUM) || \
		echo "make: $(CHROMIUM) IS NOT HERE: NO PAGE IS LOOKED AT IN A BROWSER; on Debian: apt-get install chromium" >&2

bench: $(STAMP)-dev ## the performance figures, beside peers, into bench/results/
	$(BIN)/python -m bench $(ARGS)

compare: $(STAMP)-dev peers ## our figures against other programs' figures
	$(BIN)/python -m pytest -m compare $(ARGS)

torture: $(STAMP)-dev ## half an hour of crashes, full disks and many processes, in two processes
	$(BIN)/python -m pytest -n 2 -m torture $(ARGS)

explore: $(STAMP)-dev ## the properties with new examples each time: make explore ARGS="-k limits"
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-new} $(BIN)/python -m pytest -n 2 -m "hypothesis and not compare and not torture" $(ARGS)

fmt: $(STAMP)-dev ## format the code and mend what the linter can mend
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

setup: $(STAMP)-dev ## only create .venv with everything for development

peers: $(PEERS:%=.venvs/%/stamp) ## install the other programs, each in .venvs/<name>

clean: ## remove environments, caches and build results
	rm -rf $(VENV) .venvs build dist web/node_modules src/onebook/http/page .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

pins: .venvs/pins/stamp ## compile requirements/*.txt again, to the newest that fit
	$(COMPILE) --universal --extra analytics --extra notify --extra alpaca --extra calendars --extra ccxt --extra connect \
		--extra indicators --extra serve --extra tracing pyproject.toml requirements/base.in requirements/dev.in \
		-o requirements/dev.txt
	$(COMPILE) --universal --extra analytics --extra serve pyproject.toml requirements/base.in \
		-c requirements/dev.txt -o requirements/base.txt
	$(COMPILE) --universal requirements/pins.in -o requirements/pins.txt
	for peer in nautilus freqtrade eventsourcing beancount fastapi; do \
		$(COMPILE) requirements/peer-$$peer.in -o requirements/peer-$$peer.txt || exit 1; done

# ---- environments ----

web/node_modules/.package-lock.json: web/package-lock.json
	@$(HAS_NODE) || { echo "make: Node 20 or newer not found; on Debian: apt-get install nodejs npm" >&2; exit 1; }
	@echo "make: installing web/package-lock.json into web/node_modules"
	@cd web && npm ci --silent
	@touch $@

# $(call venv,FOLDER): an environment there, made anew when its interpreter is gone, or one sentence on what is missing.
define venv
@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: onebook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Run make PYTHON=/path/to/python3.11" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: this Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { echo "make: creating $(1)"; $(PYTHON) -m venv --clear $(1); }
endef

$(STAMP)-dev: requirements/dev.txt pyproject.toml
	$(call venv,$(VENV))
	@echo "make: installing requirements/dev.txt into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $(STAMP)-base $@

# dev.txt holds everything base.txt holds at the same versions, so an environment that has dev also serves here.
$(STAMP)-base: requirements/base.txt pyproject.toml
	$(call venv,$(VENV))
	@echo "make: installing requirements/base.txt into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/base.txt
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venvs/%/stamp: requirements/peer-%.txt
	$(call venv,.venvs/$*)
	@echo "make: installing requirements/peer-$*.txt into .venvs/$*"
	@.venvs/$*/bin/python $(PIP_INSTALL) --require-hashes -r requirements/peer-$*.txt
	@touch $@

.venvs/pins/stamp: requirements/pins.txt
	$(call venv,.venvs/pins)
	@.venvs/pins/bin/python $(PIP_INSTALL) --require-hashes -r requirements/pins.txt
	@touch $@
