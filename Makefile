# Nothing is needed but make and Python 3.11 or newer; everything else comes from the lock files into .venv.

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11, \
	$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find agent evals policies prompts tools -type f -not -name '*.pyc')
GOAL := Classify sklearn:breast_cancer with at least 90% accuracy, deploy it as breast-cancer with a canary, \
p95 under 80 ms, error rate under 1 %

# pip says one line every twenty packages; its warnings go to a log that is shown when it fails.
define install
@echo "Installing $$(cat $(1) | grep -c '^[a-z]') packages from $(strip $(1)) ..."
@{ $(BIN)/pip install --require-hashes --no-deps --disable-pip-version-check $(addprefix -r ,$(1)) \
		2>$(VENV)/pip.log || echo FAILED; } | \
	awk '/^FAILED$$/ {failed = 1} /^(Collecting|Processing) / && ++n % 20 == 0 {print "  " n; fflush()} END {exit failed}' \
	|| { cat $(VENV)/pip.log; exit 1; }
endef

.PHONY: help demo test test-all crash lock

help:
	@echo "make demo   install Goalkeeper into $(VENV) and run its main job: train, evaluate, canary, serve, report"
	@echo "make test   everything that is checked: lint, format, types, import contracts, tests"
	@echo "make test-all  every test, the long ones too"
	@echo "make crash  strike runs at every point at which they can be struck, with kills, stops, faults and full disks"
	@echo "make lock   write the lock files anew from pyproject.toml"

demo: $(VENV)/.installed
	$(BIN)/goalkeeper run "$(GOAL)" --yes

test: $(VENV)/.checkout
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(VENV)/.checkout
	$(BIN)/python -m pytest

# What was struck already is not struck again while the code is the same: it may be ended and begun anew.
crash: $(VENV)/.checkout
	$(BIN)/python -m evals.crash --results $(VENV)/crash.jsonl $(CRASH)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Goalkeeper needs Python 3.11 or newer:" \
		"install it, or name it with 'make PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Goalkeeper needs Python 3.11 or newer," \
		"and $(PYTHON) is older or does not run: name another with 'make PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module:" \
		"install it first (on Debian and Ubuntu the package python3-venv)." >&2; exit 1; }
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv $(VENV)

# The demo runs an installed copy; the tests run the checkout. Each takes the other's mark away where it replaces its installation.
$(VENV)/.packages: requirements.lock | $(BIN)/python
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.packages-dev: requirements-dev.lock | $(VENV)/.packages
	$(call install,requirements-dev.lock)
	@touch $@

$(VENV)/.installed: $(VENV)/.packages pyproject.toml $(SOURCES)
	@rm -rf build
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check .
	@rm -rf build $(VENV)/.checkout
	@touch $@

$(VENV)/.checkout: $(VENV)/.packages $(VENV)/.packages-dev pyproject.toml
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check --editable .
	@touch $(VENV)/.installed $@

# requirements.lock holds what runs (base, [local], the build backend), requirements-dev.lock what the tests need beside it.
# Versions stay as they are until pyproject.toml asks for others; `make lock UPGRADE=--upgrade` takes the newest.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header $(UPGRADE)

lock: $(BIN)/python
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv==0.13.8'
	@$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >$(VENV)/build.in
	@cat requirements.lock requirements-dev.lock >$(VENV)/all.lock
	@$(COMPILE) $(VENV)/build.in --extra local --output-file requirements.lock >/dev/null
	@$(COMPILE) $(VENV)/build.in --all-extras --constraint requirements.lock --output-file $(VENV)/all.lock >/dev/null
	@grep -vxF -f requirements.lock $(VENV)/all.lock >requirements-dev.lock
	@echo "Wrote requirements.lock and requirements-dev.lock."
