# Every target works on a fresh Debian 12 with Python 3.11, git and make. VENV can point elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help venv check format docs unit test drivers driver-packages own-writes soak fuzz simulate faultlab demo bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

venv: $(BIN)/rwrouter  ## make the virtual environment with the locked versions

$(BIN)/rwrouter: pyproject.toml constraints.txt
	PYTHON=$(PYTHON) tools/install-packages venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,check]'

# An environment given by VENV is taken as it is.
ifneq ($(VENV),.venv)
ENV :=
else
ENV := venv
endif

check: $(ENV)  ## lint, types, import contract, twin files, unit tests: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/python tests/twins.py
	$(BIN)/python -m pytest tests/unit tests/test_docs*.py

format: $(ENV)  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(ENV)  ## write the pages that are made from settings, commands and tests
	$(BIN)/python -m rwrouter.config.reference >docs/configuration.md
	$(BIN)/python -m rwrouter.cli.reference >docs/cli.md
	PYTHONPATH=. $(BIN)/python -m tests.fidelity >docs/fidelity.md

unit: $(ENV)  ## unit tests alone: seconds
	$(BIN)/python -m pytest tests/unit tests/test_docs*.py

# Real servers (MariaDB of the distribution, MySQL from a root file system of Debian's sid suite) and containers
# (a daemon of our own where none answers). PYTEST takes further arguments: make test PYTEST='-k mariadb -x'
test: $(ENV) driver-packages  ## everything, with real servers and containers; installs what is missing (root)
	tools/install-packages test
	docker/make-rootfs >/dev/null
	$(MAKE) check VENV=$(VENV)
	RWROUTER_TEST_ALL=1 docker/with-daemon tools/run-tests $(BIN)/python tests --ignore=tests/unit \
		--timeout 600 --durations 15 $(PYTEST)

# One driver alone: make drivers PYTEST='-k ruby'. DOCS=1 writes what was seen into docs/drivers.md.
drivers: $(ENV) driver-packages  ## every client library on the primary and through the router: two minutes
	tools/install-packages test
	docker/make-rootfs >/dev/null
	RWROUTER_TEST_ALL=1 RWROUTER_WRITE_DOCS=$(DOCS) $(BIN)/python -m pytest tests/integration/test_drivers.py $(PYTEST)

driver-packages: $(ENV)
	tools/install-packages drivers
ifneq ($(ENV),)
	$(BIN)/python -c "import aiomysql, asyncmy, django, greenlet, mariadb, MySQLdb" 2>/dev/null || \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[drivers]'
endif

# SEED is the first seed; each decides one program. MINUTES=0 runs that one alone. SOAK takes further options.
soak: $(ENV)  ## the same random programs on the primary and through the router: make soak MINUTES=60 SEED=0
	tools/install-packages test
	docker/make-rootfs >/dev/null
	PYTHONPATH=. $(BIN)/python -m tests.differential.soak --minutes $(or $(MINUTES),60) --seed $(or $(SEED),0) $(SOAK)

fuzz: $(ENV)  ## any bytes into framing, handshakes, replies, digest: make fuzz MINUTES=10; options in FUZZ
	$(BIN)/python -c "import atheris" 2>/dev/null || \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	PYTHONPATH=. $(BIN)/python -m tests.fuzz.run --minutes $(or $(MINUTES),10) $(FUZZ)

simulate: $(ENV)  ## histories from seeds, checked for the promises: make simulate SEEDS=1000 START=0 JOBS=1
	PYTHONPATH=. $(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),1000) --start $(or $(START),0) \
		--jobs $(or $(JOBS),1)

faultlab: $(ENV)  ## every fault on real servers, for rwrouter and MySQL Router; writes docs/faults.md (root, half an hour)
	tools/install-packages test
	docker/make-rootfs >/dev/null
	PYTHONPATH=. $(BIN)/python -m tests.faults.run $(FAULTS)

own-writes: $(ENV)  ## pairs of a write and a read while a replica is delayed; PAIRS=100000, others in OWN_WRITES
	tools/install-packages test
	docker/make-rootfs >/dev/null
	PYTHONPATH=. $(BIN)/python benchmarks/own_writes.py --pairs $(or $(PAIRS),100000) $(OWN_WRITES)

demo: $(ENV)  ## real servers, the router, a tour through it; until Ctrl-C, or DEMO_EXIT=1 ends it after the tour
	tools/install-packages demo
	@PYTHONPATH=. $(BIN)/python -m rwrouter.cli.main demo $(if $(filter-out 0,$(DEMO_EXIT)),--exit) $(DEMO)

bench: $(ENV)  ## compare with other proxies: benchmarks/results; options in BENCH
	tools/install-packages bench
	[ "$$(id -u)" -ne 0 ] || docker/make-rootfs >/dev/null
	$(BIN)/python -c "import matplotlib" 2>/dev/null || \
		$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	PYTHONPATH=. $(BIN)/python benchmarks/run.py $(BENCH)

clean:  ## remove what the targets made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
