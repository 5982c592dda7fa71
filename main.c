// SPDX-License-Identifier: MIT
// pith runs GGUF language models: text in, text out, and an exit status that a script can trust. Everything that the
// command line can do is a row of cmd/commands.h.
#include "cmd/cmd.h"
#include "cmd/signals.h"

int main(int argc, char **argv) {
    signals_setup();
    return cmd_main(argc, argv);
}
