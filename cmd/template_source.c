// SPDX-License-Identifier: MIT
// Finding templates. See cmd/template_source.h.
#include "cmd/template_source.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "text/forms.h"

bool template_named(const char *name, struct buf *held, struct str *source, struct err *e) {
    const struct form *form = form_find(name);
    bool is_file = access(name, F_OK) == 0;
    if (form && !is_file) {
        *source = (struct str){form->source, strlen(form->source)};
        return true;
    }
    if (!is_file && !strchr(name, '/') && !strchr(name, '.'))
        return err_set(e, ERR_INPUT, "--template %s: neither a file nor a built-in form (info --supported lists them)",
                       name);
    ERR_FORWARD(file_read(name, held, e));
    ERR_IF(!held->len, e, ERR_INPUT, "--template %s: the file is empty", name);
    *source = (struct str){held->ptr, held->len};
    return true;
}
