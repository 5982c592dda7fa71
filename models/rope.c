// SPDX-License-Identifier: MIT
// Rotary position embeddings (Su et al. 2021): frequencies from the file, with linear scaling (Chen et al. 2023) and
// YaRN (Peng et al. 2023), and tables of sines and cosines for a batch of positions.
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "models/model_impl.h"

struct scaling {
    bool yarn;
    float factor, attn_factor, ext_factor, beta_fast, beta_slow;
    uint32_t original_ctx;
};

static bool read_scaling(const struct model *m, struct scaling *s, struct err *e) {
    char key[128];
    struct str type = {"linear", 6};
    *s = (struct scaling){.attn_factor = 1, .ext_factor = -1, .beta_fast = 32, .beta_slow = 1};
    s->original_ctx = m->shape.n_ctx;
    bind_key(m, "rope.scaling.type", key);
    ERR_FORWARD(gguf_get_str(m->file, key, false, &type, e));
    ERR_FORWARD(bind_f32(m, "rope.scale_linear", false, &s->factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.factor", false, &s->factor, e));
    ERR_FORWARD(bind_u32(m, "rope.scaling.original_context_length", false, &s->original_ctx, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.attn_factor", false, &s->attn_factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_ext_factor", false, &s->ext_factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_beta_fast", false, &s->beta_fast, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_beta_slow", false, &s->beta_slow, e));
    s->yarn = type.len == 4 && memcmp(type.ptr, "yarn", 4) == 0;
    bool none = type.len == 4 && memcmp(type.ptr, "none", 4) == 0,
         linear = type.len == 6 && memcmp(type.ptr, "linear", 6) == 0;
    ERR_IF(!s->yarn && !none && !linear, e, ERR_INPUT, "%s: key %s: %.*s, expected none, linear or yarn", m->file->path,
           key, (int)min_size(type.len, 40), type.ptr);
    if (none || s->factor == 0)
        s->factor = 1;
    ERR_IF(!(s->factor > 0 && s->factor < 1e6f), e, ERR_INPUT,
           "%s: key %s.rope.scaling.factor: %g, expected a positive "
           "number",
           m->file->path, m->arch->name, (double)s->factor);
    return true;
}

// The pair whose wave makes `turns` turns in the original context.
static double yarn_pair(uint32_t rot, double base, uint32_t ctx, double turns) {
    return rot * num_log(ctx / (turns * 6.283185307179586)) / (2 * num_log(base));
}

// How much of pair i is interpolated: 0 for fast waves, 1 for slow ones.
static double yarn_ramp(double i, double low, double high) {
    double width = high - low > 0.001 ? high - low : 0.001, y = (i - low) / width;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

static void apply_yarn(const struct model *m, const struct scaling *s, double base, struct rope *r) {
    double low = floor(yarn_pair(m->rot, base, s->original_ctx, s->beta_fast));
    double high = ceil(yarn_pair(m->rot, base, s->original_ctx, s->beta_slow));
    low = low > 0 ? low : 0;
    high = high < m->rot - 1 ? high : m->rot - 1;
    double ext = s->ext_factor < 0 ? 1 : (double)s->ext_factor;
    for (uint32_t i = 0; i < m->rot / 2; i++) {
        double mix = (1 - yarn_ramp(i, low, high)) * ext;
        r->theta[i] = r->theta[i] / s->factor * (1 - mix) + r->theta[i] * mix;
    }
    r->scale = s->attn_factor * (float)(1 + 0.1 * num_log(s->factor));
}

static bool init_one(struct model *m, struct rope *r, double base, const struct scaling *s, const float *divisors,
                     struct err *e) {
    r->theta = arena_alloc(&m->arena, m->rot / 2, sizeof *r->theta);
    if (!r->theta)
        return err_memory(e, m->rot / 2 * sizeof *r->theta, "rope frequencies");
    r->scale = 1;
    for (uint32_t i = 0; i < m->rot / 2; i++)
        r->theta[i] = num_pow(base, -2.0 * i / m->rot) / (divisors ? (double)divisors[i] : 1.0);
    if (s->yarn)
        apply_yarn(m, s, base, r);
    else
        for (uint32_t i = 0; i < m->rot / 2; i++)
            r->theta[i] /= (double)s->factor;
    return true;
}

static bool check_base(const struct model *m, const char *key, float base, struct err *e) {
    ERR_IF(!(base > 1 && base < 1e12f), e, ERR_INPUT, "%s: key %s.%s: %g, expected more than 1", m->file->path,
           m->arch->name, key, (double)base);
    return true;
}

bool rope_init(struct model *m, struct err *e) {
    struct scaling scaling, plain = {.factor = 1};
    const float *divisors = NULL;
    float base = 10000, base_window = 10000;
    ERR_FORWARD(bind_f32(m, "rope.freq_base", false, &base, e));
    ERR_FORWARD(bind_f32(m, "rope.freq_base_swa", false, &base_window, e));
    ERR_FORWARD(check_base(m, "rope.freq_base", base, e));
    ERR_FORWARD(check_base(m, "rope.freq_base_swa", base_window, e));
    ERR_FORWARD(read_scaling(m, &scaling, e));
    if (m->arch->flags & ARCH_ROPE_FREQS)
        ERR_FORWARD(bind_vector(m, "rope_freqs", 0, m->rot / 2, false, &divisors, e));
    ERR_FORWARD(init_one(m, &m->rope, base, &scaling, divisors, e));
    return init_one(m, &m->rope_window, base_window, &plain, NULL, e);
}
