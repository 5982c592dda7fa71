// SPDX-License-Identifier: MIT
// Jinja templates as model files carry them, rendered as Jinja2 does with trim_blocks, lstrip_blocks, loop controls,
// tojson without HTML escapes, raise_exception, strftime_now and generation blocks. Values are Python's, with integers
// of 64 bits.
//
// A template sees its context and nothing else. Its work, its memory, its output and the depth of its nesting are
// bounded: one that exceeds them is an error like any other (ERR_INPUT, with the line).
#pragma once

#include "base/json.h"
#include "text/dialog.h"

// Renders source with the members of context (an object) as variables into *out, whose spans say which bytes the
// template itself wrote. `now` is "YYYY-MM-DDTHH:MM:SS" for strftime_now; NULL: the clock.
// *out is freed with chat_text_free in either case.
bool jinja_render(struct str source, const struct json *context, const char *now, struct chat_text *out, struct err *e);

// Whether source is a template at all: it is parsed, and not run.
bool jinja_check(struct str source, struct err *e);
