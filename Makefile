# make        sets up .venv and launches the app
# make test   sets up the same .venv and a Chromium, then runs everything CI runs

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
            $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := app
.PHONY: app test lint bench clean help

app: $(VENV)/app.stamp
	@$(BIN)/python -m streamlit run app.py

test: lint
	@chromium="$$(tests/e2e/chromium.sh)" && RNNVIZ_CHROMIUM="$$chromium" $(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/test.stamp
	@$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/e2e/screens

help:
	@echo "make         set up .venv and launch the app"
	@echo "make test    set up .venv and a Chromium, then run linter, types and all tests"
	@echo "make lint    linter, format and types only"
	@echo "make bench   side-by-side timings with what you would use instead"
	@echo "make clean   remove .venv and every cache"

# A stamp is as new as the last installation, so packages are fetched only when their list changed.
$(VENV)/app.stamp: requirements.txt | $(BIN)/pip
	@echo "Installing requirements.txt (the first time this takes a few minutes)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-cluster.txt tests/requirements.txt | $(BIN)/pip
	@echo "Installing tests/requirements.txt (the first time this takes a few minutes)"
	@$(PIP) -r tests/requirements.txt
	@touch $@ $(VENV)/app.stamp

$(BIN)/pip:
	@$(or $(PYTHON),false) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "rnnviz needs Python 3.11 or newer with its venv module: on Debian run" \
	       "'sudo apt install python3 python3-venv', on macOS 'brew install python'." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
