// SPDX-License-Identifier: MIT
// `pith bench --kernels`: how fast each format's matrix products are, beside plain reads of memory and the multipliers'
// peak. Needs no model.
#include "cmd/bench.h"

#include <string.h>

#include "backends/backend.h"
#include "cmd/out.h"

struct table {
    const struct settings *o;
    struct buf out;
    struct json_writer json;
    bool begun;
};

static void json_name(struct json_writer *w, const char *key, const char *text) {
    json_key(w, key);
    if (text)
        json_str(w, (struct str){text, strlen(text)});
    else
        json_null(w);
}

static void json_number(struct json_writer *w, const char *key, double x) {
    json_key(w, key);
    json_float(w, x);
}

static void begin_json(struct json_writer *w, const struct backend_cpu_limits *l) {
    json_begin(w, '{');
    json_name(w, "cpu", l->level);
    json_key(w, "threads");
    json_uint(w, l->threads);
    json_number(w, "machine_gbps", l->read_gbps);
    json_name(w, "int_sequence", l->sequence_int);
    json_number(w, "int_gops", l->int_gops);
    json_name(w, "float_sequence", l->sequence_float);
    json_number(w, "float_gops", l->float_gops);
    json_key(w, "formats");
    json_begin(w, '[');
}

static void row_json(struct json_writer *w, const struct backend_cpu_speed *s) {
    json_begin(w, '{');
    json_name(w, "format", s->format->name);
    json_number(w, "decode_gbps", s->decode_gbps);
    json_number(w, "panel_gops", s->panel_gops);
    json_end(w, '}');
}

static void begin_text(struct buf *out, const struct backend_cpu_limits *l) {
    buf_printf(out, "%s, %u threads; plain reads %.1f GB/s", l->level, l->threads, l->read_gbps);
    if (l->sequence_int)
        buf_printf(out, "; %s %.0f Gop/s", l->sequence_int, l->int_gops);
    if (l->sequence_float)
        buf_printf(out, "; %s %.0f Gflop/s", l->sequence_float, l->float_gops);
    buf_printf(out, "\n%-8s %11s %6s %13s %6s\n", "format", "decode GB/s", "share", "panels Gop/s", "share");
}

static void share(struct buf *out, double part) {
    if (part > 0)
        buf_printf(out, " %4.0f %%", part * 100);
    else
        buf_printf(out, " %6s", "-");
}

static void row_text(struct buf *out, const struct backend_cpu_limits *l, const struct backend_cpu_speed *s) {
    double peak = s->format->act == ACT_F32 ? l->float_gops : l->int_gops;
    double of_reads = s->decode_gbps / l->read_gbps, of_peak = peak > 0 ? s->panel_gops / peak : 0;
    buf_printf(out, "%-8s %11.1f", s->format->name, s->decode_gbps);
    share(out, of_reads);
    buf_printf(out, " %13.1f", s->panel_gops);
    share(out, of_peak);
    bench_bar(out, of_reads);
    bench_bar(out, of_peak);
    buf_char(out, '\n');
}

static bool add_row(void *user, const struct backend_cpu_limits *l, const struct backend_cpu_speed *s, struct err *e) {
    struct table *t = user;
    if (!t->begun && t->o->json)
        begin_json(&t->json, l);
    else if (!t->begun)
        begin_text(&t->out, l);
    t->begun = true;
    if (t->o->json)
        row_json(&t->json, s);
    else
        row_text(&t->out, l, s);
    return t->o->json || out_buf(&t->out, e);
}

bool bench_kernels(const struct settings *o, struct err *e) {
    const struct backend_params p = {.n_threads = (unsigned)o->n_threads, .cpu_level = o->cpu};
    struct table t = {.o = o};
    t.json.out = &t.out;
    bool ok = backend_cpu_speeds(&p, add_row, &t, e);
    if (ok && o->json) {
        json_end(&t.json, ']');
        json_end(&t.json, '}');
        buf_char(&t.out, '\n');
        ok = out_buf(&t.out, e);
    }
    buf_free(&t.out);
    return ok;
}
