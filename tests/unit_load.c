// SPDX-License-Identifier: MIT
// Tests of what a control group's limit leaves, on files written like the kernel's.
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/load.h"

static const char *const names[] = {"memory.max", "memory.current", "memory.stat"};

// The answer for a folder with these three files; NULL leaves one out.
static uint64_t group_with(const char *max, const char *current, const char *stat) {
    char dir[] = "/tmp/pith-unit.XXXXXX", paths[ARRAY_LEN(names)][64];
    const char *texts[] = {max, current, stat};
    if (!CHECK(mkdtemp(dir)))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", dir, names[i]);
        FILE *f = texts[i] ? fopen(paths[i], "w") : NULL;
        if (f) {
            fputs(texts[i], f);
            fclose(f);
        }
    }
    uint64_t n = load_group_memory(dir);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(paths[i]);
    rmdir(dir);
    return n;
}

void unit_load(void) {
    test_case("load: no limit, no control group");
    CHECK(group_with("max\n", "1000\n", "anon 1000\n") == UINT64_MAX);
    CHECK(group_with(NULL, NULL, NULL) == UINT64_MAX);
    CHECK(group_with("5000\n", NULL, NULL) == UINT64_MAX);

    test_case("load: a limit leaves what is not used");
    CHECK_INT(group_with("5000\n", "2000\n", NULL), 3000);
    CHECK_INT(group_with("5000\n", "6000\n", NULL), 0);

    test_case("load: cached files are not in use");
    const char *stat = "anon 900\nfile 3100\nworkingset_active_file 7\ninactive_anon 900\n"
                       "inactive_file 3000\nactive_file 100\n";
    CHECK_INT(group_with("5000\n", "4000\n", stat), 4100);
    CHECK_INT(group_with("5000\n", "50\n", stat), 5000);
}
