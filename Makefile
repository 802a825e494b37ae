# Thin: each target is a CMake preset or a script. `./dev TARGET` installs what TARGET needs on Debian 12 and then
# calls it here.
JOBS ?= $(shell nproc)

.PHONY: debug release tsan clang check clean
debug:
	cmake --preset debug >/dev/null
	cmake --build --preset debug -j $(JOBS)

release:
	cmake --preset release >/dev/null
	cmake --build --preset release -j $(JOBS)

check: debug
	ctest --preset debug -j $(JOBS)

clean:
	rm -rf build
