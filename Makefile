# iris-fuzz: `make fuzz` and `make test` are all that is needed. Both install what is missing:
# a Python environment in .venv from requirements.lock, and Erlang/OTP through apt-get.
#
# PYTHON=python3.12 chooses the interpreter; ARGS="--time 600" is handed to `iris-fuzz fuzz`.
# make itself ends with 2 whatever failed; the code of the command is in its "Error N" line.

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help fuzz test lint setup erlang chromium lock clean

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

fuzz: setup ## fuzz for a minute; ARGS="..." adds options, and a later --time wins
	@$(BIN)/iris-fuzz fuzz --time 60 $(ARGS)

# A browser is fetched while the types are checked: the one waits for the network. Two tests at once
# for each processor: most of them wait for a server.
# pytest comes last, so that its closing line is the last thing on the screen.
test: setup ## check style and types, then run every test
	@$(MAKE) --no-print-directory --jobs=2 lint chromium
	@$(BIN)/python -m pytest --numprocesses $$((2 * $$(nproc))) --dist worksteal

lint: setup ## check style and types only
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/python -m mypy

setup: $(READY) erlang ## install what is missing, and nothing else

$(READY): requirements.lock pyproject.toml
	@sh .ci/python "$(PYTHON)"

# Asked each time: it costs a tenth of a second, and Erlang can go away behind our back.
erlang: $(READY)
	@sh .ci/erlang

# For the tests only: nothing else opens the report. Behind Erlang: one apt-get at a time.
chromium: setup
	@sh .ci/chromium

lock: ## resolve pyproject.toml into requirements.lock again; ARGS=--upgrade takes newer releases
	@sh .ci/lock $(ARGS)

clean: ## remove what was built; the corpus stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find fuzz grammar tests -name __pycache__ -type d -prune -exec rm -rf {} +
