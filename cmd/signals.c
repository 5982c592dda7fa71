// SPDX-License-Identifier: MIT
// Signal handlers. See cmd/signals.h.
#include "cmd/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"

volatile sig_atomic_t signals_interrupted;

// What the handler of SIGBUS says; written before the handler is installed.
static char bus_line[512];
static size_t bus_line_len;

static void on_interrupt(int signal_number) {
    signals_interrupted = signal_number;
}

static void on_bus(int signal_number) {
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, bus_line, bus_line_len);
    (void)written;
    _exit(ERR_SYSTEM);
}

void signals_setup(void) {
    // The lowest free descriptor is the one that open takes. Standard input, missing, must read as empty; the outputs
    // must fail when written to.
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY) != fd)
            _exit(ERR_SYSTEM);
    signal(SIGPIPE, SIG_DFL);
}

void signals_catch_interrupt(void) {
    // No SA_RESTART: a blocked read or write looks at the flag. SA_RESETHAND: the second one kills.
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
}

void signals_name_mapping(const char *path) {
    int n = snprintf(bus_line, sizeof bus_line, "pith: %.400s: the file shrank or cannot be read any more\n", path);
    bus_line_len = n > 0 ? min_size((size_t)n, sizeof bus_line - 1) : 0;
    struct sigaction action = {.sa_handler = on_bus};
    sigaction(SIGBUS, &action, NULL);
}

// What a handler needs to set a terminal back; written while `guarded` is 0.
static struct {
    struct termios saved;
    const char *leave;
    size_t leave_len;
    int in, out;
} terminal;
static volatile sig_atomic_t guarded;

static const int guard_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

// The default action follows when the handler is left, as the signal is blocked in it.
static void on_leaving(int signal_number) {
    int error = errno;
    if (guarded) {
        guarded = 0;
        tcsetattr(terminal.in, TCSANOW, &terminal.saved);
        ssize_t written = write(terminal.out, terminal.leave, terminal.leave_len);
        (void)written;
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    errno = error;
}

// A read that waits for keys looks again: the size changed, or the program goes on after a stop.
static void on_change(int signal_number) {
    (void)signal_number;
}

void signals_guard_terminal(int in, int out, const struct termios *saved, const char *leave) {
    guarded = 0;
    terminal.saved = *saved;
    terminal.leave = leave;
    terminal.leave_len = strlen(leave);
    terminal.in = in;
    terminal.out = out;
    struct sigaction leaving = {.sa_handler = on_leaving}, change = {.sa_handler = on_change};
    for (size_t i = 0; i < ARRAY_LEN(guard_signals); i++)
        sigaction(guard_signals[i], &leaving, NULL);
    sigaction(SIGWINCH, &change, NULL);
    sigaction(SIGCONT, &change, NULL);
    guarded = 1;
}

void signals_free_terminal(void) {
    guarded = 0;
    for (size_t i = 0; i < ARRAY_LEN(guard_signals); i++)
        signal(guard_signals[i], SIG_DFL);
    signal(SIGWINCH, SIG_DFL);
    signal(SIGCONT, SIG_DFL);
}
