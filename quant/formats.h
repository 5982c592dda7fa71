// SPDX-License-Identifier: MIT
// Number formats, in the order of their ids in GGUF files. No include guard: a list, included with the macros defined.
// FORMAT_FLOAT, FORMAT_16, FORMAT_32 and FORMAT_256 have a reader and an encoder in quant/SYMBOL.c; FORMAT_PLAIN are
// numbers that no weights are made of, and have a reader only; FORMAT_NAMED is known by name and size only.
//           symbol   name   id  elements bytes largest magnitude that the encoder takes
FORMAT_FLOAT(f32, "F32", 0, 1, 4, FLT_MAX)
FORMAT_FLOAT(f16, "F16", 1, 1, 2, 0x1.ffdffep15f)
FORMAT_32(q4_0, "Q4_0", 2, 32, 18, 7 * HALF_MAX)
FORMAT_32(q4_1, "Q4_1", 3, 32, 20, HALF_MAX)
FORMAT_32(q5_0, "Q5_0", 6, 32, 22, 15 * HALF_MAX)
FORMAT_32(q5_1, "Q5_1", 7, 32, 24, HALF_MAX)
FORMAT_32(q8_0, "Q8_0", 8, 32, 34, 127 * HALF_MAX)
FORMAT_NAMED(q8_1, "Q8_1", 9, 32, 36, 0)
FORMAT_256(q2_k, "Q2_K", 10, 256, 84, 15 * HALF_MAX)
FORMAT_256(q3_k, "Q3_K", 11, 256, 110, 93 * HALF_MAX)
FORMAT_256(q4_k, "Q4_K", 12, 256, 144, 63 * HALF_MAX)
FORMAT_256(q5_k, "Q5_K", 13, 256, 176, 63 * HALF_MAX)
FORMAT_256(q6_k, "Q6_K", 14, 256, 210, 31 * 127 * HALF_MAX)
FORMAT_NAMED(q8_k, "Q8_K", 15, 256, 292, 0)
FORMAT_256(iq2_xxs, "IQ2_XXS", 16, 256, 66, 166 * HALF_MAX)
FORMAT_256(iq2_xs, "IQ2_XS", 17, 256, 74, 166 * HALF_MAX)
FORMAT_256(iq3_xxs, "IQ3_XXS", 18, 256, 98, 480 * HALF_MAX)
FORMAT_256(iq1_s, "IQ1_S", 19, 256, 50, 15 * HALF_MAX)
FORMAT_32(iq4_nl, "IQ4_NL", 20, 32, 18, 113 * HALF_MAX)
FORMAT_256(iq3_s, "IQ3_S", 21, 256, 110, 465 * HALF_MAX)
FORMAT_256(iq2_s, "IQ2_S", 22, 256, 82, 166 * HALF_MAX)
FORMAT_256(iq4_xs, "IQ4_XS", 23, 256, 136, 31 * 113 * HALF_MAX)
FORMAT_PLAIN(i8, "I8", 24, 1, 1, 0)
FORMAT_PLAIN(i16, "I16", 25, 1, 2, 0)
FORMAT_PLAIN(i32, "I32", 26, 1, 4, 0)
FORMAT_PLAIN(i64, "I64", 27, 1, 8, 0)
FORMAT_PLAIN(f64, "F64", 28, 1, 8, 0)
FORMAT_256(iq1_m, "IQ1_M", 29, 256, 56, 15 * HALF_MAX)
FORMAT_FLOAT(bf16, "BF16", 30, 1, 2, 0x1.fefffep127f)
FORMAT_256(tq1_0, "TQ1_0", 34, 256, 54, HALF_MAX)
FORMAT_256(tq2_0, "TQ2_0", 35, 256, 66, HALF_MAX)
FORMAT_32(mxfp4, "MXFP4", 39, 32, 17, FLT_MAX)
FORMAT_16(nvfp4, "NVFP4", 40, 64, 36, 2688)
FORMAT_32(q1_0, "Q1_0", 41, 128, 18, HALF_MAX)
FORMAT_32(q2_0, "Q2_0", 42, 64, 18, HALF_MAX)
#undef FORMAT_FLOAT
#undef FORMAT_PLAIN
#undef FORMAT_16
#undef FORMAT_32
#undef FORMAT_256
#undef FORMAT_NAMED
