# Every command sets up .venv first when needed (with uv where it is on PATH, else with venv and pip).
# The work is done by yolocourse/setup_env.py, which also runs where there is no make:
#     python yolocourse/setup_env.py lab
#
# PYTHON=/path/to/python3.12   interpreter for .venv, 3.11 to 3.13
# PORT=9000                    port of JupyterLab

# The first that runs and knows f-strings (3.6); whether it is recent enough, setup_env.py says in a sentence.
START_WITH := $(shell for p in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python; do \
  "$$p" -c "f''" >/dev/null 2>&1 && echo "$$p" && break; done)
NO_PYTHON = $(error Python 3.11, 3.12 or 3.13 is needed and no python3 on PATH runs; see python.org, or install uv)
COURSE = @$(if $(START_WITH),"$(START_WITH)" yolocourse/setup_env.py,$(NO_PYTHON)) $(if $(PYTHON),--python "$(PYTHON)")

.DEFAULT_GOAL := help
.PHONY: help lab test notebooks doctor gpu-check lint lock

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 \t\2/p' Makefile | expand -t 16

lab: ## start JupyterLab on the first notebook (PORT=8888)
	$(COURSE) lab $(if $(PORT),--port "$(PORT)")

test: ## unit tests, then every notebook, its outputs compared
	$(COURSE) test

notebooks: ## execute and clean all notebooks in place
	$(COURSE) notebooks

doctor: ## check this machine
	$(COURSE) doctor

gpu-check: ## measure the full network on this machine (for a graphics card; 20 minutes)
	$(COURSE) gpu-check

lint: ## check the style
	$(COURSE) lint

lock: ## requirements.in -> requirements.txt and environment.yml (needs uv)
	$(COURSE) lock
