# rapport. Targets: all demo test check asan tsan fuzz bench install clean (docs/architecture.md says what each is for).
#
# Knobs:  V=1          show commands               WERROR=1      warnings are errors (check sets it)
#         T=noise      only tests whose path matches             SECONDS=60    how long each fuzz target runs
#         VARIANT=     empty, asan, tsan or fuzz: build/<variant>/ keeps objects of each kind apart
#         DESTDIR= PREFIX=/usr/local               where install goes

CC      ?= cc
AR      ?= ar
PREFIX  ?= /usr/local
VARIANT ?=
SECONDS ?= 60
B       := build$(if $(VARIANT),/$(VARIANT))
Q       := $(if $(V),,@)

PACKAGES  := libsodium libuv msgpack sqlite3 expat libcmark-gfm jansson zlib libutf8proc
WARN      := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
SAN_asan  := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_tsan  := -fsanitize=thread
SAN_fuzz  := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
CFLAGS    ?= -O2 -g
ALLCFLAGS := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc $(WARN) $(if $(WERROR),-Werror) -fno-omit-frame-pointer \
             -fstack-protector-strong -fPIC $(CFLAGS) $(SAN_$(VARIANT)) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS      := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lcmark-gfm-extensions -lm -lpthread
LDFLAGS   += $(SAN_$(VARIANT))

# Layers, lowest first, from the one table; closure(layer) is the layer with all that it may include.
LAYERS    := $(shell sed -n 's/^\([a-z]*\):.*/\1/p' src/LAYERS)
CORE      := base crypto text log report sync node publish
reverse    = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
$(foreach l,$(LAYERS),$(eval DEPS_$(l) := $(shell sed -n 's/^$(l)://p' src/LAYERS | sed 's,/[^ ]*,,g')))
$(foreach l,$(LAYERS),$(eval NEED_$(l) := $(sort $(l) $(foreach d,$(DEPS_$(l)),$(NEED_$(d))))))
$(foreach l,$(LAYERS),$(eval SRC_$(l) := $(wildcard src/$(l)/*.c)))
$(foreach l,$(LAYERS),$(eval OBJ_$(l) := $(SRC_$(l):src/%.c=$(B)/obj/%.o)))
archives   = $(foreach l,$(call reverse,$(filter $(NEED_$(1)),$(LAYERS))),$(B)/lib/lib$(l).a)

FUZZERS   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TESTS     := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard $(foreach l,$(LAYERS),tests/$(l)/test_*.c))) \
             $(FUZZERS:%=$(B)/tests/fuzz/%)
SCRIPTS   := $(wildcard tests/*/test_*.sh tests/*/test_*.py)
PROGRAMS  := $(addprefix $(B)/,$(if $(SRC_cli),rapport) $(if $(wildcard src/bench/bench.c),rapport-bench) \
             $(if $(wildcard src/bench/sim_main.c),rapport-sim))
CHOSEN     = $(if $(T),$(foreach t,$(T),$(foreach p,$(TESTS) $(SCRIPTS),$(if $(findstring $(t),$(p)),$(p)))),$(TESTS) $(SCRIPTS))
SIM_WRAP  := -Wl,--wrap=crypto_sign_verify_detached,--undefined=__wrap_crypto_sign_verify_detached
WRAP      := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

.PHONY: all demo test test-only check asan tsan fuzz bench install clean fmt tidy deps
.DELETE_ON_ERROR:
all: $(filter %/rapport,$(PROGRAMS)) $(B)/librapport.a $(B)/librapport_uv.a

$(B)/obj/%.o: src/%.c
	$(Q)mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $<')
	$(Q)$(CC) $(ALLCFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/test.o: tests/test.c tests/test.h
	$(Q)mkdir -p $(@D) && $(CC) $(ALLCFLAGS) -c -o $@ $<

define layer_rule
$(B)/lib/lib$(1).a: $$(OBJ_$(1))
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$^
$(B)/tests/$(1)/%: tests/$(1)/%.c $(B)/obj/test.o $$(call archives,$(1))
	$$(Q)mkdir -p $$(@D)
	$$(if $$(V),,@echo '  TEST $$<')
	$$(Q)$$(CC) $$(ALLCFLAGS) -Itests -MMD -MP -MF $$@.d -o $$@ $$< $(B)/obj/test.o $$(LDFLAGS) $$(WRAP) $$(call archives,$(1)) $$(LIBS)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

# A fuzz target by itself (VARIANT=fuzz CC=clang), and the same code as a test that runs its corpus.
UNFUZZED  := cli bench
FUZZ_LIBS := $(foreach l,$(call reverse,$(filter-out $(UNFUZZED),$(LAYERS))),$(B)/lib/lib$(l).a)
$(B)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_LIBS)
	$(Q)$(CC) $(ALLCFLAGS) -fsanitize=fuzzer -o $@ $< $(LDFLAGS) $(FUZZ_LIBS) $(LIBS)
$(B)/tests/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/standalone.c $(FUZZ_LIBS)
	$(Q)mkdir -p $(@D)
	$(if $(V),,@echo '  TEST $<')
	$(Q)$(CC) $(ALLCFLAGS) -o $@ $< tests/fuzz/standalone.c $(LDFLAGS) $(FUZZ_LIBS) $(LIBS)

# Static analysis of one source, again whenever it or one of its headers changed.
$(B)/tidy/%: src/%.c .clang-tidy $(B)/obj/%.o
	$(Q)mkdir -p $(@D)
	$(if $(V),,@echo '  TIDY $<')
	$(Q)scripts/tidy $< -- $(ALLCFLAGS)
	$(Q)touch $@
tidy: $(foreach l,$(LAYERS),$(SRC_$(l):src/%.c=$(B)/tidy/%))

$(B)/librapport.a: $(foreach l,$(CORE),$(OBJ_$(l)))
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/librapport_uv.a: $(OBJ_store) $(OBJ_net)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/rapport: $(call archives,cli)
	$(Q)$(CC) $(ALLCFLAGS) -o $@ $(OBJ_cli) $(LDFLAGS) $(call archives,cli) $(LIBS)
$(B)/rapport-bench: $(OBJ_bench) $(call archives,bench)
	$(Q)$(CC) $(ALLCFLAGS) -o $@ $(filter-out %/sim_main.o,$(OBJ_bench)) $(LDFLAGS) $(filter-out %/libbench.a,$(call archives,bench)) $(LIBS)
$(B)/rapport-sim: $(OBJ_bench) $(call archives,sim)
	$(Q)$(CC) $(ALLCFLAGS) -o $@ $(B)/obj/bench/sim_main.o $(LDFLAGS) $(SIM_WRAP) $(call archives,sim) $(LIBS)

deps:
	$(Q)scripts/deps
test: deps
	$(Q)$(MAKE) --no-print-directory test-only
test-only: $(filter $(B)/%,$(CHOSEN)) $(PROGRAMS) $(B)/librapport.a $(B)/librapport_uv.a
	$(Q)B=$(B) scripts/run-tests $(CHOSEN)
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo
check: deps
	$(Q)scripts/check-format && scripts/check-headers && scripts/check-layers && scripts/check-static
	$(Q)$(MAKE) --no-print-directory WERROR=1 all
	$(Q)scripts/check-pure $(B)/librapport.a
	$(Q)$(MAKE) --no-print-directory WERROR=1 test-only
asan tsan: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=$@ test-only
	$(if $(wildcard src/bench/sim_main.c),$(Q)build/$@/rapport-sim --peers 5 --seed 1 --minutes 5 --faults all)
fuzz: deps
	$(Q)scripts/fuzz $(SECONDS) $(if $(T),$(T),$(FUZZERS))
bench: deps
	$(Q)$(MAKE) --no-print-directory $(PROGRAMS)
	$(Q)scripts/bench
fmt:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')
install: all
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' B=$(B) scripts/install
clean:
	$(Q)rm -rf build
print-%:
	@echo '$($*)'

-include $(foreach l,$(LAYERS),$(OBJ_$(l):.o=.d)) $(TESTS:=.d)
