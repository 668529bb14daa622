# sqlite-tm: `make help` lists what there is.
#
# BUILD, CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX, LIBDIR and DESTDIR may be set on the command line.

CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BUILD ?= build
DIR ?=
DB ?=
TESTS ?=
SEED ?=

# The seed of what is another one each day, and can be repeated.
DAY = $(shell echo $$(($$(date +%s) / 86400)))
JOBS := $(shell nproc 2>/dev/null || echo 1)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes
TM_FLAGS := -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) -Iext -I$(BUILD)/gen -MMD -MP
ifeq ($(shell uname -s),Darwin)
SO_FLAGS := -bundle -undefined dynamic_lookup
AUTO_FLAGS := -dynamiclib
else
SO_FLAGS := -shared -Wl,-z,defs
AUTO_FLAGS := -shared -Wl,-z,defs -Wl,-z,nodelete -Wl,-soname,tm-auto.so -Wl,--exclude-libs,ALL
endif
# What only tm.so is linked with.
SO_LDFLAGS ?=

SQL := $(wildcard sql/*.sql sql/*.txt sql/migrations/*.sql sql/queries/*.sql)
AUTO := ext/auto.c
SOURCES := $(filter-out $(AUTO),$(sort $(wildcard ext/*.c ext/*/*.c)))
GEN := $(BUILD)/gen/queries.h $(BUILD)/gen/queries.c $(BUILD)/gen/migrations.c $(BUILD)/gen/states.h
NAMES := $(SOURCES:%.c=%.o) gen/queries.o gen/migrations.o
SO_OBJECTS := $(NAMES:%=$(BUILD)/obj/so/%)
STATIC_OBJECTS := $(NAMES:%=$(BUILD)/obj/static/%)
AUTO_OBJECT := $(AUTO:%.c=$(BUILD)/obj/static/%.o)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

.DELETE_ON_ERROR:
# Every target whose name is a plain word.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

all: $(BUILD)/tm.so $(BUILD)/libtm.a auto ## build build/tm.so (loadable), build/libtm.a (static) and build/tm-auto.so; the default

auto: $(BUILD)/tm-auto.so ## build/tm-auto.so alone, for hosts that cannot load an extension

# Says what is missing before the first compiler call does so less clearly.
$(BUILD)/.can-build:
	@CC='$(CC)' tools/setup --check build
	@mkdir -p $(BUILD) && touch $@

# Only files that differ are replaced, so that a new comment in the SQL compiles nothing.
$(BUILD)/gen/.made: $(SQL) tools/generate | $(BUILD)/.can-build
	@rm -rf $(BUILD)/gen.new && mkdir -p $(BUILD)/gen
	@tools/generate $(BUILD)/gen.new
	@for file in $(BUILD)/gen.new/*; do \
	  cmp -s "$$file" "$(BUILD)/gen/$${file##*/}" || cp "$$file" $(BUILD)/gen/ || exit 1; \
	done
	@rm -rf $(BUILD)/gen.new && touch $@

$(GEN): $(BUILD)/gen/.made ;

$(BUILD)/obj/so/gen/%.o: $(BUILD)/gen/%.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(TM_FLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/so/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(TM_FLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/static/gen/%.o: $(BUILD)/gen/%.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(TM_FLAGS) -DSQLITE_CORE $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/static/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(TM_FLAGS) -DSQLITE_CORE $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tm.so: $(SO_OBJECTS)
	$(CC) $(SO_FLAGS) $(CFLAGS) $(LDFLAGS) $(SO_LDFLAGS) -o $@ $(SO_OBJECTS) -lm

$(BUILD)/libtm.a: $(STATIC_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $(STATIC_OBJECTS)

$(BUILD)/tm-auto.so: $(AUTO_OBJECT) $(BUILD)/libtm.a
	$(CC) $(AUTO_FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lsqlite3 -lm

-include $(SO_OBJECTS:.o=.d) $(STATIC_OBJECTS:.o=.d) $(AUTO_OBJECT:.o=.d)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: all ## install under PREFIX (/usr/local), below DESTDIR where that is set
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/bin"
	install -d "$(DESTDIR)$(PREFIX)/share/sqlite-tm/migrations"
	install -m 755 $(BUILD)/tm.so "$(DESTDIR)$(LIBDIR)/tm.so"
	install -m 755 $(BUILD)/tm-auto.so "$(DESTDIR)$(LIBDIR)/tm-auto.so"
	install -m 644 $(BUILD)/libtm.a "$(DESTDIR)$(LIBDIR)/libtm.a"
	install -m 644 ext/tm.h "$(DESTDIR)$(PREFIX)/include/tm.h"
	sed -e '/^#/d' -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' tools/sqlite-tm.pc.in | \
	  tools/version --fill >"$(DESTDIR)$(LIBDIR)/pkgconfig/sqlite-tm.pc"
	chmod 644 "$(DESTDIR)$(LIBDIR)/pkgconfig/sqlite-tm.pc"
	install -m 755 tools/migrate "$(DESTDIR)$(PREFIX)/bin/tm-migrate"
	install -m 755 tools/tm "$(DESTDIR)$(PREFIX)/bin/tm"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1"
	tools/version --fill <tools/tm-migrate.1.in >"$(DESTDIR)$(PREFIX)/share/man/man1/tm-migrate.1"
	tools/tm help --man | tools/version --fill >"$(DESTDIR)$(PREFIX)/share/man/man1/tm.1"
	chmod 644 "$(DESTDIR)$(PREFIX)/share/man/man1/tm-migrate.1" "$(DESTDIR)$(PREFIX)/share/man/man1/tm.1"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions"
	tools/tm help --completion >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tm"
	chmod 644 "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tm"
	rm -rf "$(DESTDIR)$(PREFIX)/share/sqlite-tm/tm.d"
	install -d "$(DESTDIR)$(PREFIX)/share/sqlite-tm/tm.d"
	install -m 644 tools/tm.d/* "$(DESTDIR)$(PREFIX)/share/sqlite-tm/tm.d/"
	rm -f "$(DESTDIR)$(PREFIX)/share/sqlite-tm/migrations/"*.sql
	install -m 644 sql/migrations/*.sql "$(DESTDIR)$(PREFIX)/share/sqlite-tm/migrations/"

uninstall: ## remove what install put there
	rm -f "$(DESTDIR)$(LIBDIR)/tm.so" "$(DESTDIR)$(LIBDIR)/tm-auto.so" "$(DESTDIR)$(LIBDIR)/libtm.a"
	rm -f "$(DESTDIR)$(LIBDIR)/pkgconfig/sqlite-tm.pc"
	rm -f "$(DESTDIR)$(PREFIX)/include/tm.h" "$(DESTDIR)$(PREFIX)/bin/tm-migrate" "$(DESTDIR)$(PREFIX)/bin/tm"
	rm -f "$(DESTDIR)$(PREFIX)/share/man/man1/tm-migrate.1" "$(DESTDIR)$(PREFIX)/share/man/man1/tm.1"
	rm -f "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tm"
	rm -rf "$(DESTDIR)$(PREFIX)/share/sqlite-tm"

clean: ## remove everything that was built
	rm -rf $(BUILD)

shell: export DB := $(DB)
shell: all ## a sqlite3 shell with the extension loaded; DB=file opens a database
	@command -v sqlite3 >/dev/null || { echo 'sqlite3 is missing: apt-get install sqlite3' >&2; exit 1; }
	@case "$$DB" in \
	  '') exec sqlite3 -cmd '.load $(BUILD)/tm' ;; \
	  /*) exec sqlite3 -cmd '.load $(BUILD)/tm' "$$DB" ;; \
	  *) exec sqlite3 -cmd '.load $(BUILD)/tm' "./$$DB" ;; \
	esac

demo: export DIR := $(DIR)
demo: ## the main job on real input, from a bare machine; DIR=folder to choose the input
	@tools/setup demo
	@$(MAKE) -s -j$(JOBS) all
	@tools/demo

# ---- packages ----------------------------------------------------------------------------------

# The address of the project's page, below which its releases lie.
REPOSITORY ?=
DIST := $(BUILD)/dist
# Without -g, which names folders: the same source gives the same bytes anywhere.
DIST_FLAGS = -std=c11 -fPIC $(WARNINGS) $(CPPFLAGS) $(filter-out -g%,$(CFLAGS))

$(DIST)/tm.c: $(SOURCES) $(wildcard ext/*.h ext/*/*.h) $(GEN) tools/amalgamate LICENSE
	@tools/amalgamate $(BUILD)/gen $(@D)

$(DIST)/tm.so: $(DIST)/tm.c
	$(CC) $(DIST_FLAGS) $(SO_FLAGS) $(LDFLAGS) -o $@ $< -lm

$(DIST)/libtm.a: $(DIST)/tm.c
	$(CC) $(DIST_FLAGS) -DSQLITE_CORE -c -o $(DIST)/tm.o $<
	@rm -f $@ && ZERO_AR_DATE=1 $(AR) rcs $@ $(DIST)/tm.o && rm $(DIST)/tm.o

amalgamation: $(DIST)/tm.c ## the whole extension as one C file, build/dist/tm.c and tm.h

dist: export REPOSITORY := $(REPOSITORY)
dist: $(DIST)/tm.so $(DIST)/libtm.a ## release archives, sqlpkg.json and checksums in build/dist; REPOSITORY=address
	@CC='$(CC)' tools/dist $(DIST)

$(DIST)/static_test: tests/static/static_test.c $(DIST)/libtm.a
	$(CC) -std=c11 $(WARNINGS) $(CFLAGS) $(LDFLAGS) -I$(DIST) -o $@ $< $(DIST)/libtm.a -lsqlite3 -lm

test-dist: ## the suite on the amalgamation, and the release archives; TESTS="names"
	@tools/setup test
	@$(MAKE) -s -j$(JOBS) tests dist $(DIST)/static_test >/dev/null
	@tools/total \
	  'release archives' tests/packages/dist $(DIST) \
	  + 'static form of the amalgamation' $(DIST)/static_test \
	  + 'suite on the amalgamation' env TM_SO=$(DIST)/tm.so TM_MATRIX_CONTEXTS=8 TM_MATRIX_EVERY=5 tools/with-sqlite system tclsh tests/run.tcl $(TESTS)

deb: ## the Debian packages libsqlite3-mod-tm and -dev in build/deb; installs what is missing
	@tools/setup deb
	@tools/deb $(BUILD)/deb

test-deb: deb ## the Debian packages installed, used and removed, on a copy of this machine
	@tests/packages/deb $(BUILD)/deb

npm: export REPOSITORY := $(REPOSITORY)
npm: ## the npm package sqlite-tm in build/npm; installs what is missing
	@tools/setup npm
	@$(MAKE) -s dist >/dev/null
	@tools/npm $(DIST) $(BUILD)/npm

test-npm: npm ## the npm package installed and used from a project of its own
	@tests/packages/npm $(BUILD)/npm

# ---- tests -------------------------------------------------------------------------------------

BASE_TEST := $(wildcard tests/base/*.c ext/base/*.c)

# The base layer, alone and under the sanitizers.
$(BUILD)/tests/base_test: $(BASE_TEST) $(wildcard tests/base/*.h ext/base/*.h)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -g -O1 $(SANITIZE) -DSQLITE_CORE -Iext -o $@ $(BASE_TEST) -lsqlite3 -lm

# A program that links the static form, as an application would.
$(BUILD)/tests/static_test: tests/static/static_test.c $(BUILD)/libtm.a ext/tm.h
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -DSQLITE_CORE $(CFLAGS) $(LDFLAGS) -Iext -o $@ $< $(BUILD)/libtm.a -lsqlite3 -lm

# What is generated of the columns of the statements, beside what SQLite says of them.
$(BUILD)/tests/queries_test: tests/static/queries_test.c $(BUILD)/libtm.a ext/tm.h
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -DSQLITE_CORE $(CFLAGS) $(LDFLAGS) -Iext -I$(BUILD)/gen -o $@ $< $(BUILD)/gen/queries.c $(BUILD)/libtm.a -lsqlite3 -lm

# Processes that work and are killed.
$(BUILD)/tests/death: $(wildcard tests/death/*.c) tests/death/death.h $(BUILD)/libtm.a ext/tm.h
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -DSQLITE_CORE $(CFLAGS) $(LDFLAGS) -Iext -o $@ $(filter %.c %.a,$^) -lsqlite3 -lm

# The extension under the sanitizers, as tools/checked has it; and the fuzzer's targets without the fuzzer.
ASAN := $(BUILD)/asan
ASAN_FLAGS := -O1 -g $(SANITIZE)
FUZZ := $(filter-out tests/fuzz/libfuzzer.c,$(wildcard tests/fuzz/*.c))

$(ASAN)/libtm.a: $(SOURCES) $(wildcard ext/*.h ext/*/*.h) $(GEN)
	@$(MAKE) -s BUILD=$(ASAN) CFLAGS='$(ASAN_FLAGS)' $@

$(BUILD)/tests/replay: $(FUZZ) tests/fuzz/fuzz.h $(ASAN)/libtm.a
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) $(ASAN_FLAGS) -DSQLITE_CORE -Iext -I$(BUILD)/gen -o $@ $(FUZZ) $(ASAN)/libtm.a -lsqlite3 -lm

# For the control: verbs without the atomic scope, which only ext/face/call.c knows.
$(BUILD)/tests/replay-torn: $(FUZZ) tests/fuzz/fuzz.h ext/face/call.c $(ASAN)/libtm.a
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) $(ASAN_FLAGS) -DSQLITE_CORE -DTM_TEST_TORN -Iext -I$(BUILD)/gen -o $@ \
	  $(FUZZ) ext/face/call.c $(ASAN)/libtm.a -lsqlite3 -lm

REPLAY := $(BUILD)/tests/replay $(BUILD)/tests/replay-torn

tests: $(REPLAY) all $(BUILD)/tests/base_test $(BUILD)/tests/static_test $(BUILD)/tests/queries_test $(BUILD)/tests/death

# On the system's SQLite all of them, but for the atomicity matrix one context of 16 and one cell of
# nine of it; on the newest those that are not slow, and one context of 56. `make test-all` runs every
# one on both, with ten times as many tasks in the tests that are about many.
test: ## the daily tests, on the system's SQLite and on the newest; installs what is missing
	@tools/setup test
	@$(MAKE) -s -j$(JOBS) tests
	@tools/total \
	  'base layer in C' $(BUILD)/tests/base_test \
	  + 'static form' $(BUILD)/tests/static_test \
	  + 'columns of the statements' $(BUILD)/tests/queries_test \
	  + 'process death' tclsh tests/death/death.tcl --kills 300 --seconds 0 \
	  + 'power loss' tclsh tests/crash/power.tcl --losses 432 \
	  + 'inputs of the fuzzer' tclsh tests/fuzz/replay.tcl $(REPLAY) \
	  + 'faults' tclsh tests/fault/fault.tcl --gap 3 --contexts 200 --again 3 --seed 1 \
	  + 'model check' tclsh tests/model/model.tcl --steps 100000 --seed 1 --jobs 2 \
	  + 'control of the model check' tclsh tests/model/model.tcl --control --seed 1 \
	  + "suite on the system's SQLite" env TM_MATRIX_CONTEXTS=16 TM_MATRIX_EVERY=9 tools/with-sqlite system tclsh tests/run.tcl $(TESTS) \
	  + 'static form on the newest SQLite' tools/with-sqlite newest $(BUILD)/tests/static_test \
	  + 'columns of the statements on the newest SQLite' tools/with-sqlite newest $(BUILD)/tests/queries_test \
	  + 'suite on the newest SQLite' env TM_MATRIX_EVERY=20 tools/with-sqlite newest tclsh tests/run.tcl -quick $(TESTS) \
	  $(if $(TESTS),,+ 'matrix on the newest SQLite' env TM_MATRIX_CONTEXTS=56 TM_MATRIX_EVERY=9 tools/with-sqlite newest tclsh tests/run.tcl atomic/matrix)

test-all: ## every test on both, with every cell of the atomicity matrix; some hours
	@tools/setup test
	@$(MAKE) -s -j$(JOBS) tests
	@tools/total \
	  'base layer in C' $(BUILD)/tests/base_test \
	  + 'static form' $(BUILD)/tests/static_test \
	  + 'columns of the statements' $(BUILD)/tests/queries_test \
	  + 'process death' tclsh tests/death/death.tcl \
	  + 'power loss' tclsh tests/crash/power.tcl --seed $(DAY) \
	  + 'faults' tclsh tests/fault/fault.tcl --gap 1.5 --contexts 8 --seed day \
	  + 'model check' tclsh tests/model/model.tcl --steps 1000000 --jobs 2 \
	  + 'control of the model check' tclsh tests/model/model.tcl --mutants \
	  + 'inputs of the fuzzer' tclsh tests/fuzz/replay.tcl $(REPLAY) \
	  + 'fuzzer' tools/fuzz --seconds 900 \
	  + "SQLite's own suite" tclsh tests/sqlite/suite.tcl \
	  + 'under the sanitizers' make -s asan \
	  + 'under valgrind' make -s valgrind \
	  + 'coverage' tools/coverage \
	  + 'mutants' tclsh tests/mutants/mutants.tcl --count 40 --seed $(DAY) \
	  + "suite on the system's SQLite" env TM_LARGE=1 tools/with-sqlite system tclsh tests/run.tcl $(TESTS) \
	  + 'static form on the newest SQLite' tools/with-sqlite newest $(BUILD)/tests/static_test \
	  + 'columns of the statements on the newest SQLite' tools/with-sqlite newest $(BUILD)/tests/queries_test \
	  + 'suite on the newest SQLite' env TM_LARGE=1 tools/with-sqlite newest tclsh tests/run.tcl $(TESTS)

test-quick: all ## one of five tests that are not slow, in 15 seconds; TESTS="names" to choose
	@TM_MATRIX_EVERY=20 tclsh tests/run.tcl -quick -share 5 $(TESTS)

# What no stored answer can show: random specs, and every change of many zones.
$(BUILD)/tests/zone_changes: tests/cron/zone_changes.c $(BUILD)/libtm.a
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -DSQLITE_CORE $(CFLAGS) $(LDFLAGS) -Iext -o $@ $< $(BUILD)/libtm.a -lsqlite3 -lm

test-cron: ## schedules and zones against other libraries; SEED=number replays a run
	@tools/setup test
	@$(MAKE) -s -j$(JOBS) all $(BUILD)/tests/zone_changes
	@tools/cron-peers >/dev/null
	@$${TM_PYTHON:-/usr/bin/python3} tests/cron/compare --cases 12000 $(if $(SEED),--seed $(SEED))

test-languages: all ## the example of each language, run and checked; ONLY="ruby go", INSTALL=1 gets what is missing
	@tools/total languages tests/languages/run $(if $(INSTALL),--install) $(ONLY) \
	  $(if $(ONLY),,+ 'broken examples' tests/languages/control)

soak: all ## random steps beside a model of the rules, an hour; HOURS=, STEPS= and SEED=number
	@tools/setup test
	@tclsh tests/model/model.tcl $(if $(STEPS),--steps $(STEPS),--hours $(or $(HOURS),1)) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

mutants: export ONLY := $(ONLY)
mutants: ## one thing at a time made wrong in ext/ or sql/: do the tests notice? an hour; COUNT=, SEED=number, ONLY=part
	@tools/setup test
	@tclsh tests/mutants/mutants.tcl --count $(or $(COUNT),200) --seed $(or $(SEED),1) --only "$$ONLY"

fault: all ## a fault at each allocation, read, write and lock of each call, others each day; GAP= and CONTEXTS= sample, ONLY=, SEED=number
	@tools/setup test
	@tclsh tests/fault/fault.tcl --gap $(or $(GAP),2) --contexts $(or $(CONTEXTS),16) --seed $(or $(SEED),day) $(if $(ONLY),--only '$(ONLY)')

death: all $(BUILD)/tests/death ## processes that work and are killed, half a minute; KILLS=, SECONDS= and SEED=number
	@tools/setup test
	@tclsh tests/death/death.tcl $(if $(KILLS),--kills $(KILLS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

crash: all ## simulated losses of power inside SQLite's own harness, a minute; LOSSES= and SEED=number
	@tools/setup test
	@tclsh tests/crash/power.tcl $(if $(LOSSES),--losses $(LOSSES)) $(if $(SEED),--seed $(SEED))

fuzz: ## inputs that break a rule, by clang's fuzzer, a minute a target; SECONDS=, TARGET="names"
	@tools/fuzz --seconds $(or $(SECONDS),60) $(TARGET)

replay: $(REPLAY) ## the inputs of the fuzzer that are kept, and its controls
	@tclsh tests/fuzz/replay.tcl $(REPLAY)

sqlite-suite: all ## SQLite's own suite, with the extension in every connection and without; five to fifteen minutes
	@tools/setup test
	@tclsh tests/sqlite/suite.tcl

asan: all ## the suite, the model check and faults under the address and undefined-behaviour sanitizers; QUICK=1, TESTS="names"
	@tools/setup test
	@TM_MATRIX_EVERY=20 TM_MATRIX_CONTEXTS=16 tools/checked asan $(if $(QUICK),-quick) $(TESTS)

valgrind: all ## the suite under valgrind, hours; SHARE=10 for a tenth of it, QUICK=1, TESTS="names"
	@tools/setup valgrind
	@TM_MATRIX_EVERY=100 TM_MATRIX_CONTEXTS=16 tools/checked valgrind $(if $(QUICK),-quick) $(if $(SHARE),-share $(SHARE)) $(TESTS)

coverage: ## which lines and branches of ext/ the tests reach, twenty minutes; TESTS="names"
	@tools/setup test
	@tools/coverage $(TESTS)

test-newest: all ## the suite on the newest SQLite alone; TESTS="names" to choose
	@tools/with-sqlite newest tclsh tests/run.tcl $(TESTS)

# ---- benchmark ---------------------------------------------------------------------------------

BENCH := $(filter-out tests/bench/wakeup.c,$(wildcard tests/bench/*.c))

$(BUILD)/bench/bench: $(BENCH) tests/bench/bench.h | $(BUILD)/.can-build
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -O2 -g -Itests/bench -o $@ $(BENCH) -lsqlite3

$(BUILD)/bench/wakeup: tests/bench/wakeup.c | $(BUILD)/.can-build
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -O2 -g -o $@ $< -lsqlite3

bench: all $(BUILD)/bench/bench $(BUILD)/bench/wakeup ## against the same facts by hand, with the limits; two minutes
	@tools/bench

bench-peers: ## sqlite-tm beside its peers, in one table; installs what is missing
	@$(MAKE) -s -j$(JOBS) all
	@tools/bench-peers

check: ## layers, format, generated files, query plans, symbols, sizes; installs what is missing
	@tools/setup test
	@$(MAKE) -s -j$(JOBS) all
	@tools/check

format: ## lay out the C files by .clang-format
	clang-format -i $$(find ext tests -name '*.[ch]')
