/* pq_avx512.c - 128 look-ups at a time, after the plan of pq_avx2.c: a register holds the
 * tables of four pieces, and two blocks share it. With VBMI a look-up in 128 bytes is one
 * instruction, so that tables of 256 bytes are four registers and two look-ups.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_pq.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define MNI_VBMI                                                                         \
    __attribute__((                                                                      \
        target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

MNI_AVX512 static MNI_INLINE __m512i load64(const void *at)
{
    return _mm512_loadu_si512(at);
}

/* 32 rows: `even` has rows 0, 2, 4 ..., `odd` the others. */
MNI_AVX512 static MNI_INLINE void store_rows(__m256i even, __m256i odd, int add,
                                             int32_t *out)
{
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                            22, 7, 23);
    const __m512i e = _mm512_cvtepu16_epi32(even), o = _mm512_cvtepu16_epi32(odd);
    __m512i a = _mm512_permutex2var_epi32(e, first, o);
    __m512i b = _mm512_permutex2var_epi32(
        e, _mm512_add_epi32(first, _mm512_set1_epi32(8)), o);
    if (add) {
        a = _mm512_add_epi32(a, load64(out));
        b = _mm512_add_epi32(b, load64(out + 16));
    }
    _mm512_storeu_si512(out, a);
    _mm512_storeu_si512(out + 16, b);
}

/* The four lanes of v added up. */
MNI_AVX512 static MNI_INLINE __m128i all_four(__m512i v)
{
    const __m256i two = _mm256_add_epi16(_mm512_castsi512_si256(v),
                                         _mm512_extracti64x4_epi64(v, 1));
    return _mm_add_epi16(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

MNI_AVX512 static MNI_INLINE __m256i side_by_side(__m128i a, __m128i b)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

MNI_AVX512 static MNI_INLINE void blocks4(const uint8_t *codes, size_t stride,
                                          const size_t n, const uint8_t *tables,
                                          size_t pieces, int add, int32_t *out)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i whole[2][2], odd[2][2];
    for (size_t b = 0; b < n; b++)
        for (int h = 0; h < 2; h++) whole[b][h] = odd[b][h] = _mm512_setzero_si512();
    for (size_t p = 0; p < pieces; p += 4) {
        const __m512i t = load64(tables + p * 16);
        for (size_t b = 0; b < n; b++) {
            const __m512i c = load64(codes + b * stride + p * 16);
            const __m512i v0 = _mm512_shuffle_epi8(t, _mm512_and_si512(c, low));
            const __m512i v1 =
                _mm512_shuffle_epi8(t, _mm512_and_si512(_mm512_srli_epi16(c, 4), low));
            whole[b][0] = _mm512_add_epi16(whole[b][0], v0);
            whole[b][1] = _mm512_add_epi16(whole[b][1], v1);
            odd[b][0] = _mm512_add_epi16(odd[b][0], _mm512_srli_epi16(v0, 8));
            odd[b][1] = _mm512_add_epi16(odd[b][1], _mm512_srli_epi16(v1, 8));
        }
    }
    for (size_t b = 0; b < n; b++) {
        __m128i e[2], o[2];
        for (int h = 0; h < 2; h++) {
            e[h] = all_four(
                _mm512_sub_epi16(whole[b][h], _mm512_slli_epi16(odd[b][h], 8)));
            o[h] = all_four(odd[b][h]);
        }
        store_rows(side_by_side(e[0], e[1]), side_by_side(o[0], o[1]), add,
                   out + b * MNI_PQ_ROWS);
    }
}

MNI_AVX512 static void sum4_avx512(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b += 2) {
        const uint8_t *codes = a->codes + b * a->stride;
        int32_t *out = a->out + b * MNI_PQ_ROWS;
        size_t p = 0;
        do {
            const size_t n = a->pieces - p < MNI_PQ_RUN ? a->pieces - p : MNI_PQ_RUN;
            if (b + 1 < a->n_blocks)
                blocks4(codes + p * 16, a->stride, 2, a->tables + p * 16, n, p > 0, out);
            else
                blocks4(codes + p * 16, a->stride, 1, a->tables + p * 16, n, p > 0, out);
            p += n;
        } while (p < a->pieces);
    }
}

void mni_kern_pq_add_avx512(mni_kern_pq *k)
{
    k->name = "avx512";
    k->sum4 = sum4_avx512;
}

/* --- VBMI --------------------------------------------------------------------------- */

MNI_VBMI static MNI_INLINE __m512i look_up(const __m512i t[4], __m512i c)
{
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(c),
                                  _mm512_permutex2var_epi8(t[0], c, t[1]),
                                  _mm512_permutex2var_epi8(t[2], c, t[3]));
}

/* Two blocks make a register; n pairs share the tables. A block that is not there is read
 * as the one before it. */
MNI_VBMI static MNI_INLINE void blocks8(const uint8_t *const codes[4], const size_t n,
                                        const uint8_t *tables, size_t pieces, int add,
                                        size_t n_blocks, int32_t *out)
{
    __m512i whole[2], odd[2];
    for (size_t i = 0; i < n; i++) whole[i] = odd[i] = _mm512_setzero_si512();
    for (size_t p = 0; p < pieces; p++) {
        const uint8_t *at = tables + p * 256;
        const __m512i t[4] = { load64(at), load64(at + 64), load64(at + 128),
                               load64(at + 192) };
        for (size_t i = 0; i < n; i++) {
            const __m256i c0 = _mm256_loadu_si256(
                (const __m256i *)(const void *)(codes[2 * i] + p * MNI_PQ_ROWS));
            const __m256i c1 = _mm256_loadu_si256(
                (const __m256i *)(const void *)(codes[2 * i + 1] + p * MNI_PQ_ROWS));
            const __m512i v =
                look_up(t, _mm512_inserti64x4(_mm512_castsi256_si512(c0), c1, 1));
            whole[i] = _mm512_add_epi16(whole[i], v);
            odd[i] = _mm512_add_epi16(odd[i], _mm512_srli_epi16(v, 8));
        }
    }
    for (size_t i = 0; i < n; i++) {
        const __m512i e = _mm512_sub_epi16(whole[i], _mm512_slli_epi16(odd[i], 8));
        store_rows(_mm512_castsi512_si256(e), _mm512_castsi512_si256(odd[i]), add,
                   out + 2 * i * MNI_PQ_ROWS);
        if (2 * i + 1 < n_blocks)
            store_rows(_mm512_extracti64x4_epi64(e, 1),
                       _mm512_extracti64x4_epi64(odd[i], 1), add,
                       out + (2 * i + 1) * MNI_PQ_ROWS);
    }
}

MNI_VBMI static void sum8_vbmi(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b += 4) {
        const size_t m = a->n_blocks - b < 4 ? a->n_blocks - b : 4;
        int32_t *out = a->out + b * MNI_PQ_ROWS;
        size_t p = 0;
        do {
            const size_t n = a->pieces - p < MNI_PQ_RUN ? a->pieces - p : MNI_PQ_RUN;
            const uint8_t *codes[4], *tables = a->tables + p * 256;
            for (size_t i = 0; i < 4; i++)
                codes[i] = a->codes + (b + (i < m ? i : m - 1)) * a->stride +
                           p * MNI_PQ_ROWS;
            if (m > 2) blocks8(codes, 2, tables, n, p > 0, m, out);
            else blocks8(codes, 1, tables, n, p > 0, m, out);
            p += n;
        } while (p < a->pieces);
    }
}

void mni_kern_pq_add_vbmi(mni_kern_pq *k)
{
    k->name = "avx512vnni";
    k->sum8 = sum8_vbmi;
}

#else
void mni_kern_pq_add_avx512(mni_kern_pq *k) { (void)k; }
void mni_kern_pq_add_vbmi(mni_kern_pq *k) { (void)k; }
#endif
