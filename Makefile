# The workshop's commands. `make help` lists them; README.md shows the same without make.

# An empty environment has no PATH; recipes need one.
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)

# The first Python on this machine that can run the workshop, unless you name one: make PYTHON=…
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 /usr/local/bin/python3 /usr/bin/python3; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
PY := .venv/bin/python
export PYTHONUNBUFFERED := 1

.PHONY: help labs lab arena preflight test lint outputs bench lock setup clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## make .venv from the lock (the other targets do it when needed)
	@$(or $(PYTHON),python3) bootstrap.py

labs: setup ## run the four labs offline, end to end; reports in build/labs
	@$(PY) -m helpers.runner

lab: setup ## open JupyterLab at your own lab 1 (in my-labs, with blanks for your answers)
	@$(PY) -m helpers.runner.learner
	@$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) my-labs/01_sample_collection.ipynb

arena: setup ## start the live competition and open its page
	@$(PY) -m helpers.resources.house --arena --open

preflight: setup ## what is missing on this machine or in this AWS account before a class
	@$(PY) -m helpers.preflight

lint: setup
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

test: setup lint ## ruff, pytest, and the four notebooks compared with their stored outputs
	@$(PY) -m pytest -n 3 --dist loadfile
	@$(PY) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=120 labs

outputs: setup ## run the labs, store their outputs in labs/, draw their diagrams for the reports
	@$(PY) -m helpers.runner --in-place
	@$(PY) -m helpers.runner.diagrams

bench: setup ## measure, side by side with named peers (docs/performance.md)
	@$(PY) -m benchmarks

lock: setup ## resolve pyproject.toml anew into requirements.txt (needs uv: pip install uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --output-file requirements.txt

clean: ## stop the offline AWS and remove what was made here (your notebooks in my-labs stay)
	@[ ! -x $(PY) ] || $(PY) -m helpers.offline stop >/dev/null 2>&1 || true
	rm -rf .venv .venv.lock .workshop build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
