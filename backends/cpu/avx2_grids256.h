// SPDX-License-Identifier: MIT
// AVX2, few columns: formats whose elements are points of a codebook, as avx2_codes256.h. A point is eight bytes of a
// table (or two points are, of four values each) that is written once for all rows of a job: one load puts it into its
// place. Vector k of half h of a block holds points k, k + 4, k + 8 and k + 12 of sixteen, one of each sub-block, so
// that the products of vectors 0 and 1, or 2 and 3, of a half share their sub-scales.
#pragma once

#include "backends/cpu/avx2_codes256.h"
#include "backends/cpu/avx2_codes_iq.h"

INLINE void order_points(const int8_t *x, int8_t *out) {
    UNROLL for (int h = 0; h < 2; h++) UNROLL for (int k = 0; k < 4; k++) UNROLL for (int i = 0; i < 4; i++)
        memcpy(out + 32 * (4 * h + k) + 8 * i, x + 8 * (16 * h + 4 * i + k), 8);
}

INLINE void table_of_8(const uint16_t *grid, size_t n, __m128i values, char *table) {
    for (size_t i = 0; i < n; i += 4) {
        uint64_t points;
        memcpy(&points, grid + i, sizeof points);
        _mm256_store_si256((void *)(table + 8 * i), look_up_pairs(points, values));
    }
}

INLINE void table_of_4(const uint16_t *grid, size_t n, const uint8_t values[8], char *table) {
    long long all;
    memcpy(&all, values, sizeof all);
    for (size_t i = 0; i < n; i += 8) {
        __m256i v = spread_triples(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(grid + i))));
        _mm256_store_si256((void *)(table + 4 * i), _mm256_shuffle_epi8(_mm256_set1_epi64x(all), v));
    }
}

#define TABLE_IQ2(sym, n)                                                                                              \
    INLINE void table_##sym(char *table) {                                                                             \
        const uint8_t *v = grid_values_iq2;                                                                            \
        table_of_8(grid_##sym, n, pair_table(v[0], v[1], v[2], v[3]), table);                                          \
    }
TABLE_IQ2(iq2_xxs, 256)
TABLE_IQ2(iq2_xs, 512)
TABLE_IQ2(iq2_s, 1024)

// Eight times the index of a value.
INLINE void table_iq1(char *table) {
    table_of_8(grid_iq1, 2048, pair_table(0, 8, 16, 24), table);
}

INLINE void table_iq3_xxs(char *table) {
    table_of_4(grid_iq3_xxs, 256, grid_values_iq3_xxs, table);
}

INLINE void table_iq3_s(char *table) {
    table_of_4(grid_iq3_s, 512, grid_values_iq3_s, table);
}

// A block as its products want it: where its points stand in the table, in bytes, in the order of the file, two of 16
// bits to a number (fewer loads), or else the points' indices where they lie in the block; a bit for the sign of each
// element, or a byte to add to each point; sub-scales of sixteen elements; and what the sum begins with.
struct points {
    _Alignas(32) uint32_t places[32];
    const char *indices;
    __m256i bits, start;
    __m128i scales;
};

// Of four indices in bytes two are read together: loads take as long as what takes numbers apart.
INLINE size_t index_of_four(const char *four, int i) {
    uint16_t upper;
    memcpy(&upper, four + 2, sizeof upper);
    return i == 3 ? upper >> 8 : i == 2 ? (uint8_t)upper : (uint8_t)four[i];
}

// How points are found: by their places, or by the indices of a format.
enum finding { PLACES, INDICES_IQ2_XXS, INDICES_IQ3_XXS };

INLINE size_t place(enum finding how, const struct points *p, int i) {
    if (how == INDICES_IQ2_XXS)
        return 8 * index_of_four(p->indices + i / 4 * 8, i % 4);
    if (how == INDICES_IQ3_XXS)
        return 4 * index_of_four(p->indices + i / 4 * 4, i % 4);
    return i % 2 ? p->places[i / 2] >> 16 : (uint16_t)p->places[i / 2];
}

INLINE __m128i two_words64(const char *a, const char *b) {
    return _mm_castps_si128(_mm_loadh_pi(_mm_castsi128_ps(_mm_loadl_epi64((const void *)a)), (const void *)b));
}

INLINE __m128i two_words(const char *a, const char *b) {
    return _mm_insert_epi32(_mm_cvtsi32_si128(word_at(a)), word_at(b), 1);
}

// Vector k of half h.
INLINE __m256i points_of_8(enum finding how, const char *table, const struct points *p, int h, int k) {
    const int i = 16 * h + k;
    return _mm256_set_m128i(two_words64(table + place(how, p, i + 8), table + place(how, p, i + 12)),
                            two_words64(table + place(how, p, i), table + place(how, p, i + 4)));
}

INLINE __m256i points_of_4(enum finding how, const char *table, const struct points *p, int h, int k) {
    const int i = 32 * h + 2 * k;
    __m128i a = two_words(table + place(how, p, i), table + place(how, p, i + 1));
    __m128i b = two_words(table + place(how, p, i + 8), table + place(how, p, i + 9));
    __m128i c = two_words(table + place(how, p, i + 16), table + place(how, p, i + 17));
    __m128i d = two_words(table + place(how, p, i + 24), table + place(how, p, i + 25));
    return _mm256_set_m128i(_mm_unpacklo_epi64(c, d), _mm_unpacklo_epi64(a, b));
}

INLINE __m256i widened(const void *bytes) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes));
}

INLINE void put_places(struct points *p, int i, __m256i v) {
    _mm256_store_si256((void *)(p->places + 8 * i), v);
}

// The byte of each of a half's sixteen points to the eight elements of vector k.
INLINE __m256i spread_to_points(const struct points *p, int h, int k) {
    const __m256i at = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 12, 12,
                                        12, 12, 12, 12, 12, 12);
    __m256i half = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)&p->bits + h));
    return _mm256_shuffle_epi8(half, _mm256_add_epi8(at, _mm256_set1_epi8((char)k)));
}

// The activations of a vector, negative where the point's bit of an element is set.
INLINE __m256i with_bits(__m256i x, const struct points *p, int h, int k) {
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread_to_points(p, h, k), bit), bit);
    return _mm256_sign_epi8(x, _mm256_or_si256(set, _mm256_set1_epi8(1)));
}

// Of sixteen sub-scales of sixteen elements those of vectors 2 k and 2 k + 1 of half h.
INLINE __m256i scales_of_points(__m128i scales, int h, int k) {
    const char z = -128;
    const __m256i at = _mm256_setr_epi8(0, z, 0, z, 0, z, 0, z, 2, z, 2, z, 2, z, 2, z, 4, z, 4, z, 4, z, 4, z, 6, z, 6,
                                        z, 6, z, 6, z);
    return _mm256_shuffle_epi8(_mm256_set_m128i(scales, scales),
                               _mm256_add_epi8(at, _mm256_set1_epi8((char)(8 * h + k))));
}

typedef __m256i points_reader(enum finding how, const char *table, const struct points *p, int h, int k);

// Points with signs; sub-scales of 16 elements, or of 32 (then each stands there twice).
INLINE __m256i lanes_with_signs(points_reader *read, enum finding how, const char *table, const struct points *p,
                                const int8_t *x) {
    __m256i sum = _mm256_setzero_si256();
    UNROLL for (int h = 0; h < 2; h++) UNROLL for (int k = 0; k < 4; k += 2) {
        __m256i pairs[2];
        UNROLL for (int i = 0; i < 2; i++) {
            __m256i v = with_bits(load_256(x + 32 * (4 * h + k + i)), p, h, k + i);
            pairs[i] = _mm256_maddubs_epi16(read(how, table, p, h, k + i), v);
        }
        __m256i both = _mm256_add_epi16(pairs[0], pairs[1]);
        sum = chained(sum, _mm256_madd_epi16(both, scales_of_points(p->scales, h, k / 2)));
    }
    return sum;
}

#define LANES_WITH_SIGNS(name, read, how)                                                                              \
    INLINE __m256i lanes_of_##name(const char *table, const struct points *p, const int8_t *x) {                       \
        return lanes_with_signs(read, how, table, p, x);                                                               \
    }
LANES_WITH_SIGNS(8, points_of_8, PLACES)
LANES_WITH_SIGNS(4, points_of_4, PLACES)
LANES_WITH_SIGNS(iq2_xxs, points_of_8, INDICES_IQ2_XXS)
LANES_WITH_SIGNS(iq3_xxs, points_of_4, INDICES_IQ3_XXS)

// Sub-scales of 32 elements.
INLINE __m256i lanes_of_iq1_s(const char *table, const struct points *p, const int8_t *x) {
    __m256i sum = p->start;
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i pairs = _mm256_setzero_si256();
        UNROLL for (int i = 0; i < 4; i++) pairs = _mm256_add_epi16(
            pairs, _mm256_maddubs_epi16(points_of_8(PLACES, table, p, h, i), load_256(x + 32 * (4 * h + i))));
        sum = chained(sum, _mm256_madd_epi16(pairs, scales_of_points(p->scales, h, 0)));
    }
    return sum;
}

INLINE __m256i lanes_of_iq1_m(const char *table, const struct points *p, const int8_t *x) {
    __m256i sum = p->start;
    UNROLL for (int h = 0; h < 2; h++) UNROLL for (int i = 0; i < 4; i += 2) {
        __m256i a = _mm256_add_epi8(points_of_8(PLACES, table, p, h, i), spread_to_points(p, h, i));
        __m256i b = _mm256_add_epi8(points_of_8(PLACES, table, p, h, i + 1), spread_to_points(p, h, i + 1));
        a = _mm256_maddubs_epi16(a, load_256(x + 32 * (4 * h + i)));
        b = _mm256_maddubs_epi16(b, load_256(x + 32 * (4 * h + i + 1)));
        sum = chained(sum, _mm256_madd_epi16(_mm256_add_epi16(a, b), scales_of_points(p->scales, h, i / 2)));
    }
    return sum;
}

// Eight words with a scale in the upper four bits: 2 scale + 1, each twice.
INLINE __m128i scales_of_words(__m256i v) {
    const __m256i first = _mm256_setr_epi8(3, 3, 7, 7, 11, 11, 15, 15, 3, 3, 7, 7, 11, 11, 15, 15, 3, 3, 7, 7, 11, 11,
                                           15, 15, 3, 3, 7, 7, 11, 11, 15, 15);
    v = _mm256_shuffle_epi8(v, first);
    __m128i s = _mm_unpacklo_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return odd(_mm_and_si128(_mm_srli_epi16(s, 4), _mm_set1_epi8(15)));
}

INLINE void read_iq2_xxs(const char *w, const int16_t *bs, struct points *p) {
    const char *runs = w + offsetof(struct block_iq2_xxs, runs);
    __m256 low = _mm256_castsi256_ps(load_256(runs)), high = _mm256_castsi256_ps(load_256(runs + 32));
    __m256i words = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
    (void)bs;
    words = _mm256_permute4x64_epi64(words, 0xd8);
    p->indices = runs;
    p->bits = signs_of_28(words);
    p->scales = scales_of_words(words);
}

INLINE void read_iq2_xs(const char *w, const int16_t *bs, struct points *p) {
    (void)bs;
    UNROLL for (int i = 0; i < 2; i++) {
        __m256i v = load_256(w + offsetof(struct block_iq2_xs, qs) + 32 * i);
        put_places(p, i, _mm256_and_si256(_mm256_slli_epi16(v, 3), _mm256_set1_epi16(511 * 8)));
    }
    p->bits = signs_iq2_xs(w);
    p->scales = scales_iq2_xs(w);
}

// Bytes and bits above them, which stand `shifts` apart in the words of `upper`, to places in a table.
INLINE __m256i places_of(const void *bytes, int size, __m256i upper, __m256i shifts, int mask) {
    __m256i v = _mm256_slli_epi16(widened(bytes), size);
    return _mm256_or_si256(v, _mm256_and_si256(_mm256_mullo_epi16(upper, shifts), _mm256_set1_epi16((short)mask)));
}

// Word i of four to lanes 4 i .. 4 i + 3.
INLINE __m256i four_times_words(__m128i words) {
    const __m256i at = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5, 6, 7, 6,
                                        7, 6, 7, 6, 7);
    return _mm256_shuffle_epi8(_mm256_set_m128i(words, words), at);
}

INLINE void read_iq2_s(const char *w, const int16_t *bs, struct points *p) {
    const struct block_iq2_s *k = (const void *)w;
    const __m256i shifts = _mm256_set1_epi64x(0x0020008002000800);
    __m128i upper = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)k->qh));
    (void)bs;
    put_places(p, 0, places_of(k->qs, 3, four_times_words(upper), shifts, 0x1800));
    upper = _mm_unpackhi_epi64(upper, upper);
    put_places(p, 1, places_of(k->qs + 16, 3, four_times_words(upper), shifts, 0x1800));
    p->bits = load_256(k->signs);
    p->scales = scales_iq2_s(w);
}

INLINE void read_iq3_xxs(const char *w, const int16_t *bs, struct points *p) {
    const char *qs = w + offsetof(struct block_iq3_xxs, qs);
    const __m256i words = load_256(w + offsetof(struct block_iq3_xxs, signs));
    (void)bs;
    p->indices = qs;
    p->bits = signs_of_28(words);
    p->scales = scales_of_words(words);
}

INLINE void read_iq3_s(const char *w, const int16_t *bs, struct points *p) {
    const struct block_iq3_s *k = (const void *)w;
    const __m256i shifts = _mm256_broadcastsi128_si256(_mm_setr_epi16(1024, 512, 256, 128, 64, 32, 16, 8));
    (void)bs;
    UNROLL for (int i = 0; i < 4; i++) {
        __m128i low = _mm_set1_epi16(k->qh[2 * i]), high = _mm_set1_epi16(k->qh[2 * i + 1]);
        put_places(p, i, places_of(k->qs + 16 * i, 2, _mm256_set_m128i(high, low), shifts, 0x400));
    }
    p->bits = load_256(k->signs);
    p->scales = scales_iq3_s(w);
}

// Values are around 8, moved up or down by 1 in each sub-block of 32: the sums of x, times that, are added apart.
INLINE void read_iq1_s(const char *w, const int16_t *bs, struct points *p) {
    const struct block_iq1_s *k = (const void *)w;
    const __m256i shifts = _mm256_set1_epi64x(0x0004002001000800);
    const __m128i upper = _mm_loadu_si128((const void *)k->qh);
    const __m128i scales = scales_iq1_s(w);
    put_places(p, 0, places_of(k->qs, 3, four_times_words(upper), shifts, 0x3800));
    put_places(p, 1, places_of(k->qs + 16, 3, four_times_words(_mm_unpackhi_epi64(upper, upper)), shifts, 0x3800));
    __m128i moved = _mm_srai_epi16(upper, 15);
    moved = _mm_add_epi16(_mm_add_epi16(moved, moved), _mm_set1_epi16(-7));
    moved = _mm_mullo_epi16(moved, _mm_srli_epi16(scales, 8));
    __m256i all = _mm256_set_m128i(_mm_unpackhi_epi16(moved, moved), _mm_unpacklo_epi16(moved, moved));
    p->start = _mm256_madd_epi16(all, load_256(bs));
    p->scales = scales;
}

// A nibble of qh for each point: three upper bits of its index, and whether it is moved down.
INLINE void read_iq1_m(const char *w, const int16_t *bs, struct points *p) {
    const struct block_iq1_m *k = (const void *)w;
    const __m256i shifts = _mm256_set1_epi64x(0x0001000800800800);
    const __m128i upper = _mm_loadu_si128((const void *)k->qh), scales = scales_iq1_m(w);
    UNROLL for (int i = 0; i < 2; i++) {
        __m256i words = four_times_words(i ? _mm_unpackhi_epi64(upper, upper) : upper);
        words = _mm256_blend_epi16(words, _mm256_srli_epi16(words, 1), 0x88);
        put_places(p, i, places_of(k->qs + 16 * i, 3, words, shifts, 0x3800));
    }
    // 2 where a point is moved up.
    __m128i low = _mm_srli_epi16(_mm_andnot_si128(upper, _mm_set1_epi8(8)), 2);
    __m128i high = _mm_srli_epi16(_mm_andnot_si128(upper, _mm_set1_epi8(-128)), 6);
    p->bits = _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
    __m256i nine = _mm256_mullo_epi16(_mm256_cvtepi8_epi16(scales), _mm256_set1_epi16(-GRID_ZERO_IQ1));
    p->start = _mm256_madd_epi16(nine, load_256(bs));
    p->scales = scales;
}
