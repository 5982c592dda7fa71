# SPDX-License-Identifier: MIT
# What becomes the message: words, files, standard input; and what is refused as text.
. "$(dirname "$0")/lib.sh"

# With -v the number of prompt tokens shows what was read: the chain vocabulary has one token a byte, but for merges.
tokens() {
    grep -o 'prompt: [0-9]* tokens' "$T/.err" | grep -o '[0-9]*'
}
raw() {
    run pith -m "$CHAIN" --raw -v -n 1 "$@"
    status 0
}
expect_tokens() {
    [ "$(tokens)" = "$1" ] || fail "the prompt has $(tokens) tokens, expected $1"
}

case_ "words join with one space"
raw a bb a </dev/null
expect_tokens 6

case_ "standard input follows the words after one blank line"
printf 'xyz' | raw ab
expect_tokens 7

case_ "a part that ends in a newline gets one more"
printf 'ab\n' >"$T/f"
printf 'xyz' | raw -f "$T/f"
expect_tokens 7

case_ "a part that ends in a blank line gets none"
printf 'ab\n\n' >"$T/f"
printf 'xyz' | raw -f "$T/f"
expect_tokens 7

case_ "files stand in order and -f - places standard input"
printf 'ab' >"$T/f"
printf 'gh' | raw -f - -f "$T/f"
expect_tokens 6
out 'c'

case_ "without -f - standard input is last"
printf 'gh' | raw -f "$T/f"
out 'i'

case_ "standard input without a final newline is used as it is"
printf 'g' | raw
out 'h'

case_ "an empty file adds nothing"
: >"$T/empty"
raw -f "$T/empty" g </dev/null
expect_tokens 1

case_ "--no-stdin leaves standard input alone"
printf 'gh\nrest\n' | { pith -m "$CHAIN" --raw -n 1 --no-stdin g >"$T/.out" 2>"$T/.err"; got $?; cat >"$T/rest"; }
printf 'gh\nrest\n' >"$T/want"
out 'h'
check "standard input was read" cmp "$T/rest" "$T/want"

case_ "0 bytes of standard input and no words: usage"
run pith -m "$CHAIN" </dev/null
refused 2 'usage: pith'

case_ "an empty pipe and no words: usage"
: | run pith -m "$CHAIN"
refused 2 'usage: pith'

case_ "nothing at all, no model either: usage, not a missing model"
run pith </dev/null
refused 2 'usage: pith'
: | run pith --temp 0
refused 2 'usage: pith'

case_ "closed standard input counts as absent"
run pith -m "$CHAIN" --raw -n 1 g <&-
status 0
out 'h'
run pith -m "$CHAIN" <&-
refused 2 'usage: pith'

case_ "nothing but empty words: usage"
run pith -m "$CHAIN" "" </dev/null
refused 2 'usage: pith'

case_ "NUL in standard input is refused with its offset"
printf 'abc\000def' | run pith -m "$CHAIN" x
refused 3 'standard input: NUL byte at offset 3'

case_ "invalid UTF-8 is refused with its offset"
printf 'abcd\377' | run pith -m "$CHAIN" x
refused 3 'standard input: invalid UTF-8 at offset 4'
printf 'ab\303' >"$T/bad"
run pith -m "$CHAIN" -f "$T/bad" x </dev/null
refused 3 "$T/bad: invalid UTF-8 at offset 2"
run pith -m "$CHAIN" "$(printf 'a\200')" </dev/null
refused 3 'PROMPT: invalid UTF-8 at offset 1'

case_ "--lossy replaces bad bytes and drops NUL"
printf 'a\000b\377g' | raw --lossy # a b U+FFFD g: 3 + 3 bytes
expect_tokens 6
out 'h'

case_ "the system turn is text too"
run pith -m "$CHAIN" -s "$(printf 'a\377')" x </dev/null
refused 3 '--system: invalid UTF-8 at offset 1'
run pith -m "$CHAIN" --lossy -s "$(printf 'a\377')" x </dev/null
status 0
out 'OK: \303\251~!\n'

case_ "an empty template file is refused, not taken for none"
run pith -m "$CHAIN" --template "$T/empty" x </dev/null
refused 3 "--template $T/empty: the file is empty"

case_ "a missing file is named"
run pith -m "$CHAIN" -f "$T/nowhere" x </dev/null
refused 3 "$T/nowhere: no such file"

case_ "a directory as file is named"
run pith -m "$CHAIN" -f "$T" x </dev/null
refused 3 "$T: is a directory"

case_ "-f - twice and -f - with --no-stdin are usage errors"
run pith -m "$CHAIN" -f - -f - </dev/null
refused 2 'once'
run pith -m "$CHAIN" -f - --no-stdin </dev/null
refused 2 '--no-stdin'

case_ "5 MB of standard input do not fit: both numbers, no output"
head -c 5000000 /dev/zero | tr '\0' 'q' | run pith -m "$CHAIN" --raw
refused 3 'prompt: 5000000 tokens, but the context holds 8192'
