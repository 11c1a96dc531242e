# hepflows: the commands of the course (`make help` lists them). GNU make 3.81 or newer.
#
#   PYTHON=python3.12      interpreter for a new environment (default: python3 if it is supported)
#   TORCH_INDEX=ADDRESS    one more package index, for another build of torch (README.md says when)
#   PORT=8888 BROWSER=no   for `make lab`: the port to serve on; print the address and open no browser
#   ARGS="-k flows"        for `make test`, `make run` and `make student`: further arguments

PYTHON ?=
TORCH_INDEX ?=
PORT ?= 8888
BROWSER ?=
ARGS ?=
BIN = .venv/bin

export PYTHON TORCH_INDEX
# Experiment software leaks its own packages through these two.
unexport PYTHONPATH PYTHONHOME
# `make lab BROWSER=yes` is ours to read; Python would take "yes" for the name of a browser.
ifneq ($(origin BROWSER),environment)
unexport BROWSER
endif

.PHONY: help setup lab test run student lint format constraints clean
.DEFAULT_GOAL := help

help: ## list these commands
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## make .venv with the pinned packages (every other command does it first)
	@sh tools/setup.sh

lab: setup ## open the course in JupyterLab
	@$(BIN)/hepflows lab --port "$(PORT)" $(if $(filter no,$(BROWSER)),--no-browser)

test: setup ## run the unit, physics and notebook tests
	@$(BIN)/python -m pytest $(ARGS)

run: setup ## execute every notebook; copies and HTML go to _build/notebooks
	@$(BIN)/hepflows run all --executed _build/notebooks --html $(ARGS)

student: setup ## copy the notebooks without solutions to _build/student
	@$(BIN)/hepflows student $(ARGS)

lint: setup ## check style and that no notebook carries outputs
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files

format: setup ## put code and notebooks into the form that `make lint` asks for
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format --quiet .
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --hook-stage manual nbstripout --files notebooks/*.ipynb || true

constraints: setup ## write the newest allowed versions into constraints.txt
	@$(BIN)/python tools/refresh_constraints.py

clean: ## delete what was built (the environment, downloads and student copies stay)
	@for built in _build/*; do case $$built in _build/student) ;; *) rm -rf "$$built" ;; esac; done
