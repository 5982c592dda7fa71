# SPDX-License-Identifier: MIT
# Conversations on a terminal: tests/cli/terminal.py plays the user of a pseudoterminal.
. "$(dirname "$0")/lib.sh"

if ! python3 -c 'import pty, termios' 2>/dev/null; then
    skip_ "chat on a terminal: no python3"
    exit 0
fi
model chain "$T/long.gguf" context=1000000
PITH=$PITH CHAIN=$CHAIN LONG=$T/long.gguf T=$T python3 "$(dirname "$0")/terminal.py"
