# What every user of a checkout runs; each target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test lint test-python redis-server fuzz clean

help:
	@echo 'make demo   two embedded clouds, the proxy, and the real openstack client: the whole idea in two minutes'
	@echo 'make test   style, types, imports and tests'
	@echo 'make lint   style, types and imports alone'
	@echo 'make fuzz   the property tests with new examples, ten times (ROUNDS=10)'
	@echo 'make lab-up real OpenStack clouds on this machine (N=2; GATEWAY=1 for some that know of no proxy; also'
	@echo '            lab-status, lab-down, lab-clean)'
	@echo 'make lab-test  the tests that need them, in a lab of their own; leaves nothing running'
	@echo 'make bench  oidproxy beside HAProxy and nginx: CPU, latency, memory (Debian, as root; some 15 minutes)'
	@echo 'make study  where should images live? docs/study.md and its figures, made again in virtual time'
	@echo 'make clean  remove the environment, builds and caches (lab-clean is for clouds)'

demo: $(READY)
	$(BIN)/oidproxy demo

test: lint test-python

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-python: $(READY) redis-server
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# Properties with examples that nobody has seen yet, ROUNDS times. What fails becomes an `@example`.
ROUNDS ?= 10
fuzz: $(READY)
	@for round in $$(seq $(ROUNDS)); do \
		$(BIN)/pytest -n 2 -q -m hypothesis --hypothesis-profile=fuzz || exit 1; \
	done

# The tests start servers of their own; what is missing is installed (Debian, as root), and no service is started.
redis-server: $(READY)
	@$(BIN)/python -m tests.store.server

# Debian's python3 comes without the module that makes virtual environments.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'oidproxy needs Python 3.11 or newer (set PYTHON=...)' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	@echo 'Setting up $(VENV) (about a minute)...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,osc,test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Real OpenStack clouds on this machine (Debian 12, as root): devstack/lab.
N ?= 2
GATEWAY ?=
LAB := $(BIN)/python -m devstack.lab

.PHONY: lab-up lab-status lab-down lab-clean lab-test

lab-up: $(READY)
	nice -n 5 $(LAB) up $(N) $(if $(GATEWAY),--gateway)

lab-status: $(READY)
	@$(LAB) status

lab-down: $(READY)
	$(LAB) down

lab-clean: $(READY)
	$(LAB) clean

# A lab of its own, since it makes it anew: the clouds of lab-up stay as they are.
# TESTS: what pytest is given, as in TESTS="tests/lab/test_trust.py -x".
TESTS ?=
lab-test: $(READY)
	LAB_STATE=$${LAB_STATE:-.state/lab-test} LAB_NETWORK=$${LAB_NETWORK:-127.7} $(LAB) test -- $(TESTS)

# oidproxy measured beside HAProxy and nginx (Debian 12, as root): docs/benchmarks.md.
# BENCH: further options, as in BENCH=--quick.
BENCH ?=
BENCH_READY := $(VENV)/.bench-ready

.PHONY: bench

bench: $(BENCH_READY)
	$(BIN)/python -m tests.bench $(BENCH)

$(BENCH_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,osc,test,bench]'
	@touch $@

# The worked study of oidproxy trace whatif: every number and figure of docs/study.md, to the byte (three minutes).
.PHONY: study

study: $(READY)
	$(BIN)/python -m tests.study
