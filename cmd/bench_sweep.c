// SPDX-License-Identifier: MIT
// `pith bench --sweep`: the model's speeds at every SIMD level of this machine with one thread, two, four, ... up to
// all that are wanted. The best comes first, so that the bars of all others are shares of it.
#include "cmd/bench.h"

#include <string.h>

#include "base/cpu.h"
#include "cmd/out.h"

// A slow level takes long.
#define N_PROMPT 128
#define N_DECODE 16

struct sweep {
    struct settings o; // of the row at hand
    unsigned threads;
    double best; // prefill
};

static bool runs_here(const char *level, struct err *e) {
    const struct backend_params p = {.n_threads = 1, .cpu_level = level};
    struct backend *b = NULL;
    ERR_FORWARD(backend_open(&b, &p, e));
    b->ops->close(b);
    return true;
}

static void format_row(struct sweep *s, const struct bench *b, struct buf *out) {
    if (s->best == 0) {
        s->best = b->prefill_tps;
        buf_printf(out, "%s: %zu tokens of prefill, %zu of decode, tokens/s\n%-9s %7s %9s %9s\n", b->path.ptr,
                   b->n_prompt, b->n_decode, "level", "threads", "prefill", "decode");
    }
    buf_printf(out, "%-9s %7d %9.1f %9.1f", s->o.cpu, s->o.n_threads, b->prefill_tps, b->decode_tps);
    bench_bar(out, b->prefill_tps / s->best);
    buf_char(out, '\n');
}

static bool run_row(struct sweep *s, struct err *e) {
    struct bench b;
    struct buf out = {0};
    bool ok = bench_run(&b, &s->o, e);
    if (ok && s->o.json)
        bench_json(&b, &out);
    else if (ok)
        format_row(s, &b, &out);
    ok = ok && out_buf(&out, e);
    bench_close(&b);
    buf_free(&out);
    s->o.quiet = true; // what is to be said of the model was said
    return ok;
}

// The largest power of two below n: 6, 4, 2, 1.
static unsigned fewer(unsigned n) {
    unsigned power = 1;
    while (2 * power < n)
        power *= 2;
    return n > 1 ? power : 0;
}

static bool run_level(struct sweep *s, const char *level, struct err *e) {
    s->o.cpu = level;
    for (unsigned n = s->threads; n; n = fewer(n)) {
        s->o.n_threads = (int32_t)n;
        ERR_FORWARD(run_row(s, e));
    }
    return true;
}

bool bench_sweep(const struct settings *o, struct err *e) {
    struct sweep s = {.o = *o, .threads = o->n_threads ? (unsigned)o->n_threads : cpu_threads()};
    const char *const *levels = backend_cpu_levels();
    struct err lacks;
    size_t n = 0;
    ERR_FORWARD(runs_here(o->cpu, e));
    s.o.n_prompt = o->n_prompt ? o->n_prompt : N_PROMPT;
    s.o.n_tokens = o->n_tokens > 0 ? o->n_tokens : N_DECODE;
    while (levels[n] && !(o->cpu && n && strcmp(levels[n - 1], o->cpu) == 0))
        n++;
    while (n--)
        if (runs_here(levels[n], &lacks))
            ERR_FORWARD(run_level(&s, levels[n], e));
    return true;
}
