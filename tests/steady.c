// SPDX-License-Identifier: MIT
// No token allocates: answers of different length take the same number of allocations. Each answer is a run of the
// whole program in a process of its own; the chain model of make_model goes on for ever. Linked with functions around
// malloc, calloc, realloc, strdup that count.
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"

static unsigned long *count; // shared between the processes

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *text);

static void add(void) {
    if (count)
        __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

void *__wrap_malloc(size_t size) {
    add();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    add();
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size) {
    add();
    return __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *text) {
    add();
    return __real_strdup(text);
}

// Allocations of an answer of n tokens; 0 when the run fails.
static unsigned long allocations(char *model, char *n, char *temp) {
    char *argv[] = {
        "pith", "-m",     model,   "--raw",  "--no-stdin", "-n", n,   "--seed", "1", "-c", "600", "--repeat-penalty",
        "1.1",  "--stop", "never", "--temp", temp,         "a",  NULL};
    *count = 0;
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        _exit(cmd_main((int)ARRAY_LEN(argv) - 1, argv));
    }
    int status;
    bool ok = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    return ok ? *count : 0;
}

int main(void) {
    const char *build = getenv("BUILD");
    char model[512], command[1200];
    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(model, sizeof model, "%s/tests/steady.gguf", build ? build : ".");
    snprintf(command, sizeof command, "'%s/tests/make_model' chain '%s'", build ? build : ".", model);
    test_case("steady: the model is written");
    if (CHECK(count != MAP_FAILED && system(command) == 0)) {
        for (int greedy = 0; greedy < 2; greedy++) {
            char *temp = greedy ? "0" : "0.8";
            test_case("steady: no token allocates at temperature %s", temp);
            unsigned long few = allocations(model, "4", temp), many = allocations(model, "500", temp);
            CHECK_MSG(few > 0 && many == few, "4 tokens take %lu allocations, 500 take %lu", few, many);
        }
    }
    remove(model);
    return test_end();
}
