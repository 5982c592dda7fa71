// SPDX-License-Identifier: MIT
// How a call says that it failed: it returns false and leaves a class and one line of text in the caller's struct
// err. The class is the exit status of the program. Nothing below cmd/ prints or exits.
#pragma once

#include "base/base.h"

enum err_class {
    ERR_NONE = 0,
    ERR_NO = 1,          // the answer is "no": a predicate, a failed check
    ERR_USAGE = 2,       // the command line
    ERR_INPUT = 3,       // bad input or a bad model
    ERR_SYSTEM = 4,      // memory, disk, device
    ERR_CONTEXT = 5,     // the answer was cut by the end of the context
    ERR_INTERRUPT = 130, // SIGINT
};

struct err {
    enum err_class class;
    char text[512]; // one line without a newline: WHAT: WHY
};

// Fills *e and returns false, so that a caller can write `return err_set(...)`. Bytes that do not belong in one line
// of text (control characters, broken UTF-8, as hostile files carry them) become '?'.
bool err_set(struct err *e, enum err_class class, const char *format, ...) PRINTF_LIKE(3, 4);

// Puts "what: " before the text of an error that a lower room reported; returns false.
bool err_prefix(struct err *e, const char *what);

// err_set for a failed allocation of `size` bytes for `what`.
bool err_memory(struct err *e, size_t size, const char *what);

#define ERR_IF(condition, e, class, ...)                                                                               \
    do {                                                                                                               \
        if (condition)                                                                                                 \
            return err_set(e, class, __VA_ARGS__);                                                                     \
    } while (0)

#define ERR_FORWARD(call)                                                                                              \
    do {                                                                                                               \
        if (!(call))                                                                                                   \
            return false;                                                                                              \
    } while (0)
