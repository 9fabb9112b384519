# `make demo` and `make test` work from a fresh clone; both install pinned versions into .venv beside this file.

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

# The first of these that is Python 3.11 or newer; `make PYTHON=/path/to/python3.12 demo` overrides it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# What is compiled once is not compiled again by each of the hundreds of programs that the tests start.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help demo test coverage check format docs test-real-s3 faults gpu mutants fuzz audit clean

help: ## say what can be made
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed ## install, then stylise the quickstart's pictures on this machine
	$(BIN)/stylize run manifests/quickstart.yaml

test: check ## install with the test tools, then lint, types and every test
	$(PYTEST)

# It makes every process that a test starts slower, so it is asked for by itself.
coverage: $(VENV)/.installed-test ## every test once more, and which lines and branches none of them reaches
	$(PYTEST) --cov

check: $(VENV)/.installed-test ## lint, format and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed-test ## put the code into the house's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed-test ## the documentation as a site, into build/site; no network, and any warning fails
	$(BIN)/python -m docs.generated --check
	$(BIN)/python -m sphinx -W -q -c docs/site -d build/doctrees . build/site
	@echo build/site/index.html

test-real-s3: $(VENV)/.installed-test ## the S3 tests against a real Ceph RADOS gateway (Debian, see CONTRIBUTING.md)
	tests/real_s3.sh run $(BIN)/python -m pytest tests/flows/storage/test_real_s3.py

faults: $(VENV)/.installed-test ## the fault tests at full length: hundreds of kills, 500 pairs in chaos, 10,000 pairs
	STYLIZE_FAULTS=long $(BIN)/python -m pytest -s tests/faults tests/core/test_precision.py tests/prefect_server

gpu: $(VENV)/.installed-test ## the GPU tests, then the GPU's figures of docs/performance.md, in 8 minutes; into build/gpu.md
	$(BIN)/python -m benchmarks gpu --tests

mutants: $(VENV)/.installed-test ## plant small bugs, each in a copy of the tree, and print which test kills it; WORDS= chooses
	PYTHONPATH=tests $(BIN)/python -m mutants $(WORDS)

MINUTES ?= 10
SEED ?= 0

fuzz: $(VENV)/.installed-test ## broken pictures for MINUTES, drawn from SEED; what is found can be made again
	PYTHONPATH=.:tests $(BIN)/python tests/faults/fuzz_images.py --minutes $(MINUTES) --seed $(SEED)

audit: $(VENV)/.installed-test ## known weaknesses of the pinned packages; asks the package index, so CI does not run it
	$(BIN)/python -m pip check
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	build/audit/bin/pip-audit --no-deps --disable-pip --requirement constraints.txt

clean: ## remove the environment, caches and builds; results in manifests/out stay
	rm -rf $(VENV) build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps make a second run skip the installation until the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) setuptools
	$(INSTALL) --no-build-isolation -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) setuptools
	$(INSTALL) --no-build-isolation -e '.[test]'
	touch $(VENV)/.installed $@

# pip is the last thing that venv writes: where it lies, the environment is whole.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { \
	  echo "stylize needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
