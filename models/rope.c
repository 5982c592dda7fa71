// SPDX-License-Identifier: MIT
// Rotary position embeddings (Su et al. 2021): frequencies from the file, with linear scaling (Chen et al. 2023) and
// YaRN (Peng et al. 2023), or a base that grows with the context (dynamic NTK); what was asked for comes before the
// file.
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "models/model_impl.h"

const char *const rope_scaling_names[N_ROPE_SCALINGS] = {
    [ROPE_SCALING_NONE] = "none",         [ROPE_SCALING_LINEAR] = "linear",   [ROPE_SCALING_YARN] = "yarn",
    [ROPE_SCALING_LONGROPE] = "longrope", [ROPE_SCALING_DYNAMIC] = "dynamic",
};

struct scaling {
    enum rope_scaling type;
    float factor, attn_factor, ext_factor, beta_fast, beta_slow, log_mul;
    uint32_t original_ctx;
};

static bool read_type(const struct model *m, enum rope_scaling *type, struct err *e) {
    char key[128];
    struct str name = {"linear", 6};
    bind_key(m, "rope.scaling.type", key);
    ERR_FORWARD(gguf_get_str(m->file, key, false, &name, e));
    for (int i = ROPE_SCALING_NONE; i < N_ROPE_SCALINGS; i++)
        if (strlen(rope_scaling_names[i]) == name.len && memcmp(rope_scaling_names[i], name.ptr, name.len) == 0) {
            *type = (enum rope_scaling)i;
            return true;
        }
    return err_set(e, ERR_INPUT, "%s: key %s: %.*s, expected none, linear, yarn, longrope or dynamic", m->file->path,
                   key, (int)min_size(name.len, 40), name.ptr);
}

static bool read_file(const struct model *m, struct scaling *s, struct err *e) {
    ERR_FORWARD(read_type(m, &s->type, e));
    ERR_FORWARD(bind_f32(m, "rope.scale_linear", false, &s->factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.factor", false, &s->factor, e));
    ERR_FORWARD(bind_u32(m, "rope.scaling.original_context_length", false, &s->original_ctx, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.attn_factor", false, &s->attn_factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_ext_factor", false, &s->ext_factor, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_beta_fast", false, &s->beta_fast, e));
    ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_beta_slow", false, &s->beta_slow, e));
    if (m->arch->yarn_unit > 0)
        ERR_FORWARD(bind_f32(m, "rope.scaling.yarn_log_multiplier", false, &s->log_mul, e));
    s->log_mul *= m->arch->yarn_unit;
    return true;
}

// What was asked for comes before what the file says.
static void override(const struct rope_params *p, struct scaling *s) {
    const struct {
        float asked, *value;
    } rows[] = {{p->factor, &s->factor},
                {p->attn_factor, &s->attn_factor},
                {p->beta_fast, &s->beta_fast},
                {p->beta_slow, &s->beta_slow}};
    s->type = p->scaling ? p->scaling : s->type;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        *rows[i].value = rows[i].asked > 0 ? rows[i].asked : *rows[i].value;
    s->ext_factor = p->ext_factor >= 0 ? p->ext_factor : s->ext_factor;
    s->original_ctx = p->original_ctx > 0 ? (uint32_t)p->original_ctx : s->original_ctx;
}

static bool read_scaling(const struct model *m, struct scaling *s, struct err *e) {
    *s = (struct scaling){.attn_factor = 1, .ext_factor = -1, .beta_fast = 32, .beta_slow = 1};
    s->original_ctx = m->shape.n_ctx;
    ERR_FORWARD(read_file(m, s, e));
    if (m->rope_params)
        override(m->rope_params, s);
    if (s->type == ROPE_SCALING_NONE || s->factor == 0)
        s->factor = 1;
    s->original_ctx = s->original_ctx ? s->original_ctx : m->shape.n_ctx;
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

// How much longer queries and keys become: temperature of attention, as YaRN has it.
static double yarn_scale(double factor, double weight) {
    return factor <= 1 ? 1 : 0.1 * weight * num_log(factor) + 1;
}

static void apply_yarn(const struct model *m, const struct scaling *s, double base, struct rope *r) {
    double low = floor(yarn_pair(r->rot, base, s->original_ctx, s->beta_fast));
    double high = ceil(yarn_pair(r->rot, base, s->original_ctx, s->beta_slow));
    low = low > 0 ? low : 0;
    high = high < r->rot - 1 ? high : r->rot - 1;
    double ext = s->ext_factor < 0 ? 1 : (double)s->ext_factor, log_mul = (double)s->log_mul;
    for (uint32_t i = 0; i < r->rot / 2; i++) {
        double mix = (1 - yarn_ramp(i, low, high)) * ext;
        r->theta[i] = r->theta[i] / s->factor * (1 - mix) + r->theta[i] * mix;
    }
    double own = log_mul != 0 && m->arch->flags & ARCH_YARN_OWN_MUL ? log_mul : 1;
    double scale = yarn_scale(s->factor, own) / (log_mul != 0 ? yarn_scale(s->factor, log_mul) : 1);
    r->scale *= (float)scale;
}

// r->rot is set; divisors [rot / 2] or NULL.
static bool init_one(struct model *m, struct rope *r, double base, const struct scaling *s, const float *divisors,
                     struct err *e) {
    if (!r->rot)
        return true;
    r->theta = bind_alloc(m, r->rot / 2 * sizeof *r->theta, e);
    if (!r->theta)
        return false;
    r->scale = s->attn_factor;
    for (uint32_t i = 0; i < r->rot / 2; i++)
        r->theta[i] = num_pow(base, -2.0 * i / r->rot) / (divisors ? (double)divisors[i] : 1.0);
    if (s->type == ROPE_SCALING_YARN)
        apply_yarn(m, s, base, r);
    else if (s->type != ROPE_SCALING_DYNAMIC)
        for (uint32_t i = 0; i < r->rot / 2; i++)
            r->theta[i] /= (double)s->factor;
    return true;
}

static bool read_base(const struct model *m, const char *key, float *base, struct err *e) {
    float v = 0;
    ERR_FORWARD(bind_f32(m, key, false, &v, e));
    *base = v != 0 ? v : *base;
    if (m->rope_params && m->rope_params->base > 0 && strcmp(key, "rope.freq_base") == 0)
        *base = m->rope_params->base;
    ERR_IF(!(*base > 1 && *base < 1e12f), e, ERR_INPUT, "%s: key %s.%s: %g, expected more than 1", m->file->path,
           m->arch->name, key, (double)*base);
    return true;
}

// The base grows with alpha, as NTK-aware scaling has it.
static bool apply_alpha(const struct model *m, float *base, struct err *e) {
    float alpha = 0;
    if (!(m->arch->keys & KEY_ROPE_ALPHA))
        return true;
    ERR_FORWARD(bind_f32(m, "rope.scaling.alpha", false, &alpha, e));
    uint32_t dim = m->shape.head_dim_k;
    if (alpha > 0 && dim > 2)
        *base = (float)((double)*base * num_pow(alpha, dim / (double)(dim - 2)));
    return true;
}

// Divisors of the frequencies: one list, or one for short contexts and one for long.
static bool bind_divisors(struct model *m, const float **plain, const float **stretched, struct err *e) {
    const uint32_t n = m->rot / 2;
    *plain = *stretched = NULL;
    if (!(m->arch->flags & ARCH_ROPE_FREQS))
        return true;
    // Where layers with a window turn more of a head, the list may be as long as theirs.
    const uint32_t listed = bind_dim(m, "rope_freqs", 0, 0), wide = m->rot_window / 2;
    ERR_FORWARD(bind_floats(m, "rope_freqs", "weight", 0, listed == wide && wide > n ? wide : n, false, plain, e));
    if (*plain)
        return true;
    ERR_FORWARD(bind_floats(m, "rope_factors_long", "weight", 0, n, false, stretched, e));
    return bind_floats(m, "rope_factors_short", "weight", 0, n, false, plain, e);
}

// What scores are scaled by, squared, where attention does so itself (DeepSeek-V2).
static float scale_of_scores(const struct model *m, const struct scaling *s) {
    double own = yarn_scale((double)s->factor, (double)s->log_mul);
    if (s->type == ROPE_SCALING_YARN)
        return m->rope.scale * (float)(s->log_mul != 0 ? own : 1);
    return s->attn_factor * (float)(yarn_scale((double)s->factor, 1) * own);
}

// Frequencies of layers that see all keys are made when the context is known.
static void make_dynamic(struct model *m, double base, const struct scaling *s, const float *divisors) {
    if (s->type != ROPE_SCALING_DYNAMIC || s->factor <= 1 || m->rope.rot <= 2)
        return;
    m->rope.dynamic = base;
    m->rope.factor = s->factor;
    m->rope.original_ctx = s->original_ctx;
    m->rope.divisors = divisors;
    m->needs.frequencies = m->rope.rot / 2;
}

void model_frequencies(const struct model *m, uint32_t n_ctx, double *theta) {
    const struct rope *r = &m->rope;
    if (!m->needs.frequencies)
        return;
    double factor = (double)r->factor, longer = factor * n_ctx / r->original_ctx - (factor - 1);
    double base = n_ctx <= r->original_ctx ? r->dynamic : r->dynamic * num_pow(longer, r->rot / (double)(r->rot - 2));
    for (uint32_t i = 0; i < r->rot / 2; i++)
        theta[i] = num_pow(base, -2.0 * i / r->rot) / (r->divisors ? (double)r->divisors[i] : 1.0);
}

// A factor that was asked for makes room for as many more positions.
static void stretch_context(struct model *m, const struct scaling *s) {
    double n = (double)s->factor * s->original_ctx;
    if (m->rope_params && m->rope_params->factor > 0 && s->type != ROPE_SCALING_NONE && !m->hard_ctx &&
        n > m->shape.n_ctx)
        m->shape.n_ctx = n < MAX_CTX ? (uint32_t)n : MAX_CTX;
}

bool rope_init(struct model *m, struct err *e) {
    const bool windows = m->arch->keys & (KEY_WINDOW | KEY_WINDOW_MUST);
    struct scaling scaling, none = {.type = ROPE_SCALING_NONE, .factor = 1, .attn_factor = 1};
    const float *divisors, *stretched;
    float base = 10000;
    m->yarn_scale = 1;
    if (m->arch->rope == USE_ROPE_NONE)
        return true;
    ERR_FORWARD(read_base(m, "rope.freq_base", &base, e));
    ERR_FORWARD(apply_alpha(m, &base, e));
    ERR_FORWARD(read_scaling(m, &scaling, e));
    ERR_FORWARD(bind_divisors(m, &divisors, &stretched, e));
    m->rope.rot = m->rope_long.rot = m->rot & ~1u;
    m->rope_long.from_ctx = stretched ? scaling.original_ctx : UINT32_MAX;
    ERR_FORWARD(init_one(m, &m->rope, base, &scaling, divisors, e));
    make_dynamic(m, base, &scaling, divisors);
    stretch_context(m, &scaling);
    if (m->arch->yarn_unit > 0)
        m->yarn_scale = scale_of_scores(m, &scaling);
    if (stretched)
        ERR_FORWARD(init_one(m, &m->rope_long, base, &scaling, stretched, e));
    if (!windows)
        return true;
    base = m->arch->window_rope_base > 0 ? m->arch->window_rope_base : base;
    ERR_FORWARD(read_base(m, "rope.freq_base_swa", &base, e));
    m->rope_window.rot = m->rot_window & ~1u;
    bool unscaled = m->arch->flags & ARCH_WINDOW_UNSCALED;
    return init_one(m, &m->rope_window, base, unscaled ? &none : &scaling, unscaled ? NULL : divisors, e);
}
