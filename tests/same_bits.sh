#!/bin/sh
# SPDX-License-Identifier: MIT
# Another build of pith computes the same bits: tests/same_bits.sh COMMAND..., where COMMAND is the other pith, such as
# `qemu-aarch64 build/arm/pith`. Logits of a tiny model in the formats that fit it, at every level that the other has,
# and of the tiny models of all architectures if the reference data is there. PITH and BUILD as for tests/run.
cd "$(dirname "$0")/.." || exit 4
T=$(mktemp -d "${TMPDIR:-/tmp}/pith-same.XXXXXX") || exit 4
trap 'rm -rf "$T"' EXIT
ids=$(seq 1 70 | tr '\n' ',')
ids=${ids%,}
status=0

# same NAME MODEL IDS OTHER...: one case, with $options for both; a model that this build refuses is none.
options=
same() {
    name=$1 model=$2 list=$3
    shift 3
    "$PITH" logits $options -m "$model" --ids "$list" -o "$T/want" 2>/dev/null || return
    if ! "$@" logits $options -m "$model" --ids "$list" -o "$T/got" 2>"$T/err"; then
        echo "not ok same: $name: $(head -n 1 "$T/err")"
        status=1
    elif ! cmp -s "$T/want" "$T/got"; then
        echo "not ok same: $name: other bits"
        status=1
    else
        echo "ok same: $name"
    fi
}

"$BUILD/tests/make_model" random "$T/random.gguf" || exit 4
for type in F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL MXFP4; do
    "$PITH" quantize --pure "$T/random.gguf" "$T/$type.gguf" $type || exit 4
    [ "$type" != BF16 ] || options="--cpu scalar" # level avx512bf16 rounds activations
    same "$type" "$T/$type.gguf" "$ids" "$@"
    options=
done
for level in $("$@" info --supported | sed -n 's/^cpu_levels: //p'); do
    "$@" logits -m "$T/Q5_1.gguf" --ids 1 --cpu "$level" >"$T/got" 2>/dev/null || continue # the other lacks it
    same "Q5_1 $level" "$T/Q5_1.gguf" "$ids" sh -c 'level=$1; shift; exec "$@" --cpu "$level"' - "$level" "$@"
done
if [ -x ../shared/conformance/unpack ]; then
    for model in "$(../shared/conformance/unpack)"/archs/*-dense.gguf; do
        same "$(basename "$model" .gguf)" "$model" "$(cat "$model.ids")" "$@"
    done
else
    echo "skip same: architectures: no reference data"
fi
exit $status
