# SPDX-License-Identifier: MIT
# What command-line tests are written in. A script sources this file and then says, case by case:
#   case_ "what must hold"          begins a case; its first failed expectation is its reason
#   run pith ARGS... <input         runs with standard output, standard error and status kept apart
#   status 3                        the exit status (got N hands over that of a command started without run)
#   out 'text' / out_is FILE        standard output, exactly (printf escapes in the text)
#   err '' / err_has 'words'        standard error, exactly, or one line of it contains the words
#   check 'why' COMMAND...          any command that must succeed
# $T is an empty folder of the script, $CHAIN a model whose answer to every chat is "OK: é~!" and whose raw text goes
# round the alphabet, $RANDOM_MODEL one with random weights. PITH is the program.
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/pith-cli.XXXXXX") || exit 4
case_name=''
unset PITH_MODEL
PITH_PATH=$T
HOME=$T
export PITH_PATH HOME

finish() {
    [ -n "$case_name" ] || return 0
    if [ -e "$T/.why" ]; then
        echo "not ok $case_name: $(cat "$T/.why")"
        failures=1
    else
        echo "ok $case_name"
    fi
    rm -f "$T/.why"
    case_name=''
}

at_exit() {
    finish
    rm -rf "$T"
    exit ${failures:-0}
}
trap at_exit EXIT

case_() {
    finish
    case_name="cli: $1"
}

skip_() {
    echo "skip cli: $1"
}

# Kept in a file, as the status is, because the last command of a pipe runs in a shell of its own.
fail() {
    [ -e "$T/.why" ] || printf '%s' "$1" | tr '\n' ' ' | head -c 400 >"$T/.why"
}

pith() {
    timeout 60 "$PITH" "$@"
}

run() {
    "$@" >"$T/.out" 2>"$T/.err"
    echo $? >"$T/.status"
}

# The status of a command that was not started by run.
got() {
    echo "$1" >"$T/.status"
}

status() {
    [ "$(cat "$T/.status")" -eq "$1" ] || fail "status $(cat "$T/.status"), expected $1; standard error: $(cat "$T/.err")"
}

out() {
    printf "$1" >"$T/.want"
    out_is "$T/.want"
}

out_is() {
    cmp -s "$1" "$T/.out" || fail "standard output is '$(head -c 200 "$T/.out")', expected '$(head -c 200 "$1")'"
}

err() {
    printf "$1" >"$T/.want"
    cmp -s "$T/.want" "$T/.err" || fail "standard error is '$(head -c 300 "$T/.err")', expected '$(cat "$T/.want")'"
}

# One line, that begins as every message of the program does.
err_has() {
    grep -qF -- "$1" "$T/.err" || fail "standard error is '$(head -c 300 "$T/.err")', expected '$1' in it"
    [ "$(grep -vc '^pith: ' "$T/.err")" -eq 0 ] || fail "a line of standard error does not begin with 'pith: '"
}

one_line() {
    [ "$(wc -l <"$T/.err")" -eq 1 ] || fail "standard error has $(wc -l <"$T/.err") lines, expected one"
}

check() {
    reason=$1
    shift
    "$@" >/dev/null 2>&1 || fail "$reason"
}

# An error: status, words, nothing on standard output.
refused() {
    status "$1"
    err_has "$2"
    one_line
    out ''
}

model() {
    "$BUILD/tests/make_model" "$@" || fail "no model"
}

CHAIN=$T/chain.gguf RANDOM_MODEL=$T/random.gguf
model chain "$CHAIN"
model random "$RANDOM_MODEL"
