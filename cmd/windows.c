// SPDX-License-Identifier: MIT
// Windows of text. See cmd/windows.h.
#include "cmd/windows.h"

#include <math.h>

#include "base/num.h"

bool windows_each(const struct tokenizer *t, const struct ids *text, size_t context, windows_visit *visit, void *user,
                  struct err *e) {
    struct ids window = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < text->len;) {
        window.len = 0;
        if (tok_adds_bos(t) && tok_bos(t) >= 0)
            ids_push(&window, tok_bos(t));
        size_t n = min_size(context - window.len, text->len - at);
        ids_append(&window, text->ptr + at, n);
        at += n;
        ok = window.failed ? err_memory(e, n * sizeof *window.ptr, "window") : visit(user, &window, e);
    }
    ids_free(&window);
    return ok;
}

double windows_log_sum(const float *logits, size_t n_vocab) {
    float max = logits[0];
    for (size_t i = 1; i < n_vocab; i++)
        max = logits[i] > max ? logits[i] : max;
    double sum = 0;
    for (size_t i = 0; i < n_vocab; i++)
        sum += (double)num_exp(logits[i] - max);
    return log(sum) + (double)max;
}
