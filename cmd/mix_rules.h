// SPDX-License-Identifier: MIT
// The rules of the mixes: RULE(mixes, kinds of tensors, conditions that must all hold, format). The first rule that
// fits a tensor decides; a tensor without one gets the format of most tensors. No include guard: a list, included with
// RULE and the names below defined. Source: the mixes of llama.cpp, whose files these names stand for.

// The head; a model without one of its own uses the embedding, which then counts as the head.
RULE(M(MXFP4_MOE), HEAD, 0, q8_0)
RULE(ALL, HEAD, FALCON, q8_0)
RULE(ALL, HEAD, RAGGED, q8_0)
RULE(M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS) | M(IQ2_S) | M(IQ2_M) | M(IQ3_XXS), HEAD, 0, q5_k)
RULE(ALL & ~M(Q8_0), HEAD, 0, q6_k)

RULE(M(MXFP4_MOE), ANY, STACKED, mxfp4)
RULE(M(MXFP4_MOE), ANY, 0, q8_0)

RULE(M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS), EMBED, 0, q2_k)
RULE(M(IQ2_S) | M(IQ2_M) | M(IQ3_XXS), EMBED, 0, iq3_s)
RULE(M(TQ1_0) | M(TQ2_0) | M(Q2_0), EMBED, 0, q4_k)

// The smallest mixes.
RULE(TINY, VALUES, GROUPED, q4_k)
RULE(TINY, VALUES, EXPERTS, q4_k)
RULE(M(IQ2_S) | M(IQ2_M), VALUES, 0, iq3_s)
RULE(TINY, VALUES, 0, q2_k)
RULE(TINY, KEYS, EXPERTS8, q4_k)
RULE(M(IQ2_S) | M(IQ2_M), DOWN, COUNT_EIGHTH, iq3_s)
RULE(TINY, DOWN, COUNT_EIGHTH, q2_k)
RULE(TINY, OUT, EXPERTS8, q5_k)
RULE(M(IQ1_S) | M(IQ1_M), OUT, 0, iq2_xxs)
RULE(M(IQ2_S) | M(IQ2_M), OUT, 0, iq3_s)

// Values, alone or together with queries and keys: small where heads share them, and they matter most.
RULE(ALL & ~TINY, VALUES, EXPERTS8, q8_0)
RULE(M(Q4_K_M), VALUES, MORE_BITS, q6_k)
RULE(M(Q2_K) | M(Q2_K_S) | M(Q3_K_S) | M(Q3_K_M) | M(Q4_K_S) | M(Q4_K_M), VALUES, LAYERS80, q5_k)
RULE(M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S) | M(IQ3_M), VALUES, LAYERS80, q5_k)
RULE(M(Q2_K) | M(Q2_K_S) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S), VALUES, GROUPED, q4_k)
RULE(M(Q2_K), VALUES, 0, q3_k)
RULE(M(IQ3_XXS), VALUES, NO_MATRIX, iq3_s)
RULE(M(IQ3_M), VALUES, 0, q4_k)
RULE(M(Q3_K_M), VALUES, FIRST2, q5_k)
RULE(M(Q3_K_M), VALUES, 0, q4_k)
RULE(M(Q3_K_L), VALUES, 0, q5_k)
RULE(M(IQ4_NL) | M(IQ4_XS), VALUES, GROUPED, q5_k)
RULE(M(Q5_K_M), VALUES, MORE_BITS, q6_k)
RULE(M(Q4_K_S), VALUES, FIRST4, q5_k)

RULE(ALL & ~TINY, KEYS, EXPERTS8, q8_0)
RULE(M(IQ3_XS), KEYS | QUERIES, 0, iq3_xxs)
RULE(M(IQ3_XXS), KEYS | QUERIES, 0, iq2_s)

RULE(M(Q2_K), DOWN, 0, q3_k)
RULE(M(Q2_K_S), DOWN, EIGHTH, q4_k)
RULE(M(IQ3_XXS), DOWN, NO_MATRIX | EIGHTH, q4_k)
RULE(M(IQ3_XXS), DOWN, NO_MATRIX, q3_k)
RULE(M(Q3_K_M), DOWN, SIXTEENTH, q5_k)
RULE(M(Q3_K_M), DOWN, NOT_FALCON, q4_k)
RULE(M(Q3_K_M), DOWN, MORE_BITS, q4_k)
RULE(M(IQ3_M), DOWN, EIGHTH, q4_k)
RULE(M(IQ3_M), DOWN, EXPERTS8 | MORE_BITS, q4_k)
RULE(M(Q3_K_L), DOWN, FALCON, q4_k)
RULE(M(Q3_K_L), DOWN, 0, q5_k)
RULE(M(Q4_K_M), DOWN, FALCON | SIXTEENTH, q6_k)
RULE(M(Q4_K_M), DOWN, FALCON | MORE_BITS, q5_k)
RULE(M(Q4_K_M), DOWN, NOT_FALCON | MORE_BITS, q6_k)
RULE(M(IQ4_NL) | M(IQ4_XS), DOWN, NO_MATRIX | EIGHTH, q5_k)
RULE(M(Q5_K_M), DOWN, MORE_BITS, q6_k)
RULE(M(Q4_K_S), DOWN, NOT_FALCON | EIGHTH, q5_k)
RULE(M(Q4_0), DOWN, MATRIX | EIGHTH, q4_1)
RULE(M(Q5_0), DOWN, MATRIX | EIGHTH, q5_1)

RULE(M(Q3_K_L), OUT, FALCON, q4_k)
RULE(M(Q2_K) | M(Q3_K_S) | M(Q3_K_M) | M(Q4_K_S) | M(Q4_K_M), OUT, NOT_FALCON | EXPERTS8, q5_k)
RULE(M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S) | M(IQ3_M), OUT, NOT_FALCON | EXPERTS8, q5_k)
RULE(M(IQ4_NL) | M(IQ4_XS), OUT, NOT_FALCON | EXPERTS8, q5_k)
RULE(M(Q2_K), OUT, NOT_FALCON, q3_k)
RULE(M(IQ3_XXS), OUT, NOT_FALCON, iq3_s)
RULE(M(Q3_K_M) | M(IQ3_M), OUT, NOT_FALCON, q4_k)
RULE(M(Q3_K_L), OUT, NOT_FALCON | NOT_EXPERTS8, q5_k)

RULE(M(IQ3_XS), GATE | UP, MIDDLE, iq3_xxs)
#undef RULE
