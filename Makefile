# `make demo` and `make test` work on a fresh machine: each makes .venv and installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test soak mutants lint wheel notebooks docs clean

demo: .venv/demo
	$(BIN)/molmeta demo

test: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# screens under attack, for as many minutes and from the seed that are given
soak: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python tests/soak.py --minutes $(or $(MINUTES),60) --seed $(or $(SEED),0)

# the code broken in one place at a time: SAMPLE mutants of a ROOM (all of all, unless they are given)
mutants: .venv/mutants
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py --sample $(or $(SAMPLE),0) \
	  --seed $(or $(SEED),0) $(addprefix --room ,$(ROOM))

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# builds the wheel, installs it into an empty folder and uses it from there
wheel: .venv/dev
	rm -rf build && mkdir -p build
	$(BIN)/python -m build --wheel --outdir build
	$(BIN)/python -m pip install --quiet --no-deps --target build/installed build/*.whl
	cd build && PYTHONPATH=installed ../$(BIN)/python -c "import molmeta; \
	  assert 'installed' in molmeta.__file__, molmeta.__file__; \
	  print(molmeta.__version__, molmeta.load_embedded())"

# runs the notebooks and writes their outputs
notebooks: .venv/test
	cd notebooks && ../$(BIN)/python execute.py

# the site, in build/site; a warning is an error (mkdocs.yml)
docs: .venv/test
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

clean:
	rm -rf .venv build dist

.venv/python:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/demo: .venv/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

.venv/test: .venv/python pyproject.toml constraints.txt
	$(INSTALL) --editable ".[test]"
	@touch $@

.venv/dev: .venv/python pyproject.toml constraints.txt
	$(INSTALL) --editable ".[dev]"
	@touch $@

.venv/mutants: .venv/test pyproject.toml constraints.txt
	$(INSTALL) --editable ".[mutants]"
	@touch $@
