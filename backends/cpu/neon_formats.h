// SPDX-License-Identifier: MIT
// The integer formats as the ARM levels read them. No include guard: a list, included with the macros defined.
// Blocks of `runs` runs of `len` elements with a scale each: read by `scale`, or NULL for one half-precision number at
// the front of the block, with the minimum behind it if it has one.
//         symbol  len runs scale         minimum
RUN_FORMAT(q4_0, 32, 1, NULL, false)
RUN_FORMAT(q4_1, 32, 1, NULL, true)
RUN_FORMAT(q5_0, 32, 1, NULL, false)
RUN_FORMAT(q5_1, 32, 1, NULL, true)
RUN_FORMAT(q8_0, 32, 1, NULL, false)
RUN_FORMAT(iq4_nl, 32, 1, NULL, false)
RUN_FORMAT(mxfp4, 32, 1, scale_mxfp4, false)
RUN_FORMAT(nvfp4, 16, 4, scale_nvfp4, false)
RUN_FORMAT(q1_0, 32, 4, NULL, false)
RUN_FORMAT(q2_0, 32, 2, NULL, false)
// Blocks of 256 elements with a sub-scale every `sub` elements; d is read by a function, or is `factor` times the
// half-precision number at a place, as dmin is.
#define D(sym) offsetof(struct block_##sym, d)
#define DMIN(sym) offsetof(struct block_##sym, dmin)
//           symbol sub scales minimums d factor place of d, of dmin
BLOCK_FORMAT(q2_k, 16, scales_q2_k, mins_q2_k, NULL, 1, D(q2_k), DMIN(q2_k))
BLOCK_FORMAT(q3_k, 16, scales_q3_k, NULL, NULL, 1, D(q3_k), 0)
BLOCK_FORMAT(q4_k, 32, scales_q4_k, mins_q4_k, NULL, 1, D(q4_k), DMIN(q4_k))
BLOCK_FORMAT(q5_k, 32, scales_q4_k, mins_q4_k, NULL, 1, D(q5_k), DMIN(q5_k))
BLOCK_FORMAT(q6_k, 16, scales_q6_k, NULL, NULL, 1, D(q6_k), 0)
BLOCK_FORMAT(iq1_s, 32, scales_iq1_s, NULL, NULL, 0.125f, D(iq1_s), 0)
BLOCK_FORMAT(iq1_m, 16, scales_iq1_m, NULL, d_iq1_m, 1, 0, 0)
BLOCK_FORMAT(iq2_xxs, 32, scales_iq2_xxs, NULL, NULL, 0.125f, D(iq2_xxs), 0)
BLOCK_FORMAT(iq2_xs, 16, scales_iq2_xs, NULL, NULL, 0.125f, D(iq2_xs), 0)
BLOCK_FORMAT(iq2_s, 16, scales_iq2_s, NULL, NULL, 0.125f, D(iq2_s), 0)
BLOCK_FORMAT(iq3_xxs, 32, scales_iq3_xxs, NULL, NULL, 0.25f, D(iq3_xxs), 0)
BLOCK_FORMAT(iq3_s, 32, scales_iq3_s, NULL, NULL, 1, D(iq3_s), 0)
BLOCK_FORMAT(iq4_xs, 32, scales_iq4_xs, NULL, NULL, 1, D(iq4_xs), 0)
BLOCK_FORMAT(tq1_0, 32, scales_one, NULL, NULL, 1, D(tq1_0), 0)
BLOCK_FORMAT(tq2_0, 32, scales_one, NULL, NULL, 1, D(tq2_0), 0)
#undef RUN_FORMAT
#undef BLOCK_FORMAT
#undef D
#undef DMIN
