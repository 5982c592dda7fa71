// SPDX-License-Identifier: MIT
// The integer formats that the 256-bit levels have kernels for. No include guard: a list, included with the macros
// defined. Each names functions of avx2_codes.h: codes_SYMBOL, d_SYMBOL and, for 256 elements, scales_SYMBOL.
//   runs     32-element runs of a block, which share its scale
//   zero     the code of 0
//   fit      four-element groups whose products with activations fit 16 bits when two are added each time: 8 times
//            2 * 127 * 15, 4 times 2 * 127 * 31, 2 times 2 * 127 * 63, 1 time 2 * 127 * 128; 0: codes of eight bits
//   sub      elements with one sub-scale
//   min      reads the minimum or minimums, NULL where there are none
//       symbol   runs zero fit min
FORMAT32(q4_0, 1, 8, 8, NULL)
FORMAT32(q4_1, 1, 0, 8, m_q4_1)
FORMAT32(q5_0, 1, 16, 4, NULL)
FORMAT32(q5_1, 1, 0, 4, m_q5_1)
FORMAT32(q8_0, 1, 128, 0, NULL)
FORMAT32(iq4_nl, 1, 128, 0, NULL)
//        symbol  sub zero fit mins dmin
FORMAT256(q4_k, 32, 0, 8, mins_q4_k, m_q4_k)
FORMAT256(q5_k, 32, 0, 4, mins_q5_k, m_q5_k)
FORMAT256(q6_k, 16, 32, 2, NULL, NULL)
#undef FORMAT32
#undef FORMAT256
