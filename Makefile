# Everything that a person or CI runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UNIT_WORKERS ?= auto
# Tests with a cluster wait more than they compute. Each worker has clusters of its own, of 2 GiB each.
CLUSTER_WORKERS ?= 3
OTHER_WORKERS ?= 2
# Shares of tests in the order of their files: with fewest tests last, as else, the longest ones would begin last.
IN_ORDER := --no-loadscope-reorder

.PHONY: help venv programs lock lint type test test-unit test-contract test-cluster test-faults faults campaign test-faults-and-campaign test-node test-ecosystem demo bench bench-kill docs attacks rules manifests sbom mutation clean-testbed clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

venv: $(VENV)/.installed  ## the project's own virtual environment, from the lock file

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is %s; set PYTHON=" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock: venv  ## resolve the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --upgrade -o requirements.lock

lint: venv  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

programs: venv  ## find or build the Kubernetes programs that the tests use (15 minutes once, then seconds)
	$(BIN)/python -m tests.testbed build

test-unit: programs  ## no cluster: seconds
	$(BIN)/pytest tests/unit tests/golden tests/chart -n $(UNIT_WORKERS)

test-contract: venv  ## the TGI double keeps what it promises: on the wire, and to the real clients
	$(BIN)/pytest tests/contract -n $(UNIT_WORKERS)

test-cluster: programs  ## real API server, controllers and scheduler; simulated GPU nodes
	$(BIN)/pytest tests/cluster -n $(CLUSTER_WORKERS) $(IN_ORDER)

test-faults: programs  ## the same cluster, with a proxy before the API server that makes faults on demand
	$(BIN)/pytest tests/faults -n $(OTHER_WORKERS) $(IN_ORDER)

faults: programs  ## the table of faults; writes docs/faults.md; some minutes
	$(BIN)/pytest tests/faults/test_faults.py --write-faults

campaign: programs  ## hundreds of changes made from the CRD's schema: does all follow, and heal? OPERATIONS=10000 SEED=2 for others
	$(BIN)/pytest tests/campaign $(if $(OPERATIONS),--operations=$(OPERATIONS)) $(if $(SEED),--hypothesis-seed=$(SEED))

test-node: programs  ## real kubelet, containers and network policies; needs Linux and root, else says what is missing
	$(BIN)/python -m tests.testbed build --node
	$(BIN)/pytest tests/node -n $(OTHER_WORKERS) $(IN_ORDER)

test-ecosystem: programs  ## the walkthroughs of docs/ as they are written, with the real Helm and kubectl; checks of all that is rendered
	$(BIN)/python -m tests.testbed build --ecosystem
	$(BIN)/pytest tests/ecosystem -n $(OTHER_WORKERS) $(IN_ORDER)

# Side by side, for the same reason as with CLUSTER_WORKERS; each one's output comes at its end.
test-faults-and-campaign: programs
	$(MAKE) --jobs=2 --output-sync=target test-faults campaign

test: lint test-unit test-contract test-cluster test-faults-and-campaign test-node test-ecosystem  ## what CI runs

mutation: venv  ## does a test fail for every small change of a rule? TARGET=sizing, killswitch or guard; 6 minutes
	$(BIN)/python -m tests.mutation $(or $(TARGET),sizing)

bench: programs  ## how fast deployments are reconciled, beside other operators; writes tests/bench/RESULTS.md; 16 minutes
	$(BIN)/python -m tests.bench.reconcile

bench-kill: programs  ## how fast the kill switch is, beside a plain Kopf operator; writes tests/bench/kill/RESULTS.md
	$(BIN)/python -m tests.bench.kill

demo: venv  ## the main job on a testbed of its own; KEEP=1 leaves it running; NODE=1: real containers, needs root
	$(BIN)/python -m tests.demo $(if $(KEEP),--keep) $(if $(NODE),--node)

docs: venv  ## compute the tables of docs/sizing.md and docs/isolation.md anew
	$(BIN)/python -m tests.docs

attacks: programs  ## try every way to undo the kill switch, and write docs/kill-switch-attacks.md
	$(BIN)/python -m tests.cluster.attacks

rules: programs  ## take each rule of the admission policies out: does something get through? some minutes
	$(BIN)/python -m tests.cluster.attacks.rules

manifests: venv  ## render manifests/ and the chart's copies from their sources
	$(BIN)/python -m tests.chart.render

sbom: venv  ## what is in the operator's image, as a CycloneDX bill of materials: dist/
	$(BIN)/python -m tests.testbed.sbom

clean-testbed: venv  ## end every testbed of this user that is still running
	$(BIN)/python -m tests.testbed down --all

clean:  ## forget the virtual environment and the tools' caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
