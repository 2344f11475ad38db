# Needs Python 3.11 and a package registry; everything else is set up in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SHARED ?= ../shared
PHOTOS ?=
DEMO ?= demo
PLATFORM ?=
BACKEND ?= cpu
PYTHONS ?=
VENV := .venv
BIN := $(VENV)/bin
export SHARED

.PHONY: help demo test lint check test-faults fuzz test-long test-window test-matrix test-package test-runtime package release offline-archive lock lock-wheels clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo [PHOTOS=folder]   photos to demo/scene.blend, preview.png and overlay.png on the embedded engine
demo: $(VENV)/run.stamp
	$(BIN)/python -m vggt_addon import $(if $(PHOTOS),$(PHOTOS),examples/courtyard/photos) -o $(DEMO)/scene.blend \
		--preview $(DEMO)/preview.png --overlay $(DEMO)/overlay.png --force
	$(if $(PHOTOS),,$(BIN)/python examples/compare_with_truth.py $(DEMO)/scene.capture examples/courtyard/cameras.json)

## make test                   set-up, lint, types, and the whole suite
test: lint check

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: $(VENV)/test.stamp
	$(BIN)/python -m pytest

## make test-faults            background work when things go wrong: workers and command lines killed, rubbish, silence, orphans
test-faults: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q tests/jobs/test_runner.py tests/jobs/test_cancel_and_stop.py tests/jobs/test_orphans.py
	$(BIN)/python -m pytest -q tests/ui/test_faults.py
	$(BIN)/python tests/jobs/faults.py
	$(BIN)/python tests/kills.py

## make fuzz [INPUTS=120000]   spoilt photos and captures, read in child processes with little memory and a time limit
fuzz: $(VENV)/test.stamp
	$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),120000)

## make test-long              all frames of a real clip placed or named, reliefs through all other cameras, a photo added to a capture; minutes
test-long: $(VENV)/test.stamp
	LONG=1 $(BIN)/python -m pytest -q -s tests/test_clips.py tests/test_acceptance.py

## make test-window [SUITE=all] the panel in real windows (4.3 and 5.2), by real keys; pictures in build/window
test-window: $(VENV)/test.stamp
	tests/window/run.sh $(or $(SUITE),all) preferences
	tests/window/run.sh $(or $(SUITE),all) main_job $(realpath $(or $(PHOTOS),examples/courtyard/photos))

## make test-package           the zip installed into clean Blenders (bpy 4.2 to 5.2, windows 4.3 and 5.2), used offline
test-package: package
	PYTHON=$(PYTHON) tests/distribution/everywhere.sh

## make test-matrix            the tests of scene and panel on the other Blenders (each in a .venv of its own)
test-matrix:
	PYTHON=$(PYTHON) tests/matrix.sh

## make package [PLATFORM=linux-x64]  the extension's zips and the repository's index, in dist/
package: $(VENV)/run.stamp
	$(BIN)/python -m distribution build $(PLATFORM)

## make release VERSION=x.y.z  version, changelog, all zips, index, commit and tag; nothing is pushed
release: $(VENV)/run.stamp
	$(BIN)/python -m distribution release "$(VERSION)"

## make lock-wheels            resolve the wheels that the zips carry anew, from requirements/run.in
lock-wheels: $(VENV)/run.stamp
	$(BIN)/python -m distribution lock

## make test-runtime           the private runtime with real packages: made, used, damaged, repaired, killed, offline
test-runtime: $(VENV)/test.stamp
	$(BIN)/python tests/runtime/real.py

## make offline-archive [PLATFORM=linux-x64] [BACKEND=cpu] [PYTHONS="3.11 3.13"]   the runtime in one file, into dist/runtime/
offline-archive: $(VENV)/run.stamp
	mkdir -p dist/runtime  # not beside the extension's zips: Blender's tool would look into it for an extension
	cd dist/runtime && PYTHONPATH=../.. ../../$(BIN)/python -m vggt_addon runtime archive --backend $(BACKEND) --force \
		$(if $(PLATFORM),--platform $(PLATFORM)) $(foreach version,$(PYTHONS),--for-python $(version))

## make lock                   resolve requirements/*.in anew
lock: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet uv
	for name in run test; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links -o requirements/$$name.lock requirements/$$name.in; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links -o vggt_addon/runtime/packages.lock requirements/runtime.in

clean:
	rm -rf $(VENV) .venv-* demo build dist

$(VENV)/run.stamp: requirements/run.lock
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else 'Python 3.11 is needed (Blender 4.5 has it too): set PYTHON=/path/to/python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	touch $@

$(VENV)/test.stamp: requirements/test.lock requirements/torch.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	touch $@
