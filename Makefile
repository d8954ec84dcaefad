# make demo     the main job on real data that needs no download
# make test     all tests but the long ones; names the skipped ones and their reasons at the end
# make lint     ruff and mypy
# make torture  the long tests (kills, again and again)
# make golden   writes the golden values again; only at a revision whose results are known to be right
# make peers    environments of the libraries that benchmarks/peers.py compares with
# make gate     trains the suite of the accuracy gate and checks it against results/reference
# make results  tables, figures and pages of the pilot and the contestants again, from the cells stored under results/
# make pilot    the pilot under results/pilot (needs $SSD_BENCH_DATA)
# make study-tables    tables and figures of the study, from the archives of its cells
# make contestants  networks beside other libraries' classifiers, under results/contestants (needs $SSD_BENCH_DATA)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two test processes of one thread each: two threads each on two cores would be many times slower than one.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint torture golden gate results peers pilot contestants study-tables clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY)
	$(BIN)/ssd-bench run benchmarks/demo.yaml --out demo
	$(BIN)/ssd-bench compare demo -o demo/leaderboard

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not torture' -rs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

torture: $(READY)
	$(BIN)/python -m pytest -m torture -s

golden: $(READY)
	$(BIN)/python tests/golden/make.py

# The seeds are none of the reference's, and always the same: a run that has not changed repeats its verdict.
gate: $(READY)
	rm -rf build/gate
	env -u SSD_BENCH_DATA $(BIN)/ssd-bench run benchmarks/gate.yaml --seeds 100,101,102 --out build/gate
	$(BIN)/ssd-bench check build/gate --reference results/reference --two-sided --junit build/gate.xml

results: $(READY)
	$(BIN)/python benchmarks/results.py

peers:
	for peer in aeon sktime tsai; do \
	  $(PYTHON) -m venv build/peers/$$peer && build/peers/$$peer/bin/pip install -q -r benchmarks/peers/$$peer.txt || exit 1; \
	done

pilot: $(READY)
	$(BIN)/ssd-bench run benchmarks/pilot.yaml --out results/pilot/cells
	$(BIN)/ssd-bench compare results/pilot/cells -o results/pilot --missing complete

study-tables: $(READY)
	$(BIN)/python benchmarks/study/analyse.py --cells results/study/cells --out results/study

contestants: $(READY)
	$(BIN)/ssd-bench run benchmarks/contestants.yaml --out results/contestants/cells
	tar -xzf results/contestants/exports.tar.gz -C results/contestants
	$(BIN)/ssd-bench compare results/contestants/cells -o results/contestants --deployed results/contestants/exports

clean:
	rm -rf $(VENV) demo build dist *.egg-info
