// SPDX-License-Identifier: MIT
// Architectures, by the name in general.architecture. No include guard: a list, included with ARCH defined.
// window: every how-many-th layer sees all keys, where the file has a sliding window but no pattern; 0: no such window.
//   name    rope        activation       window  what differs from a plain llama
ARCH(llama, ROPE_NORM, ACTIVATION_SILU, 0, ARCH_BIAS_O | ARCH_BIAS_FFN | ARCH_ROPE_FREQS)
ARCH(qwen2, ROPE_NEOX, ACTIVATION_SILU, 0, ARCH_BIAS_HEAD)
ARCH(gemma3, ROPE_NEOX, ACTIVATION_GELU, 6,
     ARCH_QK_NORM | ARCH_POST_NORM | ARCH_SCALE_EMBED | ARCH_SOFTCAP | ARCH_SCALE_62)
#undef ARCH
