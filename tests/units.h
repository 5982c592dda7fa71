// SPDX-License-Identifier: MIT
// The unit tests: UNIT(name) is `void unit_name(void)` in tests/unit_name.c. No include guard: a list.
UNIT(base)
UNIT(json)
UNIT(gguf)
UNIT(writer)
UNIT(split)
UNIT(mix)
UNIT(finite)
UNIT(importance)
UNIT(sample)
UNIT(opt)
UNIT(utf8)
UNIT(load)
UNIT(pretok)
UNIT(tok)
UNIT(quant)
UNIT(template)
#undef UNIT
