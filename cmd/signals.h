// SPDX-License-Identifier: MIT
// Signals: the only mutable state of the program that is not handed from call to call.
#pragma once

#include <signal.h>

#include "base/base.h"

// Set by the first SIGINT; the second one kills. Only after signals_catch_interrupt.
extern volatile sig_atomic_t signals_interrupted;

// Called once at the start: a closed pipe ends the process, and missing descriptors 0 to 2 are opened so that no file
// of the program takes their place (they read as empty and cannot be written to).
void signals_setup(void);

// The first SIGINT from now on only sets signals_interrupted.
void signals_catch_interrupt(void);

// A mapped file that shrinks or cannot be read ends the program with one line that names it and status 4.
void signals_name_mapping(const char *path);

// A terminal whose settings were changed: a signal that ends or stops the program sets it back to `saved` first and
// writes `leave` (terminated; kept by the caller) to `out`.
struct termios;
void signals_guard_terminal(int in, int out, const struct termios *saved, const char *leave);
// The settings are as they were.
void signals_free_terminal(void);
