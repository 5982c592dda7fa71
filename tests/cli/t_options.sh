# SPDX-License-Identifier: MIT
# The command line: help, mistakes, words that look like options. Parsing itself is tested in tests/unit_opt.c.
. "$(dirname "$0")/lib.sh"

case_ "-h fits a screen"
run pith -h
status 0
err ''
check "more than 24 lines" test "$(wc -l <"$T/.out")" -le 24
check "a line of more than 79 columns" sh -c "! grep -q '.\{80\}' '$T/.out'"

case_ "--help has every option of run and examples"
run pith --help
status 0
for option in --model --system --file --no-stdin --lossy --tokens --stop --temp --seed --logit-bias --threads --kv --now; do
    grep -q -- "$option" "$T/.out" || fail "$option is missing"
done
check "no examples" grep -q '^Examples:' "$T/.out"

case_ "every command has -h, and help COMMAND is its --help"
for command in run info tokenize logits perplexity bench help; do
    run pith $command -h
    status 0
    run pith help $command
    status 0
    cp "$T/.out" "$T/help"
    run pith $command --help
    out_is "$T/help"
done
run pith help frobnicate
refused 2 'frobnicate'

case_ "--version"
run pith --version
status 0
check "no version" grep -q '^pith [0-9]' "$T/.out"

case_ "the manual in the tree is the one that the program prints"
run pith help --man
status 0
out_is docs/pith.1

case_ "mistakes are one line, status 2, and nothing is opened"
run pith -m "$T/nowhere.gguf" --temp hot x </dev/null
refused 2 '--temp hot: expected a number'
run pith --tempp 1 x </dev/null
refused 2 'did you mean --temp?'
run pith -m </dev/null
refused 2 '--model: expected a value'
run pith --raw --template x -m "$CHAIN" hi </dev/null
refused 2 '--raw'
run pith info a b
refused 2 'b'
run pith bench -m "$CHAIN" what
refused 2 'what'

case_ "words after -- are words"
run pith -m "$CHAIN" --raw -n 1 -v -- -h --raw </dev/null
status 0
err_has 'prompt: 8 tokens'

case_ "options may follow the words"
run pith abc --raw -n 1 -m "$CHAIN" </dev/null
status 0

case_ "--logit-bias forbids and is checked against the vocabulary"
run pith -m "$CHAIN" --raw -n 1 --temp 0 --logit-bias 98=-inf a </dev/null # b is the byte 98
status 0
check "b was said" sh -c "! grep -q b '$T/.out'"
run pith -m "$CHAIN" --logit-bias 99999=1 a </dev/null
refused 2 '--logit-bias 99999'

case_ "tokens that the file suppresses are never said"
model chain "$T/never.gguf" suppress=98
run pith -m "$T/never.gguf" --raw -n 1 --temp 0 a </dev/null
status 0
check "b was said" sh -c "! grep -q b '$T/.out'"

case_ "the file's sampling keys are defaults, options are stronger"
model chain "$T/cold.gguf" sampling=0
for seed in 1 2 3 4 5; do
    run pith -m "$T/cold.gguf" --raw -n 1 --seed $seed X </dev/null
    out 'A'
done
seen=$(for seed in 1 2 3 4 5 6 7 8; do pith -m "$T/cold.gguf" --raw -n 1 --temp 1 --seed $seed X </dev/null; echo; done | sort -u | wc -l)
check "--temp did not override the file" test "$seen" -gt 1
