# The front door. Every target installs what it needs first (scripts/setup), into Debian and into .deps/.
JOBS ?= $(shell nproc)
BUILD ?= build/release
PYTHON := .deps/test/bin/python

.PHONY: all demo test test-containers test-swarm test-all bench sanitize format tidy clean

all: $(BUILD)/lamina

.PHONY: $(BUILD)/lamina
$(BUILD)/lamina: setup-build
	@[ -f build/release/build.ninja ] || cmake --preset release -DLAMINA_TESTS=OFF >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@ninja -C build/release -j $(JOBS) lamina lamina_openvino

.PHONY: setup-build setup-test setup-bench
setup-build:
	@scripts/setup build
	@mkdir -p build
setup-test:
	@scripts/setup build test
	@mkdir -p build
setup-bench:
	@scripts/setup build test bench
	@mkdir -p build

# The main job on real models: cut over three local workers, compared with the uncut model.
demo: setup-test $(BUILD)/lamina
	@demo/run

.PHONY: test-build
test-build: setup-test
	@cmake --preset release -DLAMINA_TESTS=ON >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@ninja -C build/release -j $(JOBS)

test: test-build
	@ctest --test-dir build/release --output-on-failure --label-exclude 'slow|containers|swarm' -j $(JOBS)

# On a Docker of their own; skipped where none can run, unless LAMINA_REQUIRE_DOCKER is set.
test-containers: test-build
	@scripts/setup container
	@ctest --test-dir build/release --output-on-failure -L containers

# On a Docker Swarm of three nodes of its own; skipped as above.
test-swarm: test-build
	@scripts/setup container
	@ctest --test-dir build/release --output-on-failure -L swarm

# Everything: the slow tests too, and the suite under the sanitizers.
test-all: test-build
	@scripts/setup container
	@ctest --test-dir build/release --output-on-failure -j $(JOBS)
	@$(MAKE) sanitize

# The C++ tests under AddressSanitizer with UndefinedBehaviorSanitizer, then under ThreadSanitizer.
sanitize: setup-test
	@for preset in asan tsan; do \
	  cmake --preset $$preset >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }; \
	  ninja -C build/$$preset -j $(JOBS) || exit 1; \
	  UBSAN_OPTIONS=print_stacktrace=1 \
	    ctest --test-dir build/$$preset --output-on-failure -L unit -j $(JOBS) || exit 1; \
	done

# The figures of the README; each benchmark can be run alone, see bench/README.md.
bench: setup-bench
	@bench/run

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

tidy: test-build
	@git ls-files 'src/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy -quiet -p build/release \
		--extra-arg=-Wno-unknown-warning-option

clean:
	@rm -rf build
