// SPDX-License-Identifier: MIT
// Backends, best first. No include guard: a list, included with BACKEND defined.
BACKEND(cpu)
#undef BACKEND
