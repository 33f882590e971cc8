/* resize_avx512.c - the passes of kern_img.h with 512 bits: four rows across in one
 * register, 32 columns down. See resize_avx2.c. SPDX-License-Identifier: MIT */
#include "kern/kern_img.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <string.h>

enum { PIECE = 32, HALF = 1 << (MNI_TAP_BITS - 1) };

MNI_AVX512 static MNI_INLINE __m512i finish(__m512i high, __m512i low)
{
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, MNI_TAP_SPLIT), low);
    return _mm512_max_epi32(_mm512_srai_epi32(sum, MNI_TAP_BITS), _mm512_setzero_si512());
}

MNI_AVX512 static MNI_INLINE __m128i load16(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

MNI_AVX512 static MNI_INLINE void across(uint8_t *const out[4],
                                         const uint8_t *const in[4], const mni_taps *t,
                                         const uint32_t channels)
{
    const __m512i spread = _mm512_broadcast_i32x4(
        channels == 3
            ? _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)
            : _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
    const uint32_t *w = t->pairs;
    for (uint32_t i = 0; i < t->n_out; i++) {
        size_t at = (size_t)t->first[i] * channels;
        __m512i high = _mm512_setzero_si512(), low = _mm512_set1_epi32(HALF);
        for (uint32_t k = 0; k < t->n; k += 2, w += 2, at += 2 * channels) {
            __m512i x = _mm512_castsi128_si512(load16(in[0] + at));
            x = _mm512_inserti32x4(x, load16(in[1] + at), 1);
            x = _mm512_inserti32x4(x, load16(in[2] + at), 2);
            x = _mm512_inserti32x4(x, load16(in[3] + at), 3);
            x = _mm512_shuffle_epi8(x, spread);
            high = _mm512_add_epi32(high,
                                    _mm512_madd_epi16(x, _mm512_set1_epi32((int)w[0])));
            low = _mm512_add_epi32(low,
                                   _mm512_madd_epi16(x, _mm512_set1_epi32((int)w[1])));
        }
        uint32_t pixels[4];
        const __m128i bytes = _mm512_cvtusepi32_epi8(finish(high, low));
        _mm_storeu_si128((__m128i *)(void *)pixels, bytes);
        for (int r = 0; r < 4; r++)
            memcpy(out[r] + (size_t)i * channels, &pixels[r], sizeof pixels[r]);
    }
}

MNI_AVX512 static void across_avx512(uint8_t *const out[4], const uint8_t *const in[4],
                                     const mni_taps *t, uint32_t channels)
{
    if (channels == 3) across(out, in, t, 3);
    else if (channels == 4) across(out, in, t, 4);
    else mni_across_c(out, in, t, channels);
}

MNI_AVX512 static MNI_INLINE void down_32(uint8_t *out, const uint8_t *const *rows,
                                          const uint32_t *pairs, uint32_t n, size_t at)
{
    __m512i high[2], low[2];
    for (int i = 0; i < 2; i++) {
        high[i] = _mm512_setzero_si512();
        low[i] = _mm512_set1_epi32(HALF);
    }
    for (uint32_t k = 0; k < n; k += 2) {
        const __m512i h = _mm512_set1_epi32((int)pairs[k]),
                      l = _mm512_set1_epi32((int)pairs[k + 1]);
        for (int i = 0; i < 2; i++) {
            const __m128i a = load16(rows[k] + at + 16 * i),
                          b = load16(rows[k + 1] + at + 16 * i);
            const __m512i x = _mm512_cvtepu8_epi16(_mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_unpacklo_epi8(a, b)), _mm_unpackhi_epi8(a, b),
                1));
            high[i] = _mm512_add_epi32(high[i], _mm512_madd_epi16(x, h));
            low[i] = _mm512_add_epi32(low[i], _mm512_madd_epi16(x, l));
        }
    }
    for (int i = 0; i < 2; i++)
        _mm_storeu_si128((__m128i *)(void *)(out + at + 16 * i),
                         _mm512_cvtusepi32_epi8(finish(high[i], low[i])));
}

MNI_AVX512 static void down_avx512(uint8_t *out, const uint8_t *const *rows,
                                   const int32_t *weight, const uint32_t *pairs,
                                   uint32_t n, size_t n_bytes)
{
    if (n_bytes < PIECE) {
        mni_down_c(out, rows, weight, pairs, n, n_bytes);
        return;
    }
    for (size_t at = 0; at < n_bytes; at += PIECE)
        down_32(out, rows, pairs, n, n_bytes - at < PIECE ? n_bytes - PIECE : at);
}

void mni_kern_img_add_avx512(mni_kern_img *k)
{
    k->name = "avx512";
    k->across = across_avx512;
    k->down = down_avx512;
}

#else
void mni_kern_img_add_avx512(mni_kern_img *k) { (void)k; }
#endif
