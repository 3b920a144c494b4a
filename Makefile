# `make run` starts everything on this machine; `make test` checks everything. Both need only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= digits
PORT ?= 8000

.PHONY: run test lint browser clean

run: $(VENV)/.runtime
	@exec $(BIN)/python manage.py up --demo $(DEMO) --port $(PORT)

# The steps run one after the other; the first that fails ends it. Each test process has one thread to compute
# with: those of several would wait for one another.
test: $(VENV)/.development lint browser
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A browser for the end-to-end tests: an installed one, else Debian's when root, else Playwright's own.
browser: $(VENV)/.development
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; then :; \
	else $(BIN)/playwright install chromium; fi

# The stamps hold copies of what was installed: a checkout that only touches the files installs nothing.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@cmp -s $@ requirements.txt || { echo "Installing what Quern runs on (some minutes the first time) ..."; \
		$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt; }
	@cp requirements.txt $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@cat requirements.txt requirements-dev.txt | cmp -s $@ - || { echo "Installing what the checks need ..."; \
		$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt; }
	@cat requirements.txt requirements-dev.txt > $@

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quern needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "The virtual environment could not be made: on Debian, apt-get install python3-venv" >&2; exit 1; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
