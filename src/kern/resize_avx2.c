/* resize_avx2.c - the passes of kern_img.h with 256 bits.
 *
 * Across: a lane of 128 bits belongs to one row. Two pixels are spread by one shuffle so
 * that pmaddwd meets them with the weights of their two taps (RGB; RGBA likewise):
 *
 *     bytes in memory     r0 g0 b0 r1 g1 b1 ..
 *     16-bit words        r0 r1 | g0 g1 | b0 b1 | 0 0
 *     times               w0 w1 | w0 w1 | w0 w1 | w0 w1      added in pairs: a sum a
 * channel
 *
 * Four rows go together, because they share the weights. Down: the bytes of two rows are
 * interleaved, which puts the pairs side by side at once. SPDX-License-Identifier: MIT */
#include "kern/kern_img.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <string.h>

enum { PIECE = 16, HALF = 1 << (MNI_TAP_BITS - 1) };

/* (high << 11) + low, rounded, shifted down: 8 sums, not yet clipped. */
MNI_AVX2 static MNI_INLINE __m256i finish(__m256i high, __m256i low)
{
    return _mm256_srai_epi32(
        _mm256_add_epi32(_mm256_slli_epi32(high, MNI_TAP_SPLIT), low), MNI_TAP_BITS);
}

MNI_AVX2 static MNI_INLINE __m256i two_rows(const uint8_t *a, const uint8_t *b)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)a)),
        _mm_loadu_si128((const __m128i *)(const void *)b), 1);
}

MNI_AVX2 static MNI_INLINE void across(uint8_t *const out[4], const uint8_t *const in[4],
                                       const mni_taps *t, const uint32_t channels)
{
    const __m256i spread = _mm256_broadcastsi128_si256(
        channels == 3
            ? _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)
            : _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
    const uint32_t *w = t->pairs;
    for (uint32_t i = 0; i < t->n_out; i++) {
        size_t at = (size_t)t->first[i] * channels;
        __m256i high01 = _mm256_setzero_si256(), high23 = high01;
        __m256i low01 = _mm256_set1_epi32(HALF), low23 = low01;
        for (uint32_t k = 0; k < t->n; k += 2, w += 2, at += 2 * channels) {
            const __m256i high = _mm256_set1_epi32((int)w[0]),
                          low = _mm256_set1_epi32((int)w[1]);
            const __m256i x =
                _mm256_shuffle_epi8(two_rows(in[0] + at, in[1] + at), spread);
            const __m256i y =
                _mm256_shuffle_epi8(two_rows(in[2] + at, in[3] + at), spread);
            high01 = _mm256_add_epi32(high01, _mm256_madd_epi16(x, high));
            low01 = _mm256_add_epi32(low01, _mm256_madd_epi16(x, low));
            high23 = _mm256_add_epi32(high23, _mm256_madd_epi16(y, high));
            low23 = _mm256_add_epi32(low23, _mm256_madd_epi16(y, low));
        }
        const __m256i words =
            _mm256_packs_epi32(finish(high01, low01), finish(high23, low23));
        const __m256i bytes = _mm256_packus_epi16(words, words); /* rows 0 2 | 1 3 */
        const uint64_t even = (uint64_t)_mm256_extract_epi64(bytes, 0),
                       odd = (uint64_t)_mm256_extract_epi64(bytes, 2);
        const uint32_t pixels[4] = { (uint32_t)even, (uint32_t)odd,
                                     (uint32_t)(even >> 32), (uint32_t)(odd >> 32) };
        for (int r = 0; r < 4; r++)
            memcpy(out[r] + (size_t)i * channels, &pixels[r], sizeof pixels[r]);
    }
}

MNI_AVX2 static void across_avx2(uint8_t *const out[4], const uint8_t *const in[4],
                                 const mni_taps *t, uint32_t channels)
{
    if (channels == 3) across(out, in, t, 3);
    else if (channels == 4) across(out, in, t, 4);
    else mni_across_c(out, in, t, channels);
}

MNI_AVX2 static MNI_INLINE void down_16(uint8_t *out, const uint8_t *const *rows,
                                        const uint32_t *pairs, uint32_t n, size_t at)
{
    __m256i high[2], low[2];
    for (int h = 0; h < 2; h++) {
        high[h] = _mm256_setzero_si256();
        low[h] = _mm256_set1_epi32(HALF);
    }
    for (uint32_t k = 0; k < n; k += 2) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(rows[k] + at));
        const __m128i b =
            _mm_loadu_si128((const __m128i *)(const void *)(rows[k + 1] + at));
        const __m256i x[2] = { _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)),
                               _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)) };
        const __m256i h = _mm256_set1_epi32((int)pairs[k]),
                      l = _mm256_set1_epi32((int)pairs[k + 1]);
        for (int i = 0; i < 2; i++) {
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(x[i], h));
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(x[i], l));
        }
    }
    /* Packing works within halves: 0-3 8-11 | 4-7 12-15, put in order afterwards. */
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(finish(high[0], low[0]), finish(high[1], low[1])), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)(out + at),
                     _mm_packus_epi16(_mm256_castsi256_si128(words),
                                      _mm256_extracti128_si256(words, 1)));
}

/* The last piece overlaps the one before: the same bytes once more. */
MNI_AVX2 static void down_avx2(uint8_t *out, const uint8_t *const *rows,
                               const int32_t *weight, const uint32_t *pairs, uint32_t n,
                               size_t n_bytes)
{
    if (n_bytes < PIECE) {
        mni_down_c(out, rows, weight, pairs, n, n_bytes);
        return;
    }
    for (size_t at = 0; at < n_bytes; at += PIECE)
        down_16(out, rows, pairs, n, n_bytes - at < PIECE ? n_bytes - PIECE : at);
}

void mni_kern_img_add_avx2(mni_kern_img *k)
{
    k->name = "avx2";
    k->across = across_avx2;
    k->down = down_avx2;
}

#else
void mni_kern_img_add_avx2(mni_kern_img *k) { (void)k; }
#endif
