// SPDX-License-Identifier: MIT
// `pith bench`: speed of prefill and decode beside what plain reads of the same file reach, in the same run. Everything
// runs once untimed before; the ids are random with a fixed seed, so every run does the same work.
#include "cmd/bench.h"

#include <string.h>
#include <unistd.h>

#include "cmd/arch_keys.h"
#include "cmd/cmd.h"
#include "cmd/load.h"
#include "cmd/locate.h"
#include "cmd/out.h"
#include "infer/kv.h"

#define N_PROMPT 512
#define N_DECODE 64
#define READ_SECONDS 0.2 // plain reads are repeated for at least this long
#define BAR 20           // characters of a whole one

static bool is_named(const struct gguf_tensor *t, const char *name) {
    return t->name.len == strlen(name) && memcmp(t->name.ptr, name, t->name.len) == 0;
}

// Bytes of weights that one step of decoding reads: all tensors, but of the embedding only a row, unless it is the head
// as well, and of stacked experts the share that is used.
static double bytes_per_token(const struct gguf *g) {
    double experts = (double)arch_number(g, "expert_count", 0), used = (double)arch_number(g, "expert_used_count", 0);
    double share = experts > 0 ? used / experts : 1, sum = 0;
    bool has_head = gguf_find_tensor(g, "output.weight") != NULL;
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        double size = (double)t->size;
        if (has_head && is_named(t, "token_embd.weight"))
            size /= (double)(t->n_elements / t->dims[0]);
        sum += memmem(t->name.ptr, t->name.len, "_exps.", 6) ? size * share : size;
    }
    return sum;
}

// A linear congruential generator (Knuth's MMIX constants): the ids need only be the same everywhere.
static bool make_ids(struct bench *b, struct err *e) {
    size_t n = b->depth + max_size(b->n_prompt, b->n_decode), n_vocab = session_n_vocab(b->session);
    uint64_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005 + 1442695040888963407;
        ids_push(&b->ids, (int32_t)((x >> 33) % n_vocab));
    }
    return !b->ids.failed || err_memory(e, n * sizeof *b->ids.ptr, "ids");
}

// The history before a measurement.
static bool go_back(struct bench *b, struct err *e) {
    return session_rewind(b->session, b->depth) == b->depth || session_pretend(b->session, b->ids.ptr, b->depth, e);
}

static bool prefill(struct bench *b, double *seconds, struct err *e) {
    ERR_FORWARD(go_back(b, e));
    double began = load_seconds();
    ERR_FORWARD(session_sync(b->session, b->ids.ptr, b->depth + b->n_prompt, e));
    *seconds = load_seconds() - began;
    return true;
}

static bool ignore_logits(void *user, size_t position, const float *logits, struct err *e) {
    (void)user, (void)position, (void)logits, (void)e;
    return true;
}

static bool decode(struct bench *b, size_t n, double *seconds, struct err *e) {
    ERR_FORWARD(go_back(b, e));
    double began = load_seconds();
    ERR_FORWARD(session_eval_all(b->session, b->ids.ptr + b->depth, n, b->batch, ignore_logits, NULL, e));
    *seconds = load_seconds() - began;
    return true;
}

static bool measure(struct bench *b, struct err *e) {
    double t;
    ERR_FORWARD(prefill(b, &t, e) && decode(b, b->batch, &t, e)); // untimed
    ERR_FORWARD(prefill(b, &t, e));
    b->prefill_tps = (double)b->n_prompt / t;
    ERR_FORWARD(decode(b, b->n_decode, &t, e));
    b->decode_tps = (double)b->n_decode / t;
    double history = (double)kv_bytes(b->en->model, b->o->kv, b->depth);
    b->read_gbps = (bytes_per_token(b->en->file) + history) * b->decode_tps / (double)b->batch * 1e-9;
    return true;
}

static double plain_reads(struct bench *b, bool ahead) { // GB/s
    const struct gguf *g = b->en->file;
    const struct backend_ops *ops = b->en->backend->ops;
    double began = load_seconds(), now, bytes = 0;
    do {
        for (size_t i = 0; i < g->n_parts; i++) {
            const struct gguf_part *part = &g->parts[i];
            size_t n = (size_t)(part->size - part->data_offset);
            b->checksum += ops->read_all(b->en->backend, part->base + part->data_offset, n, ahead);
            bytes += (double)n;
        }
        now = load_seconds();
    } while (now - began < READ_SECONDS);
    return bytes / (now - began) * 1e-9;
}

static void measure_reads(struct bench *b) {
    double plain = plain_reads(b, false), ahead = plain_reads(b, true);
    b->machine_gbps = plain > ahead ? plain : ahead;
}

void bench_json(const struct bench *b, struct buf *out) {
    const struct backend *backend = b->en->backend;
    struct json_writer w = {.out = out};
    const char *level = backend->ops->level(backend);
    json_begin(&w, '{');
    json_key(&w, "model");
    json_str(&w, (struct str){b->path.ptr, b->path.len - 1});
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {{"bytes", b->en->file->size}, {"threads", backend->ops->threads(backend)},
                  {"depth", b->depth},          {"prompt", b->n_prompt},
                  {"tokens", b->n_decode},      {"batch", b->batch}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        json_key(&w, counts[i].key);
        json_uint(&w, counts[i].n);
    }
    json_key(&w, "cpu");
    json_str(&w, (struct str){level, strlen(level)});
    const struct {
        const char *key;
        double x;
    } rates[] = {{"prefill_tps", b->prefill_tps},
                 {"decode_tps", b->decode_tps},
                 {"load_ms", b->load_ms},
                 {"read_gbps", b->read_gbps},
                 {"machine_gbps", b->machine_gbps}};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        json_key(&w, rates[i].key);
        json_float(&w, rates[i].x);
    }
    json_end(&w, '}');
    buf_char(out, '\n');
}

void bench_bar(struct buf *out, double part) {
    int n = part >= 1 ? BAR : part > 0 ? (int)(part * BAR + 0.5) : 0;
    if (isatty(STDOUT_FILENO))
        buf_printf(out, "  %.*s%.*s", n, "####################", BAR - n, "....................");
}

static void format_text(const struct bench *b, struct buf *out) {
    const struct backend *backend = b->en->backend;
    buf_printf(out, "%s: %u threads, %s\n", b->path.ptr, backend->ops->threads(backend), backend->ops->level(backend));
    if (b->depth)
        buf_printf(out, "depth    %9zu tokens\n", b->depth);
    buf_printf(out, "load     %9.1f ms\n", b->load_ms);
    buf_printf(out, "prefill  %9.1f tokens/s (%zu tokens)\n", b->prefill_tps, b->n_prompt);
    buf_printf(out, "decode   %9.1f tokens/s (%zu tokens)\n", b->decode_tps, b->n_decode);
    buf_printf(out, "reads    %9.1f GB/s of %.1f that plain reads reach", b->read_gbps, b->machine_gbps);
    bench_bar(out, b->read_gbps / b->machine_gbps);
    buf_char(out, '\n');
}

static bool open_model(struct bench *b, struct err *e) {
    const struct settings *o = b->o;
    b->n_prompt = o->n_prompt ? (size_t)o->n_prompt : N_PROMPT;
    b->n_decode = o->n_tokens > 0 ? (size_t)o->n_tokens : N_DECODE;
    b->depth = (size_t)o->depth;
    b->batch = o->batch ? (size_t)o->batch : 1;
    b->n_decode = (b->n_decode + b->batch - 1) / b->batch * b->batch; // whole steps
    size_t n_ctx = max_size(b->depth + max_size(b->n_prompt, b->n_decode), (size_t)o->context);
    ERR_FORWARD(locate_model(o->model, &b->path, e));
    double began = load_seconds();
    ERR_FORWARD(load_engine(o, b->path.ptr, &b->en, e) && load_session(o, b->en, n_ctx, &b->session, e));
    b->load_ms = (load_seconds() - began) * 1e3;
    return make_ids(b, e);
}

bool bench_run(struct bench *b, const struct settings *o, struct err *e) {
    *b = (struct bench){.o = o};
    ERR_FORWARD(open_model(b, e) && measure(b, e));
    measure_reads(b);
    return true;
}

void bench_close(struct bench *b) {
    session_close(b->session);
    engine_close(b->en);
    ids_free(&b->ids);
    buf_free(&b->path);
}

static bool run_once(const struct settings *o, struct err *e) {
    struct bench b;
    struct buf out = {0};
    bool ok = bench_run(&b, o, e);
    if (ok) {
        (o->json ? bench_json : format_text)(&b, &out);
        ok = out_buf(&out, e);
    }
    bench_close(&b);
    buf_free(&out);
    return ok;
}

bool cmd_bench(const struct settings *o, struct err *e) {
    ERR_IF(o->words.n, e, ERR_USAGE, "bench: %s: expected no arguments but options", o->words.ptr[0]);
    ERR_IF(o->sweep && o->kernels, e, ERR_USAGE, "bench: --sweep and --kernels: expected one of them");
    return o->kernels ? bench_kernels(o, e) : o->sweep ? bench_sweep(o, e) : run_once(o, e);
}
