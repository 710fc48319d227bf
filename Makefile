# dockyard: `make demo` and `make test` do all the set-up themselves; `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

code := builder frontend exporter fixtures
demo_root := build/demo
demo_platforms := linux/amd64,linux/arm64
demo_key := build/hello
dockyard := .venv/bin/dockyard --root $(demo_root)

.PHONY: help setup setup-test system venv busybox debian demo test conformance bench lint lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## build fixtures/hello for two platforms, attested and signed, run both images, and verify them
	@busybox=$$(.venv/bin/python -m fixtures.bases path busybox)
	export COSIGN_PASSWORD=demo
	mkdir -p build
	[ -f $(demo_key).key ] || $(dockyard) generate-key-pair --output-key-prefix $(demo_key)
	set -x
	$(dockyard) build --build-context "busybox=oci-layout://$$busybox" --platform $(demo_platforms) \
	    --sbom=true --provenance=mode=max --sign key=$(demo_key).key --tag hello:demo fixtures/hello
	$(dockyard) inspect hello:demo
	$(dockyard) run --platform linux/amd64 hello:demo
	$(dockyard) run --platform linux/arm64 hello:demo
	$(dockyard) verify --key $(demo_key).pub --platform $(demo_platforms) hello:demo

test: setup-test ## run the whole test suite
	@.venv/bin/python -m pytest -n 2 --dist loadfile --benchmark-disable --ignore=tests/conformance

conformance: setup-test ## build some hundred cases with a real BuildKit, too, and list what differs
	@.venv/bin/python -m pytest -q tests/conformance

bench: setup-test ## run the benchmarks, on a quiet machine: inner loops, and dockyard beside BuildKit and buildah
	@memory=$$(mktemp --directory --tmpdir=/dev/shm dockyard-bench.XXXXXX)
	trap 'rm -rf "$$memory"' EXIT
	.venv/bin/python -m pytest tests/bench/bench_*.py -o python_functions='bench_*' --benchmark-only -q \
	    --basetemp="$$memory/pytest"
	PYTHONPATH=tests/bench:. .venv/bin/python -m sidebyside

lint: venv ## check format, lint rules, types and the floors
	@.venv/bin/ruff format --check $(code) tests
	.venv/bin/ruff check $(code) tests
	.venv/bin/mypy $(addprefix -p ,$(code))
	.venv/bin/lint-imports

setup: system ## system packages, .venv and the base image busybox; at once when all is there
	@$(MAKE) --no-print-directory --jobs 2 venv busybox

setup-test: ## the same, and what only the tests need
	@fixtures/setup/system.sh test
	$(MAKE) --no-print-directory setup debian

system:
	@fixtures/setup/system.sh

venv:
	@fixtures/setup/venv.sh

busybox debian:
	@"$$(fixtures/setup/python.sh)" -m fixtures.bases path $@ >/dev/null

lock: ## pin the Python packages anew after a change of pyproject.toml
	@fixtures/setup/lock.sh

clean: ## remove what was made in this checkout; base images stay, other checkouts share them
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
