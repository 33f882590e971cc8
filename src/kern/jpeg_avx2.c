/* jpeg_avx2.c - the kernels of JPEG, 32 bytes at a time; same bytes as jpeg_c.c.
 *
 * The heart of the transforms is the instruction that takes pairs of 16-bit numbers,
 * multiplies each by its own constant and adds the two products (vpmaddwd). A register
 * holds one pair for each of 8 columns, as the paired order brings them from memory;
 * after the first pass two rows are packed into one register and their columns made into
 * pairs (0,2) (4,6) (1,3) (5,7), and the second pass does the same in 8 rows at once.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

#include "kern/jpeg_tables.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <string.h>

#define BOTH(a, b) ((int)((uint32_t)(uint16_t)(a) | (uint32_t)(b) << 16))
#define PAIR(a, b) _mm256_set1_epi32(BOTH((a), (b)))
/* One constant pair in the low half of the register, one in the high half. */
#define PAIR2(a, b, c, d)                                                                \
    _mm256_set_m128i(_mm_set1_epi32(BOTH((c), (d))), _mm_set1_epi32(BOTH((a), (b))))
#define MADD(x, a, b) _mm256_madd_epi16((x), PAIR((a), (b)))
#define ADD _mm256_add_epi32
#define SUB _mm256_sub_epi32

MNI_AVX2 static MNI_INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

MNI_AVX2 static MNI_INLINE __m256i loaded_pairs(const int16_t *coefs,
                                                const uint16_t *quant, int at)
{
    return _mm256_mullo_epi16(load(coefs + at), load(quant + at));
}

/* Rounding of the first pass, and the lift in column 0. */
MNI_AVX2 static MNI_INLINE __m256i rounding(int shift)
{
    const int half = 1 << (shift - 1);
    return _mm256_setr_epi32(half + (MNI_LIFT << shift), half, half, half, half, half,
                             half, half);
}

/* out[i], out[7 - i] from the odd pairs (1,3) and (5,7). */
#define OUT8(i, c1, c3, c5, c7)                                                          \
    do {                                                                                 \
        const __m256i odd = ADD(MADD(p13, c1, c3), MADD(p57, c5, c7));                   \
        y[i] = ADD(even[i], odd);                                                        \
        y[7 - (i)] = SUB(even[i], odd);                                                  \
    } while (0)
#define ODD8()                                                                           \
    do {                                                                                 \
        OUT8(0, MNI_O01, MNI_O03, MNI_O05, MNI_O07);                                     \
        OUT8(1, MNI_O11, MNI_O13, MNI_O15, MNI_O17);                                     \
        OUT8(2, MNI_O21, MNI_O23, MNI_O25, MNI_O27);                                     \
        OUT8(3, MNI_O31, MNI_O33, MNI_O35, MNI_O37);                                     \
    } while (0)

/* Two packed rows, a: low, b: high, in each half four columns -> their columns as pairs:
 *
 *      a0 a1 a2 a3 b0 b1 b2 b3   ->   a0 a2  b0 b2  a1 a3  b1 b3                       */
MNI_AVX2 static MNI_INLINE __m256i columns_in_pairs(__m256i ab)
{
    const __m256i order = _mm256_setr_epi8(
        0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2,
        3, 6, 7, 10, 11, 14, 15);
    return _mm256_shuffle_epi8(ab, order);
}

MNI_AVX2 static MNI_INLINE void store_rows(uint8_t *out, size_t stride, __m256i v)
{
    const __m128i a = _mm256_castsi256_si128(v), b = _mm256_extracti128_si256(v, 1);
    _mm_storel_epi64((__m128i *)out, a);
    _mm_storel_epi64((__m128i *)(void *)(out + stride), _mm_unpackhi_epi64(a, a));
    _mm_storel_epi64((__m128i *)(out + 4 * stride), b);
    _mm_storel_epi64((__m128i *)(void *)(out + 5 * stride), _mm_unpackhi_epi64(b, b));
}

MNI_AVX2 static void idct8_avx2(uint8_t *out, size_t stride, const int16_t *coefs,
                                const uint16_t *quant)
{
    __m256i p04 = loaded_pairs(coefs, quant, 0), p26 = loaded_pairs(coefs, quant, 16);
    __m256i p13 = loaded_pairs(coefs, quant, 32), p57 = loaded_pairs(coefs, quant, 48);
    __m256i y[8], even[4], row[4];
    {
        const __m256i round = rounding(MNI_SHIFT_1);
        const __m256i sum = ADD(MADD(p04, MNI_ONE, MNI_ONE), round);
        const __m256i diff = ADD(MADD(p04, MNI_ONE, -MNI_ONE), round);
        const __m256i high = MADD(p26, MNI_A2, MNI_A6), low = MADD(p26, MNI_B2, MNI_B6);
        even[0] = ADD(sum, high); even[1] = ADD(diff, low);
        even[2] = SUB(diff, low); even[3] = SUB(sum, high);
    }
    ODD8();
    for (int i = 0; i < 8; i++) y[i] = _mm256_srai_epi32(y[i], MNI_SHIFT_1);
    for (int i = 0; i < 4; i++)
        row[i] = columns_in_pairs(_mm256_packs_epi32(y[2 * i], y[2 * i + 1]));

    const __m256i a = _mm256_unpacklo_epi64(row[0], row[1]);    /* (0,2) | (4,6) */
    const __m256i b = _mm256_unpackhi_epi64(row[0], row[1]);    /* (1,3) | (5,7) */
    const __m256i c = _mm256_unpacklo_epi64(row[2], row[3]);
    const __m256i d = _mm256_unpackhi_epi64(row[2], row[3]);
    const __m256i p02 = _mm256_permute2x128_si256(a, c, 0x20);
    const __m256i p46 = _mm256_permute2x128_si256(a, c, 0x31);
    p13 = _mm256_permute2x128_si256(b, d, 0x20);
    p57 = _mm256_permute2x128_si256(b, d, 0x31);
    even[0] = ADD(MADD(p02, MNI_ONE, MNI_A2), MADD(p46, MNI_ONE, MNI_A6));
    even[1] = ADD(MADD(p02, MNI_ONE, MNI_B2), MADD(p46, -MNI_ONE, MNI_B6));
    even[2] = ADD(MADD(p02, MNI_ONE, -MNI_B2), MADD(p46, -MNI_ONE, -MNI_B6));
    even[3] = ADD(MADD(p02, MNI_ONE, -MNI_A2), MADD(p46, MNI_ONE, -MNI_A6));
    ODD8();
    for (int i = 0; i < 8; i++) y[i] = _mm256_srai_epi32(y[i], MNI_SHIFT_2);

    /* y[x] holds column x of 8 rows: to bytes, and turned. Each half: rows 0-3 | 4-7. */
    const __m256i turn = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m256i left = _mm256_packus_epi16(_mm256_packs_epi32(y[0], y[1]),
                                       _mm256_packs_epi32(y[2], y[3]));
    __m256i right = _mm256_packus_epi16(_mm256_packs_epi32(y[4], y[5]),
                                        _mm256_packs_epi32(y[6], y[7]));
    left = _mm256_shuffle_epi8(left, turn);
    right = _mm256_shuffle_epi8(right, turn);
    store_rows(out, stride, _mm256_unpacklo_epi32(left, right));
    store_rows(out + 2 * stride, stride, _mm256_unpackhi_epi32(left, right));
}

/* Low half plus high half. */
MNI_AVX2 static MNI_INLINE __m128i folded(__m256i v)
{
    return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

MNI_AVX2 static void idct4_avx2(uint8_t *out, size_t stride, const int16_t *coefs,
                                const uint16_t *quant)
{
    const __m256i p04 = loaded_pairs(coefs, quant, 0),
                  p26 = loaded_pairs(coefs, quant, 16),
                  p13 = loaded_pairs(coefs, quant, 32),
                  p57 = loaded_pairs(coefs, quant, 48);
    const __m256i middle = ADD(MADD(p04, 2 * MNI_ONE, 0), rounding(MNI_SHIFT_1 + 1));
    const __m256i turn = MADD(p26, MNI_H2, MNI_H6);
    const __m256i outer = ADD(MADD(p13, MNI_H01, MNI_H03), MADD(p57, MNI_H05, MNI_H07));
    const __m256i inner = ADD(MADD(p13, MNI_H11, MNI_H13), MADD(p57, MNI_H15, MNI_H17));
    const __m256i high = ADD(middle, turn), low = SUB(middle, turn);
    const int s = MNI_SHIFT_1 + 1;
    const __m256i ab = columns_in_pairs(
        _mm256_packs_epi32(_mm256_srai_epi32(ADD(high, outer), s),
                           _mm256_srai_epi32(ADD(low, inner), s)));
    const __m256i cd = columns_in_pairs(
        _mm256_packs_epi32(_mm256_srai_epi32(SUB(low, inner), s),
                           _mm256_srai_epi32(SUB(high, outer), s)));

    /* Four rows; columns (0,2) in the low and (4,6) in the high half, then (1,3), (5,7).
     */
    const __m256i evens = _mm256_unpacklo_epi64(ab, cd);
    const __m256i odds = _mm256_unpackhi_epi64(ab, cd);
    const __m128i e0 = folded(
        _mm256_madd_epi16(evens, PAIR2(2 * MNI_ONE, MNI_H2, 0, MNI_H6)));
    const __m128i e1 = folded(
        _mm256_madd_epi16(evens, PAIR2(2 * MNI_ONE, -MNI_H2, 0, -MNI_H6)));
    const __m128i o0 = folded(
        _mm256_madd_epi16(odds, PAIR2(MNI_H01, MNI_H03, MNI_H05, MNI_H07)));
    const __m128i o1 = folded(
        _mm256_madd_epi16(odds, PAIR2(MNI_H11, MNI_H13, MNI_H15, MNI_H17)));
    const int t = MNI_SHIFT_2 + 1;
    const __m128i left = _mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(e0, o0), t),
                                         _mm_srai_epi32(_mm_add_epi32(e1, o1), t));
    const __m128i right = _mm_packs_epi32(_mm_srai_epi32(_mm_sub_epi32(e1, o1), t),
                                          _mm_srai_epi32(_mm_sub_epi32(e0, o0), t));
    const __m128i order =
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m128i v = _mm_shuffle_epi8(_mm_packus_epi16(left, right), order);
    const uint32_t rows[4] = { (uint32_t)_mm_cvtsi128_si32(v),
                               (uint32_t)_mm_extract_epi32(v, 1),
                               (uint32_t)_mm_extract_epi32(v, 2),
                               (uint32_t)_mm_extract_epi32(v, 3) };
    for (int i = 0; i < 4; i++, out += stride) memcpy(out, &rows[i], 4);
}

/* One is 2^15 here, which 16 bits have only as -2^15: so it is taken away. */
MNI_AVX2 static void idct2_avx2(uint8_t *out, size_t stride, const int16_t *coefs,
                                const uint16_t *quant)
{
    const __m256i p04 = loaded_pairs(coefs, quant, 0),
                  p13 = loaded_pairs(coefs, quant, 32),
                  p57 = loaded_pairs(coefs, quant, 48);
    const int s = MNI_SHIFT_1 + 2;
    const __m256i middle = SUB(rounding(s), MADD(p04, -4 * MNI_ONE, 0));
    const __m256i odd = ADD(MADD(p13, MNI_Q1, MNI_Q3), MADD(p57, MNI_Q5, MNI_Q7));
    /* Both rows in the order of columns: 0-3 twice in the low half, 4-7 in the high. */
    const __m256i both = _mm256_packs_epi32(_mm256_srai_epi32(ADD(middle, odd), s),
                                            _mm256_srai_epi32(SUB(middle, odd), s));
    const __m256i m = _mm256_madd_epi16(
        both, _mm256_setr_epi16(-4 * MNI_ONE, 0, 0, 0, -4 * MNI_ONE, 0, 0, 0, 0, 0, 0, 0,
                                0, 0, 0, 0));
    const __m256i o = _mm256_madd_epi16(
        both, _mm256_setr_epi16(0, MNI_Q1, 0, MNI_Q3, 0, MNI_Q1, 0, MNI_Q3, 0, MNI_Q5, 0,
                                MNI_Q7, 0, MNI_Q5, 0, MNI_Q7));
    /* Sums of neighbours: middle of rows 0 and 1, odd of rows 0 and 1. */
    const __m128i sums = _mm_hadd_epi32(folded(m), folded(o));
    const __m128i odds = _mm_unpackhi_epi64(sums, sums), zero = _mm_setzero_si128();
    const __m128i mids = _mm_sub_epi32(zero, sums);
    const __m128i left = _mm_srai_epi32(_mm_add_epi32(mids, odds), MNI_SHIFT_2 + 2);
    const __m128i right = _mm_srai_epi32(_mm_sub_epi32(mids, odds), MNI_SHIFT_2 + 2);
    const __m128i words = _mm_unpacklo_epi32(left, right);
    const uint32_t v = (uint32_t)_mm_cvtsi128_si32(
        _mm_packus_epi16(_mm_packs_epi32(words, words), zero));
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
    out[stride] = (uint8_t)(v >> 16);
    out[stride + 1] = (uint8_t)(v >> 24);
}

/* --- bytes -------------------------------------------------------------------------- */

/* 32 bytes are copied, and then it is seen how many of them are good. */
MNI_AVX2 static size_t unstuff_avx2(uint8_t *to, size_t room, const uint8_t *from,
                                    size_t n, size_t *used)
{
    const __m256i mark = _mm256_set1_epi8(-1);
    size_t done = 0, at = 0;
    while (done + 32 <= room && at + 33 <= n) {
        const __m256i v = load(from + at);
        const unsigned marks = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, mark));
        _mm256_storeu_si256((__m256i *)(to + done), v);
        if (marks == 0) {
            done += 32;
            at += 32;
            continue;
        }
        const size_t i = (size_t)__builtin_ctz(marks);
        if (from[at + i + 1] != 0) break;
        done += i + 1;
        at += i + 2;
    }
    done += mni_jpeg_unstuff_c(to + done, room - done, from + at, n - at, used);
    *used += at;
    return done;
}

/* --- rows to full size -------------------------------------------------------------- */

/* 3 * a + b of 32 bytes each, as 16 bits: bytes 0-7 16-23 in lo, 8-15 24-31 in hi. */
MNI_AVX2 static MNI_INLINE void weighed(__m256i a, __m256i b, __m256i *lo, __m256i *hi)
{
    const __m256i three_one = _mm256_set1_epi16(0x0103);
    *lo = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), three_one);
    *hi = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), three_one);
}

/* 64 pixels: of lo and hi in the order of `weighed`, even ones in the low byte. */
MNI_AVX2 static MNI_INLINE void store_pixels(uint8_t *to, __m256i lo, __m256i hi)
{
    _mm256_storeu_si256((__m256i *)to, _mm256_permute2x128_si256(lo, hi, 0x20));
    _mm256_storeu_si256((__m256i *)(to + 32), _mm256_permute2x128_si256(lo, hi, 0x31));
}

/* The first and the last sample have one neighbour only; vectors begin at 1 and may read
 * one to either side. The last vector is put so that it ends at the last but one. */
enum { STEP = 32, LEAST = STEP + 2 };

MNI_AVX2 static MNI_INLINE void across_32(uint8_t *to, const uint8_t *in)
{
    const __m256i one = _mm256_set1_epi16(1), two = _mm256_set1_epi16(2);
    __m256i el, eh, ol, oh;
    weighed(load(in), load(in - 1), &el, &eh);
    weighed(load(in), load(in + 1), &ol, &oh);
    el = _mm256_srli_epi16(_mm256_add_epi16(el, one), 2);
    eh = _mm256_srli_epi16(_mm256_add_epi16(eh, one), 2);
    ol = _mm256_srli_epi16(_mm256_add_epi16(ol, two), 2);
    oh = _mm256_srli_epi16(_mm256_add_epi16(oh, two), 2);
    store_pixels(to, _mm256_or_si256(el, _mm256_slli_epi16(ol, 8)),
                 _mm256_or_si256(eh, _mm256_slli_epi16(oh, 8)));
}

MNI_AVX2 static void across_avx2(uint8_t *to, const uint8_t *in, size_t w)
{
    if (w < LEAST) {
        mni_jpeg_across_c(to, in, w);
        return;
    }
    to[0] = in[0];
    to[1] = (uint8_t)((3 * in[0] + in[1] + 2) >> 2);
    size_t i = 1;
    for (; i + STEP < w; i += STEP) across_32(to + 2 * i, in + i);
    across_32(to + 2 * (w - 1 - STEP), in + (w - 1 - STEP));
    to[2 * w - 2] = (uint8_t)((3 * in[w - 1] + in[w - 2] + 1) >> 2);
    to[2 * w - 1] = in[w - 1];
}

/* (3 * sum + beside + bias) / 16 */
MNI_AVX2 static MNI_INLINE __m256i sixteenth(__m256i sum, __m256i beside, int bias)
{
    const __m256i thrice = _mm256_add_epi16(sum, _mm256_slli_epi16(sum, 1));
    const __m256i all = _mm256_add_epi16(
        thrice, _mm256_add_epi16(beside, _mm256_set1_epi16((short)bias)));
    return _mm256_srli_epi16(all, 4);
}

MNI_AVX2 static MNI_INLINE void both_32(uint8_t *to, const uint8_t *near,
                                        const uint8_t *far)
{
    __m256i lo, hi, before_lo, before_hi, after_lo, after_hi;
    weighed(load(near), load(far), &lo, &hi);
    weighed(load(near - 1), load(far - 1), &before_lo, &before_hi);
    weighed(load(near + 1), load(far + 1), &after_lo, &after_hi);
    const __m256i el = sixteenth(lo, before_lo, 8), eh = sixteenth(hi, before_hi, 8);
    const __m256i ol = sixteenth(lo, after_lo, 7), oh = sixteenth(hi, after_hi, 7);
    store_pixels(to, _mm256_or_si256(el, _mm256_slli_epi16(ol, 8)),
                 _mm256_or_si256(eh, _mm256_slli_epi16(oh, 8)));
}

MNI_AVX2 static void both_avx2(uint8_t *to, const uint8_t *near, const uint8_t *far,
                               size_t w)
{
    if (w < LEAST) {
        mni_jpeg_both_c(to, near, far, w);
        return;
    }
    uint8_t edge[4];
    mni_jpeg_both_c(edge, near, far, 2);
    to[0] = edge[0];
    to[1] = edge[1];
    for (size_t i = 1; i + STEP < w; i += STEP) both_32(to + 2 * i, near + i, far + i);
    const size_t last = w - 1 - STEP;
    both_32(to + 2 * last, near + last, far + last);
    mni_jpeg_both_c(edge, near + w - 2, far + w - 2, 2);
    to[2 * w - 2] = edge[2];
    to[2 * w - 1] = edge[3];
}

MNI_AVX2 static MNI_INLINE void down_32(uint8_t *to, const uint8_t *near,
                                        const uint8_t *far, __m256i bias)
{
    __m256i lo, hi;
    weighed(load(near), load(far), &lo, &hi);
    lo = _mm256_srli_epi16(_mm256_add_epi16(lo, bias), 2);
    hi = _mm256_srli_epi16(_mm256_add_epi16(hi, bias), 2);
    _mm256_storeu_si256((__m256i *)to, _mm256_packus_epi16(lo, hi));
}

MNI_AVX2 static void down_avx2(uint8_t *to, const uint8_t *near, const uint8_t *far,
                               size_t w, int bias)
{
    if (w < STEP) {
        mni_jpeg_down_c(to, near, far, w, bias);
        return;
    }
    const __m256i biases = _mm256_set1_epi16((short)bias);
    for (size_t i = 0; i + STEP < w; i += STEP)
        down_32(to + i, near + i, far + i, biases);
    down_32(to + w - STEP, near + w - STEP, far + w - STEP, biases);
}

/* --- colour ------------------------------------------------------------------------- */

/* 16 pixels in 16 bits: red, green, blue, not yet limited. vpmulhrsw is (a * b + 2^14) >>
 * 15; for red 26345 / 2 is not whole, but 13173 gives the same for all 256 values. */
MNI_AVX2 static MNI_INLINE void rgb_16(__m256i y, __m256i b, __m256i r, __m256i rgb[3])
{
    const __m256i half = _mm256_set1_epi32(1 << 15);
    const __m256i middle = _mm256_set1_epi16(128);
    b = _mm256_sub_epi16(b, middle);
    r = _mm256_sub_epi16(r, middle);
    const __m256i for_r = _mm256_mulhrs_epi16(r, _mm256_set1_epi16(13173));
    const __m256i for_b = _mm256_mulhrs_epi16(b, _mm256_set1_epi16(-7471));
    __m256i lo = MADD(_mm256_unpacklo_epi16(b, r), -22554, 18734);
    __m256i hi = MADD(_mm256_unpackhi_epi16(b, r), -22554, 18734);
    lo = _mm256_srai_epi32(ADD(lo, half), 16);
    hi = _mm256_srai_epi32(ADD(hi, half), 16);
    rgb[0] = _mm256_add_epi16(_mm256_add_epi16(y, r), for_r);
    rgb[1] = _mm256_add_epi16(_mm256_sub_epi16(y, r), _mm256_packs_epi32(lo, hi));
    rgb[2] = _mm256_add_epi16(_mm256_add_epi16(y, for_b), _mm256_slli_epi16(b, 1));
}

/* What of r, g, b (16 bytes a half) goes into output bytes 0-15, 16-31, 32-47: byte i of
 * the output is channel i % 3 of pixel i / 3. */
#define SPREAD(name, ...)                                                                \
    static const uint8_t name[32] = { __VA_ARGS__, __VA_ARGS__ }
#define NO 128
SPREAD(red_0, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO, 5);
SPREAD(red_1, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10, NO);
SPREAD(red_2, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO, NO);
SPREAD(green_0, NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO);
SPREAD(green_1, 5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10);
SPREAD(green_2, NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO);
SPREAD(blue_0, NO, NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO);
SPREAD(blue_1, NO, 5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO);
SPREAD(blue_2, 10, NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15);
#undef NO

MNI_AVX2 static MNI_INLINE __m256i woven(const __m256i rgb[3], const uint8_t *red,
                                         const uint8_t *green, const uint8_t *blue)
{
    return _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(rgb[0], load(red)),
                                           _mm256_shuffle_epi8(rgb[1], load(green))),
                           _mm256_shuffle_epi8(rgb[2], load(blue)));
}

MNI_AVX2 static MNI_INLINE void ycc_32(uint8_t *to, const uint8_t *y, const uint8_t *cb,
                                       const uint8_t *cr)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i vy = load(y), vb = load(cb), vr = load(cr);
    __m256i lo[3], hi[3], rgb[3];
    rgb_16(_mm256_unpacklo_epi8(vy, zero), _mm256_unpacklo_epi8(vb, zero),
           _mm256_unpacklo_epi8(vr, zero), lo);
    rgb_16(_mm256_unpackhi_epi8(vy, zero), _mm256_unpackhi_epi8(vb, zero),
           _mm256_unpackhi_epi8(vr, zero), hi);
    for (int i = 0; i < 3; i++) rgb[i] = _mm256_packus_epi16(lo[i], hi[i]);
    const __m256i a = woven(rgb, red_0, green_0, blue_0);
    const __m256i b = woven(rgb, red_1, green_1, blue_1);
    const __m256i c = woven(rgb, red_2, green_2, blue_2);
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(a));
    _mm_storeu_si128((__m128i *)(to + 16), _mm256_castsi256_si128(b));
    _mm_storeu_si128((__m128i *)(to + 32), _mm256_castsi256_si128(c));
    _mm_storeu_si128((__m128i *)(to + 48), _mm256_extracti128_si256(a, 1));
    _mm_storeu_si128((__m128i *)(to + 64), _mm256_extracti128_si256(b, 1));
    _mm_storeu_si128((__m128i *)(to + 80), _mm256_extracti128_si256(c, 1));
}

MNI_AVX2 static void ycc_avx2(uint8_t *to, const uint8_t *y, const uint8_t *cb,
                              const uint8_t *cr, size_t w)
{
    if (w < STEP) {
        mni_jpeg_ycc_c(to, y, cb, cr, w);
        return;
    }
    for (size_t i = 0; i + STEP < w; i += STEP) ycc_32(to + 3 * i, y + i, cb + i, cr + i);
    const size_t last = w - STEP;
    ycc_32(to + 3 * last, y + last, cb + last, cr + last);
}

void mni_kern_jpeg_add_avx2(mni_kern_jpeg *k)
{
    k->name = "avx2";
    k->unstuff = unstuff_avx2;
    k->idct8 = idct8_avx2;
    k->idct4 = idct4_avx2;
    k->idct2 = idct2_avx2;
    k->across = across_avx2;
    k->both = both_avx2;
    k->down = down_avx2;
    k->ycc = ycc_avx2;
}
#else
void mni_kern_jpeg_add_avx2(mni_kern_jpeg *k) { (void)k; }
#endif
