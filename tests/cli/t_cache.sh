# SPDX-License-Identifier: MIT
# --cache FILE: what was evaluated is kept from run to run; the answers are the same with it and without.
. "$(dirname "$0")/lib.sh"

CACHE=$T/cache
known() {
    run pith -m "$RANDOM_MODEL" --raw --no-stdin -v --temp 0 -n "$@"
}

case_ "cache: the next run knows the beginning"
known 4 --cache "$CACHE" "pqrstu"
status 0
err_has 'prompt: 6 tokens in'
known 4 --cache "$CACHE" "pqrsxyz"
status 0
err_has 'prompt: 7 tokens, 4 of them known'
cp "$T/.out" "$T/cached"
known 4 "pqrsxyz"
out_is "$T/cached"

case_ "cache: the same prompt again, and the answer as part of the prompt"
known 4 --cache "$CACHE" "pqrsxyz"
out_is "$T/cached"
err_has '7 of them known'
known 4 --cache "$CACHE" "stuvw"
err_has 'prompt: 5 tokens in'

case_ "cache: -n 0 prepares it"
rm -f "$CACHE"
known 0 --cache "$CACHE" "pqrstu"
status 0
out ''
known 2 --cache "$CACHE" "pqrstuv"
err_has '6 of them known'

case_ "cache: an answer cut by the context is kept too"
rm -f "$CACHE"
run pith -m "$RANDOM_MODEL" --raw --no-stdin --temp 0 -c 10 --cache "$CACHE" "pqrstu"
known 2 --cache "$CACHE" "pqrstuv"
err_has '6 of them known'

case_ "cache: chat goes on where it ended"
rm -f "$CACHE"
printf 'one' | run pith chat -m "$CHAIN" --cache "$CACHE" "$T/notes.md"
status 0
printf 'two' | run pith chat -m "$CHAIN" --cache "$CACHE" -v "$T/notes.md"
status 0
err_has 'prompt: 54 tokens, 30 of them known'

case_ "cache: of another model, of another --kv"
known 1 --cache "$CACHE" "abc"
refused 3 "$CACHE: is of another model"
rm -f "$CACHE"
known 1 --cache "$CACHE" "abc"
known 1 --kv f32 --cache "$CACHE" "abc"
refused 3 "$CACHE: its keys and values are of another type"

case_ "cache: a file that is something else is not written over"
echo 'my diary' >"$T/diary"
known 1 --cache "$T/diary" "abc"
refused 3 "$T/diary: not a session's state"
check "it was changed" test "$(cat "$T/diary")" = 'my diary'
: >"$T/empty"
known 1 --cache "$T/empty" "abc"
refused 3 "$T/empty: the file is empty"
known 1 --cache "$T" "abc"
refused 3 "$T: is a directory"

case_ "cache: a damaged file"
head -c 3000 "$CACHE" >"$T/cut"
known 1 --cache "$T/cut" "abc"
refused 3 "$T/cut: 3000 bytes, expected"
{ head -c 4000 "$CACHE"; printf "damg"; tail -c +4005 "$CACHE"; } >"$T/changed"
known 1 --cache "$T/changed" "abc"
refused 3 "$T/changed: damaged"

case_ "cache: a folder that is not there"
run pith -m "$CHAIN" --no-stdin --cache "$T/none/cache" "abc"
status 4
err_has 'none/cache'
out 'OK: \303\251~!\n'
