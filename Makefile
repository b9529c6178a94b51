# Every target makes what it needs. PYTHON names the interpreter for .venv, TARGET the spec that `make demo` tests.
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := .venv/bin
STAMP := .venv/installed
UV := $(shell command -v uv)
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --quiet $(if $(UPGRADE),--upgrade)

ifdef UV
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL := $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-compile
endif

.PHONY: install demo serve test check bench reference lock
.DELETE_ON_ERROR:

install: $(STAMP)

# Some distributions package venv without ensurepip; the interpreter's own pip can fill the environment all the same.
$(STAMP): requirements-dev.lock pyproject.toml
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv 2>/dev/null || $(PYTHON) -m venv --clear --without-pip .venv
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q -j 0 .venv/lib backend || true  # where Python may not write bytecode as it goes
	touch $@

demo: $(STAMP)
	$(BIN)/touchstone demo $(if $(TARGET),--target '$(TARGET)') $(if $(BASE_URL),--base-url '$(BASE_URL)')

serve: $(STAMP)
	$(BIN)/touchstone serve

test: $(STAMP)
	$(BIN)/pytest --numprocesses logical

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses logical

bench: $(STAMP)
	$(BIN)/python -m compileall -q backend || true  # the import is timed as after an install
	$(BIN)/python -m benchmarks

reference: $(STAMP)
	$(BIN)/python -m backend.app.reference

# UPGRADE=1 takes the newest versions that pyproject.toml allows.
lock: $(STAMP)
	$(COMPILE) --group dev --output-file requirements-dev.lock
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock
