# pith: `make` builds ./pith; nothing built is run during the build, so a cross build needs CC= only.
CC ?= cc
CFLAGS ?= -O2 -g
WARN = -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ROOMS = base quant text backends backends/cpu models infer cmd
SRC = main.c gguf.c $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
BUILD ?= build/release
OBJ = $(SRC:%.c=$(BUILD)/%.o)
LDLIBS = -lm -lpthread

pith: $(BUILD)/pith
	cp $< $@

$(BUILD)/pith: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WARN) -I. -MMD -MP -c -o $@ $<

-include $(OBJ:.o=.d)

clean:
	rm -rf build pith

.PHONY: clean
