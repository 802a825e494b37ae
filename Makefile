# Thin: each target is a CMake preset or a script. `./dev TARGET` installs what TARGET needs on Debian 12 and then
# calls it here; `./dev` alone prints the lines that have a ## in them.
JOBS ?= $(shell nproc)

# preset NAME [TARGET]: configures and builds, saying only what a builder says.
preset = cmake --preset $(1) >/dev/null && cmake --build --preset $(1) -j $(JOBS) $(if $(2),--target $(2))

.PHONY: debug release demo check check-peers sim bench fuzz lint compat tsan clean

debug: ## the program with sanitizers and costly assertions, and all tests: build/debug (what plain make does)
	$(call preset,debug)

release: ## the program that is shipped: build/release/sluice
	$(call preset,release)

demo: ## the users example, with its rows; compiled in less than half the time of release
	$(call preset,demo)
	build/demo/sluice demo

check: debug ## what a change has to pass: both compilers, the order of the modules, all tests
	@if command -v clang-14 >/dev/null; then set -x; $(call preset,clang-objects); \
	else echo 'clang-14 is not here: thread-safety annotations were NOT checked'; fi
	ctest --preset debug -j $(JOBS)

check-peers: release ## real servers, clients and libraries of other projects against the released program and its codecs
	$(call preset,debug,tests_peers)
	ctest --preset peers-programs
	ctest --preset peers

tsan: ## the tests under ThreadSanitizer, without fuzzers; few lives in the simulator, which has one thread
	$(call preset,tsan)
	@rm -f build/tsan/report.*
	@ctest --preset tsan -j $(JOBS); status=$$?; \
	if cat build/tsan/report.* 2>/dev/null; then exit 1; fi; exit $$status

sim: export SEEDS ?= 20000
sim: ## the whole program in the simulator, SEEDS=20000 lives of it
	$(call preset,sim,tests_sim)
	ctest --preset sim -j $(JOBS)

compat: release ## other projects' Kafka clients and their test suites, to docs/compatibility.md; ONLY=librdkafka for one
	ctest --preset compat $(if $(ONLY),-R '/$(ONLY)$$'); status=$$?; tests/compat/card; exit $$status

bench: ## the benchmarks, as ratios
	$(call preset,release,all benches)
	bench/run.sh

fuzz: export FUZZ_SECONDS ?= 60
fuzz: ## every fuzzer for FUZZ_SECONDS=60
	$(call preset,fuzz)
	tests/fuzz/run.sh

lint: ## clang-format and clang-tidy
	tools/lint

clean: ## removes build/
	rm -rf build
