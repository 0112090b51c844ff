# Two commands do everything on a machine with Python 3.11+, make and a C library:
#   make demo    installs, then observes and reduces a simulated night, with a page to look at
#   make test    installs, then runs the tests that this machine can run

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_ARGS ?=
TEST_ARGS ?=
TEST_WORKERS ?= logical

# Every process computes on one core: the runner decides how many work at once.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1

.PHONY: demo test lint format install kafka clean

demo: $(STAMP)
	$(BIN)/python -m paws demo --data demo-data $(DEMO_ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --maxprocesses 4 $(TEST_ARGS)

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(STAMP)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

# Apache Kafka's own jars, for machines without Docker; wants Java 17 and Maven. Prints their folder:
# PAWS_KAFKA_JARS=infra/kafka/target/jars make demo    runs the demo on Kafka
kafka: $(STAMP)
	$(BIN)/python -c 'from pathlib import Path; from paws.embedded.kafka import bring_jars; print(bring_jars(Path("infra/kafka/pom.xml")))'

install: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("PAWS Live needs Python 3.11 or newer; run make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): about a minute."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@echo "Libraries for the pages, where npm is there: a few seconds. The pages work without."
	@$(BIN)/python -m paws vendor --optional
	@echo "Compiling the reducer: about half a minute, once."
	@$(BIN)/python -m quicklook.warming
	@touch $(STAMP)

clean:
	rm -rf demo-data build dist .pytest_cache .mypy_cache .ruff_cache
