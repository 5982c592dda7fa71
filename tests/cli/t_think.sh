# SPDX-License-Identifier: MIT
# Thinking, template variables and tools of run: where each goes, and what is refused.
. "$(dirname "$0")/lib.sh"

THINKER=$T/thinker.gguf
model chain "$THINKER" thinks=1

case_ "thinking is dropped by default"
run pith -m "$THINKER" hi </dev/null
status 0
out 'OK: \303\251~!\n'
err ''

case_ "--think stderr"
run pith -m "$THINKER" --think stderr hi </dev/null
status 0
out 'OK: \303\251~!\n'
err '12\n'

case_ "--think show"
run pith -m "$THINKER" --think show hi </dev/null
status 0
out '<think>\n12\n</think>\n\nOK: \303\251~!\n'
err ''

case_ "a raw run shows what comes, and thinks nothing of it"
run pith -m "$THINKER" --raw --special -n 5 --think stderr '<think>' </dev/null
out '12OK'
err ''

case_ "a stop text counts in the answer only"
run pith -m "$THINKER" --stop 2 --stop ':' hi </dev/null
out 'OK\n'

case_ "a thought that is cut has no answer"
run pith -m "$THINKER" -n 2 --think show hi </dev/null
status 0
out '<think>\n1\n</think>\n\n'
run pith -m "$THINKER" -n 2 hi </dev/null
out '\n'

case_ "--think-budget ends the thinking"
run pith -m "$THINKER" --think-budget 1 -v --think stderr hi </dev/null
status 0
out 'OK: \303\251~!\n'
check "it thought on" grep -q '^1$' "$T/.err"

case_ "--think-budget 0: the template opens the thought, and it is closed at once"
printf '%s' "{% for m in messages %}{{ m.content }}{% endfor %}{{ '<think>' }}" >"$T/opened"
run pith -m "$THINKER" --template "$T/opened" --think-budget 0 --think show -n 0 hi </dev/null
out ''
run pith -m "$THINKER" --template "$T/opened" --think show -n 3 hi </dev/null
out '<think>\n12\n</think>\n\n'
run pith -m "$THINKER" --template "$T/opened" --think show hi </dev/null
out '<think>\n12\n</think>\n\nOK: \303\251~!\n'

case_ "--template-arg: JSON or text"
printf '%s' "{{ flag ~ '|' ~ level ~ '|' ~ list[1] ~ '|' ~ (flag is boolean) }}" >"$T/vars"
run pith -m "$CHAIN" --template "$T/vars" --template-arg flag=false --template-arg level=high --template-arg 'list=[1,2]' \
    -v -n 1 hi </dev/null
status 0
err_has 'prompt: 17 tokens' # False|high|2|True
run pith -m "$CHAIN" --template-arg 1x=2 hi </dev/null
refused 2 '--template-arg 1x=2: expected NAME=VALUE'
run pith -m "$CHAIN" --raw --template-arg x=2 hi </dev/null
refused 2 '--raw: contradicts --template-arg'

case_ "--tools must be a JSON array of objects"
printf '{}' >"$T/tools"
run pith -m "$CHAIN" --tools "$T/tools" hi </dev/null
refused 3 "--tools $T/tools: expected a JSON array"
printf '[1]' >"$T/tools"
run pith -m "$CHAIN" --tools "$T/tools" hi </dev/null
refused 3 "--tools $T/tools: tool 1: expected a JSON object"
printf '[' >"$T/tools"
run pith -m "$CHAIN" --tools "$T/tools" hi </dev/null
refused 3 "$T/tools: line 1"

case_ "--tools: the template has them; one without says so"
printf '[{"function":{"name":"f"}}]' >"$T/tools"
printf '%s' "{% if tools %}{{ tools[0].function.name }}{% endif %}" >"$T/uses"
run pith -m "$CHAIN" --template "$T/uses" --tools "$T/tools" -v -n 1 hi </dev/null
err_has 'prompt: 1 tokens'
run pith -m "$CHAIN" --tools "$T/tools" hi </dev/null
status 0
err 'pith: warning: --tools: the chat template takes no tools, the model will not see them\n'

case_ "--tool-calls json: one object, when the answer is complete"
run pith -m "$THINKER" --tool-calls json hi </dev/null
status 0
out '{"content":"OK: \303\251~!","tool_calls":[]}\n'
run pith -m "$THINKER" --tool-calls json --think show --stop '~' hi </dev/null
out '{"content":"OK: \303\251","thinking":"12","tool_calls":[]}\n'
run pith -m "$THINKER" --tool-calls xml hi </dev/null
refused 2 '--tool-calls xml: expected json'
run pith -m "$THINKER" --raw --tool-calls json hi </dev/null
refused 2 '--raw: contradicts --tool-calls'
