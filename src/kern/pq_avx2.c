/* pq_avx2.c - 64 look-ups at a time: a register holds the tables of two pieces.
 *
 * Bytes are added into 16-bit lanes without being taken apart: the sum of whole lanes
 * (even byte + 256 * odd byte) and the sum of the odd bytes alone; at the end, the one
 * less 256 times the other is the sum of the even bytes. Overflow of the first does not
 * matter, since all of this is modulo 2^16 and the result fits.
 *
 * 8-bit codes want tables of 256 bytes, 16 registers each: the plain loop is as fast.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_pq.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

MNI_AVX2 static MNI_INLINE __m256i load32(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

MNI_AVX2 static MNI_INLINE __m128i both(__m256i v)
{
    return _mm_add_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/* out[0..16): 16 rows' sums from the two lanes; added to what is there if `add`. */
MNI_AVX2 static MNI_INLINE void finish(__m256i whole, __m256i odd, int add, int32_t *out)
{
    const __m128i o = both(odd);
    const __m128i e = both(_mm256_sub_epi16(whole, _mm256_slli_epi16(odd, 8)));
    __m256i a = _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(e, o));
    __m256i b = _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(e, o));
    if (add) {
        a = _mm256_add_epi32(a, load32(out));
        b = _mm256_add_epi32(b, load32(out + 8));
    }
    _mm256_storeu_si256((__m256i *)(void *)out, a);
    _mm256_storeu_si256((__m256i *)(void *)(out + 8), b);
}

MNI_AVX2 static MNI_INLINE void block(const uint8_t *codes, const uint8_t *tables,
                                      size_t pieces, int add, int32_t *out)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i whole0 = _mm256_setzero_si256(), odd0 = whole0, whole1 = whole0,
            odd1 = whole0;
    for (size_t p = 0; p < pieces; p += 2) {
        const __m256i c = load32(codes + p * 16), t = load32(tables + p * 16);
        const __m256i v0 = _mm256_shuffle_epi8(t, _mm256_and_si256(c, low));
        const __m256i v1 =
            _mm256_shuffle_epi8(t, _mm256_and_si256(_mm256_srli_epi16(c, 4), low));
        whole0 = _mm256_add_epi16(whole0, v0);
        whole1 = _mm256_add_epi16(whole1, v1);
        odd0 = _mm256_add_epi16(odd0, _mm256_srli_epi16(v0, 8));
        odd1 = _mm256_add_epi16(odd1, _mm256_srli_epi16(v1, 8));
    }
    finish(whole0, odd0, add, out);
    finish(whole1, odd1, add, out + MNI_PQ_LANES);
}

MNI_AVX2 static void sum4_avx2(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++) {
        size_t p = 0;
        do {
            const size_t n = a->pieces - p < MNI_PQ_RUN ? a->pieces - p : MNI_PQ_RUN;
            block(a->codes + b * a->stride + p * 16, a->tables + p * 16, n, p > 0,
                  a->out + b * MNI_PQ_ROWS);
            p += n;
        } while (p < a->pieces);
    }
}

void mni_kern_pq_add_avx2(mni_kern_pq *k)
{
    k->name = "avx2";
    k->sum4 = sum4_avx2;
}

#else
void mni_kern_pq_add_avx2(mni_kern_pq *k) { (void)k; }
#endif
