// SPDX-License-Identifier: MIT
// Walks the lists of formats, architectures, backends, levels, templates and commands. See cmd/info_supported.h.
#include "cmd/info_supported.h"

#include <string.h>

#include "backends/backend.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "models/model.h"
#include "quant/quant.h"
#include "text/forms.h"

// The i-th name of a list, NULL at its end.
static const char *format_name(size_t i) {
    size_t n;
    const struct quant_format *rows = quant_all(&n);
    return i < n ? rows[i].name : NULL;
}

static const char *arch_row(size_t i) {
    return model_archs()[i];
}

static const char *backend_name(size_t i) {
    size_t n;
    const struct backend_ops *const *rows = backend_all(&n);
    return i < n ? rows[i]->name : NULL;
}

static const char *level_name(size_t i) {
    return backend_cpu_levels()[i];
}

static const char *command_name(size_t i) {
    return i < N_CMDS ? cmd_table[i].name : NULL;
}

static const char *form_name(size_t i) {
    return i < form_n_rows ? form_rows[i].name : NULL;
}

static const struct {
    const char *label;
    const char *(*name)(size_t i);
} lists[] = {
    {"formats", format_name},   {"architectures", arch_row}, {"backends", backend_name},
    {"cpu_levels", level_name}, {"templates", form_name},    {"commands", command_name},
};

// A format that is known by name and size only cannot be computed with.
static bool runs(const char *(*name)(size_t i), size_t i) {
    size_t n;
    return name != format_name || quant_all(&n)[i].act != ACT_NONE;
}

void info_supported(struct buf *out, bool json) {
    struct json_writer w = {.out = out};
    if (json)
        json_begin(&w, '{');
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        if (json) {
            json_key(&w, lists[k].label);
            json_begin(&w, '[');
        } else {
            buf_printf(out, "%s:", lists[k].label);
        }
        const char *name;
        for (size_t i = 0; (name = lists[k].name(i)); i++) {
            if (!runs(lists[k].name, i))
                continue;
            if (json)
                json_str(&w, (struct str){name, strlen(name)});
            else
                buf_printf(out, " %s", name);
        }
        if (json)
            json_end(&w, ']');
        else
            buf_char(out, '\n');
    }
    if (json)
        json_end(&w, '}');
    if (json)
        buf_char(out, '\n');
}
