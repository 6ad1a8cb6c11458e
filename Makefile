# The only door to CityTwin: `make help` lists what can be done.
#
# Everything made here is kept with a stamp, so a step runs again only when what it stands on has
# changed: the environment when a lock or a pyproject.toml did, the page when its sources did.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
WEB := hub/citytwin_hub/web
DISTRIBUTIONS := common protos edge hub
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
WITH_NODE := deploy/with-node.sh $(VENV)

# An environment knows the folder it was made in. After a move, or when its Python is gone, it is
# made anew.
ifneq ($(shell [ -x $(BIN)/python ] && cat $(VENV)/.home 2>/dev/null),$(CURDIR))
FORGET := $(shell rm -f $(VENV)/.home $(VENV)/.demo $(VENV)/.dev)
endif

# What the page is made from; its own tools and its result are not part of that.
WEB_SOURCES := $(shell find $(WEB) \( -name node_modules -o -name dist \) -prune \
	-o -type f -print 2>/dev/null)

.PHONY: help
help: ## list what can be done
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.demo $(WEB)/dist/index.html ## start the demo city and its page (FAULT=burst|silent-device|broker-down|hub-down)
	@PYTHONPATH=deploy exec $(BIN)/python -m democity $(if $(FAULT),--fault $(FAULT)) $(ARGS)

.PHONY: test
test: $(VENV)/.dev $(WEB)/dist/index.html tests/tidy/node_modules/.installed ## run the tests (ARGS='tests/edge -k outbox' for some of them)
	@deploy/debian-packages.sh test
	@$(if $(ARGS),,$(WITH_NODE) npm test --prefix $(WEB) --silent)
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: check
check: $(VENV)/.dev tests/tidy/node_modules/.installed ## check format, lint, types, imports and style
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --config pyproject.toml --no-logo
	$(BIN)/mypy
	$(WITH_NODE) node tests/tidy/node_modules/pyright/index.js
	$(BIN)/python -m pytest -q tests/tidy

.PHONY: bench
bench: $(VENV)/.dev ## measure, and print beside the figures of the peer
	@PYTHONPATH=.:deploy exec $(BIN)/python -m tests.bench.run $(ARGS)

.PHONY: conformance
conformance: $(VENV)/.dev .venv-conformance/.installed ## run ETSI's NGSI-LD suite (SUITE=its checkout, ARGS="--failing jsonldContext")
	@deploy/debian-packages.sh test
	@$(if $(SUITE),,echo "make conformance needs SUITE=path of the suite's checkout" >&2; exit 2)
	@PYTHONPATH=.:deploy $(BIN)/python -m tests.conformance.ngsild --robot .venv-conformance/bin/python $(SUITE) $(ARGS)

.PHONY: docs
docs: $(VENV)/.dev $(WEB)/dist/index.html ## make what the documents show, and check what they say
	@deploy/debian-packages.sh test
	@PYTHONPATH=.:deploy $(BIN)/python docs/make_docs.py $(ARGS)

.PHONY: proto
proto: $(VENV)/.dev ## generate the *_pb2* files of protos/ and edge/ from their .proto files
	@$(BIN)/python protos/generate.py

.PHONY: lock
lock: $(VENV)/.dev ## pin deploy/requirements/*.in with hashes (UPGRADE=1 for the newest versions)
	@deploy/requirements/lock.sh $(CURDIR)/$(BIN)/uv $(if $(UPGRADE),--upgrade)

.PHONY: web
web: $(WEB)/dist/index.html ## build the page

.PHONY: bundle
bundle: $(VENV)/.dev $(WEB)/dist/index.html ## put what a gateway and a hub install into dist/, for machines without internet (ARGS='--for arm64' for some gateways)
	@deploy/bundle.sh $(VENV) edge dist/citytwin-edge $(ARGS)
	@deploy/bundle.sh $(VENV) hub dist/citytwin-hub --for here

.PHONY: clean
clean: ## remove everything that was made here, the history of the demo city too
	rm -rf $(VENV) .venv-conformance .demo .bench dist $(WEB)/dist $(WEB)/node_modules tests/tidy/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find common protos edge hub deploy docs tests -name __pycache__ -prune -exec rm -rf {} +

# ---------------------------------------------------------------- environment

$(VENV)/.home:
	@deploy/make-venv.sh $(VENV)
	@echo "$(CURDIR)" > $@

# The four distributions are installed as links to their folders, with the pinned libraries.
$(VENV)/.demo: deploy/requirements/demo.txt $(DISTRIBUTIONS:%=%/pyproject.toml) | $(VENV)/.home
	@echo "Installing what the demo needs (deploy/requirements/demo.txt)"
	@$(PIP) --require-hashes -r deploy/requirements/demo.txt
	@$(PIP) --no-deps --no-build-isolation --no-index $(DISTRIBUTIONS:%=-e %)
	@touch $@

$(VENV)/.dev: deploy/requirements/dev.txt $(VENV)/.demo
	@echo "Installing what tests and checks need (deploy/requirements/dev.txt)"
	@$(PIP) --require-hashes -r deploy/requirements/dev.txt
	@touch $@

# ETSI's suite wants other versions of libraries than the project has, so it has a place of its own.
.venv-conformance/.installed: deploy/requirements/conformance.txt
	@deploy/make-venv.sh .venv-conformance
	@.venv-conformance/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes -r deploy/requirements/conformance.txt
	@touch $@

# ---------------------------------------------------------------- page and its tools

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json | $(VENV)/.demo
	@echo "Installing what the page is built with ($(WEB)/package-lock.json)"
	@$(WITH_NODE) npm ci --prefix $(WEB) --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.installed $(WEB_SOURCES)
	@echo "Building the page"
	@$(WITH_NODE) npm run build --prefix $(WEB) --silent
	@touch $@

tests/tidy/node_modules/.installed: tests/tidy/package-lock.json | $(VENV)/.dev
	@echo "Installing the type checker and the schemas (tests/tidy/package-lock.json)"
	@$(WITH_NODE) npm ci --prefix tests/tidy --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
