// SPDX-License-Identifier: MIT
// The integer formats that the 256-bit levels have kernels for, and the shapes of their panels. No include guard: a
// list, included with the macros defined. Rows name functions of avx2_codes.h and avx2_codes_iq.h: codes_SYMBOL,
// d_SYMBOL; of 256 elements scales_SYMBOL; with minimums m_SYMBOL, of 256 elements mins_SYMBOL.
//
//     runs  32-element runs of a block
//     each  scales of a run
//     zero  the code of 0
//     sub   elements with one sub-scale
//     fit   four-element groups whose products with activations fit 16 bits when two are added each time: 8 times
//           2 * 127 * 15, 4 times 2 * 127 * 31, 2 times 2 * 127 * 63, 1 time 2 * 127 * 128; 0: codes of eight bits
//
// Shapes say all that the work behind the unpacking depends on.
//      shape    each fit zero   min
SHAPE32(of8, 1, 8, true, false)
SHAPE32(of8_min, 1, 8, false, true)
SHAPE32(of4, 1, 4, true, false)
SHAPE32(of4_min, 1, 4, false, true)
SHAPE32(wide, 1, 0, true, false)
SHAPE32(of4_two, 2, 4, true, false)
//       symbol  shape   runs zero m
FORMAT32(q4_0, of8, 1, 8, NULL)
FORMAT32(q4_1, of8_min, 1, 0, m_q4_1)
FORMAT32(q5_0, of4, 1, 16, NULL)
FORMAT32(q5_1, of4_min, 1, 0, m_q5_1)
FORMAT32(q8_0, wide, 1, 128, NULL)
FORMAT32(iq4_nl, wide, 1, 128, NULL)
FORMAT32(mxfp4, of4, 1, 12, NULL)
FORMAT32(nvfp4, of4_two, 2, 12, NULL)
FORMAT32(q1_0, of8, 4, 1, NULL)
FORMAT32(q2_0, of8, 2, 1, NULL)
//       shape      sub fit zero   min
SHAPE256(of8_32, 32, 8, true, false)
SHAPE256(of8_32_min, 32, 8, false, true)
SHAPE256(of4_32, 32, 4, true, false)
SHAPE256(of4_32_min, 32, 4, false, true)
SHAPE256(of4_16, 16, 4, true, false)
SHAPE256(of4_16_min, 16, 4, false, true)
SHAPE256(of2_16, 16, 2, true, false)
SHAPE256(of1_32, 32, 1, true, false)
SHAPE256(of1_16, 16, 1, true, false)
SHAPE256(wide_32, 32, 0, true, false)
//        symbol   shape    zero mins m
FORMAT256(q2_k, of4_16_min, 0, mins_q2_k, m_q2_k)
FORMAT256(q3_k, of4_16, 4, NULL, NULL)
FORMAT256(q4_k, of8_32_min, 0, mins_q4_k, m_q4_k)
FORMAT256(q5_k, of4_32_min, 0, mins_q5_k, m_q5_k)
FORMAT256(q6_k, of2_16, 32, NULL, NULL)
FORMAT256(iq1_s, of4_32, GRID_ZERO_IQ1, NULL, NULL)
FORMAT256(iq1_m, of4_16, GRID_ZERO_IQ1, NULL, NULL)
FORMAT256(iq2_xxs, of1_32, ZERO_IQ2, NULL, NULL)
FORMAT256(iq2_xs, of1_16, ZERO_IQ2, NULL, NULL)
FORMAT256(iq2_s, of1_16, ZERO_IQ2, NULL, NULL)
FORMAT256(iq3_xxs, of1_32, ZERO_IQ3, NULL, NULL)
FORMAT256(iq3_s, of4_32, ZERO_IQ3_S, NULL, NULL)
FORMAT256(iq4_xs, wide_32, 128, NULL, NULL)
FORMAT256(tq1_0, of8_32, 1, NULL, NULL)
FORMAT256(tq2_0, of8_32, 1, NULL, NULL)
#undef FORMAT32
#undef FORMAT256
#undef SHAPE32
#undef SHAPE256
