#!/bin/sh
# SPDX-License-Identifier: MIT
# One plain compiler line, without the Makefile, builds a program that computes the same bits: with gcc, not optimized, as
# the Makefile's build is, and with clang.
cd "$(dirname "$0")/.." || exit 4
T=$(mktemp -d "${TMPDIR:-/tmp}/pith-plain.XXXXXX") || exit 4
trap 'rm -rf "$T"' EXIT
ids=$(seq 1 70 | tr '\n' ',')
"$BUILD/tests/make_model" random "$T/random.gguf" &&
    "$PITH" logits -m "$T/random.gguf" --ids "${ids%,}" -o "$T/want" || exit 4
status=0
for cc in gcc:-O0 clang:-O2; do
    level=${cc#*:} cc=${cc%:*}
    name="plain: one line of $cc computes the same bits"
    if ! command -v $cc >/dev/null; then
        echo "skip $name: no $cc"
        continue
    fi
    if ! $cc $level -I. -o "$T/pith" main.c gguf.c base/*.c quant/*.c text/*.c backends/*.c backends/cpu/*.c models/*.c \
        infer/*.c cmd/*.c -lm -lpthread >"$T/log" 2>&1; then
        why="it does not build: $(grep -m 1 error "$T/log")"
    elif [ -s "$T/log" ]; then
        why="a warning: $(grep -m 1 warning "$T/log")"
    elif ! "$T/pith" logits -m "$T/random.gguf" --ids "${ids%,}" -o "$T/got" 2>"$T/log"; then
        why="it does not run: $(head -n 1 "$T/log")"
    elif ! cmp -s "$T/want" "$T/got"; then
        why="other bits"
    else
        echo "ok $name"
        continue
    fi
    echo "not ok $name: $why"
    status=1
done
exit $status
