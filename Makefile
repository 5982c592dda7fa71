# pith: `make` builds ./pith for any machine of the compiler's kind, with all SIMD levels inside. Nothing built is run
# during the build, so a cross build needs CC= only.
#
#   make demo      build, fetch a small model, answer a prompt       make lint     style, warnings, room order, manual
#   make test      build and run the tests (SUITES="unit cli")       make fuzz     fuzz the readers (SECONDS=60)
#   make check     the same under the address and UB sanitizers      make tidy     clang-tidy, minutes
#   make install  PREFIX=/usr/local DESTDIR=
#   make broken    every reference model with each single thing broken, under the sanitizers (the suite is a sample)
#   make references   write tests/data/beyond anew (Python with torch, transformers and gguf; NAMES="bert t5")
CFLAGS ?= -O2 -g
WARN = -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ROOMS = base quant text backends backends/cpu models infer cmd
SRC = main.c gguf.c $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
BUILD ?= build/release
OBJ = $(SRC:%.c=$(BUILD)/%.o)
LDLIBS = -lm -lpthread
PREFIX ?= /usr/local
SECONDS ?= 60

# A test program NAME is tests/NAME.c and tests/NAME_*.c, with the helpers and all of pith but main.c.
TESTS = unit malformed allocfail steady states check make_model quants
HELPERS = $(BUILD)/tests/test.o $(BUILD)/tests/gguf_write.o $(BUILD)/tests/fuzz_gguf.o
PROGRAMS = $(foreach t,$(TESTS),$(if $(wildcard tests/$(t).c),$(BUILD)/tests/$(t)))

# Clang before 17 declares the intrinsics of ARM's extensions only under -march.
TARGET := $(shell echo __aarch64__ __clang_major__ | $(CC) $(CFLAGS) -E -P -x c - 2>/dev/null)
ifeq (1,$(firstword $(TARGET)))
ifneq (,$(filter 10 11 12 13 14 15 16,$(TARGET)))
$(BUILD)/backends/cpu/dotprod.o $(BUILD)/backends/cpu/dotprod_gemm.o: LEVEL = -march=armv8.2-a+dotprod
$(BUILD)/backends/cpu/i8mm.o: LEVEL = -march=armv8.2-a+dotprod+i8mm
endif
endif

pith: $(BUILD)/pith
	cp $< $@

$(BUILD)/pith: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LEVEL) $(WARN) $(WERROR) -I. -MMD -MP -c -o $@ $<

define test_program
$(BUILD)/tests/$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/$(1).c tests/$(1)_*.c)) $(HELPERS) \
                     $(filter-out $(BUILD)/main.o,$(OBJ))
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach t,$(TESTS),$(eval $(call test_program,$(t))))

# Every allocation of these passes through functions of their own.
$(BUILD)/tests/allocfail $(BUILD)/tests/steady: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup

-include $(OBJ:.o=.d) $(wildcard $(BUILD)/tests/*.d)

demo: pith
	scripts/get-model
	./pith -m SmolLM2-135M --seed 1 "Name three rivers of Europe."

tests: $(BUILD)/pith $(PROGRAMS)

test: tests
	BUILD=$(BUILD) tests/run $(SUITES)

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
check:
	$(MAKE) test BUILD=build/sanitize CFLAGS="-O1 -g1 $(SANITIZE)" SUITES="$(or $(SUITES),unit malformed allocfail steady states kernels archs broken cli)"

broken:
	$(MAKE) BUILD=build/sanitize CFLAGS="-O1 -g1 $(SANITIZE)" build/sanitize/pith
	PITH=build/sanitize/pith python3 tests/conform/broken.py all

# The objects are compiled once for all the fuzzers.
FUZZ = $(patsubst tests/%.c,build/fuzz/%,$(wildcard tests/fuzz_*.c))
FUZZED = $(patsubst %.c,build/fuzz/obj/%.o,$(filter-out main.c,$(SRC)) tests/gguf_write.c)
build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	clang -O1 -g -fsanitize=fuzzer-no-link,address,undefined $(WARN) -I. -MMD -MP -c -o $@ $<

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz_%.o $(FUZZED)
	clang -g -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
-include $(wildcard build/fuzz/obj/*.d build/fuzz/obj/*/*.d build/fuzz/obj/*/*/*.d)
.PRECIOUS: build/fuzz/obj/%.o

# The models that tests/fuzz_state.c opens.
build/fuzz/window.gguf: $(BUILD)/tests/make_model
	@mkdir -p $(@D)
	$< random $@ window=70
build/fuzz/recurrent.gguf: tests/data/beyond/rwkv7.gguf.xz
	@mkdir -p $(@D)
	xz -dc $< >$@

fuzz: $(FUZZ) build/fuzz/window.gguf build/fuzz/recurrent.gguf
	for f in $(FUZZ); do mkdir -p $$f.corpus && $$f -max_total_time=$(SECONDS) -timeout=10 -max_len=65536 $$f.corpus || exit 1; done

PYTHON ?= python3
references:
	$(PYTHON) tests/generate/references.py $(NAMES)

# Minutes, so apart from lint.
tidy:
	@! git ls-files '*.c' | xargs -P 2 -n 4 sh -c 'clang-tidy --quiet "$$@" -- -std=gnu11 -I. 2>/dev/null' sh | grep -E '(warning|error): '

lint: $(BUILD)/pith
	PITH=$(BUILD)/pith scripts/lint

install: pith
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 pith $(DESTDIR)$(PREFIX)/bin/pith
	install -m 644 docs/pith.1 $(DESTDIR)$(PREFIX)/share/man/man1/pith.1

clean:
	rm -rf build pith

.PHONY: demo tests test check broken fuzz references lint tidy install clean
