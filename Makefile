# make demo   fresh machine -> environment -> synthetic clips -> train -> heatmaps -> TSR -> report
# make test   fresh machine -> environment -> the whole test suite
# Only Python 3.10+ (with venv and pip) and make are needed. Nothing outside this folder is touched.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# EXTRA=full compiles mmcv with its operators (30 minutes and a C++ compiler); lite installs wheels.
EXTRA ?= lite
DEMO_DIR ?= demo_output
PYTEST_ARGS ?=
# Test processes side by side, one thread each: small networks gain nothing from more threads.
TEST_JOBS ?= 2

.PHONY: help env test demo lint format bench clean

help:
	@sed -n '1,3s/^# //p' Makefile
	@echo 'make lint / format / bench / clean'

env: $(VENV)/.installed-$(EXTRA)

$(VENV)/.installed-$(EXTRA): setup.py pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'mmsal needs Python 3.10 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo 'This Python has no venv: install it first (Debian: apt-get install python3-venv)'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRA),test,dev]'
	@touch $@

# Sources of pysaliency 0.2.22, which cannot be installed beside NumPy 2: tests and benchmarks hold
# our metrics against its own.
$(VENV)/oracle/pysaliency-0.2.22.tar.gz: | env
	$(BIN)/python -m pip download --quiet --no-deps --dest $(VENV)/oracle pysaliency==0.2.22

test: env $(VENV)/oracle/pysaliency-0.2.22.tar.gz
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile $(PYTEST_ARGS)

demo: env
	PATH="$(abspath $(BIN)):$$PATH" bash tools/demo.sh $(DEMO_DIR)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: env
	$(BIN)/python benchmarks/gradcam.py
	$(BIN)/python benchmarks/gradcam_finetunings.py

clean:
	rm -rf $(VENV) $(DEMO_DIR)
