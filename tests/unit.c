// SPDX-License-Identifier: MIT
// Runs the unit tests of units.h: all of them, or those whose names are given.
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(void);
} units[] = {
#define UNIT(name) {#name, unit_##name},
#include "tests/units.h"
};

static bool wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

static bool known(const char *name) {
    for (size_t u = 0; u < ARRAY_LEN(units); u++)
        if (strcmp(units[u].name, name) == 0)
            return true;
    fprintf(stderr, "unit: no unit test is named '%s'\n", name);
    return false;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!known(argv[i]))
            return 2;
    for (size_t u = 0; u < ARRAY_LEN(units); u++)
        if (wanted(units[u].name, argc, argv))
            units[u].run();
    return test_end();
}
