/* code_avx512.c - sums over codes, 64 bytes at a time (code512_body.h).
 * SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define LEVEL MNI_AVX512
#include "kern/code_rows.h"

/* sum += c * q over bytes; c without sign, q with */
LEVEL static MNI_INLINE __m512i add_products(__m512i sum, __m512i c, __m512i q)
{
    const __m512i pairs = _mm512_maddubs_epi16(c, q);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

LEVEL static MNI_INLINE __m512i add_words(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

#include "kern/code512_body.h"

void mni_kern_code_add_avx512(mni_kern_code *k)
{
    *k = (mni_kern_code){ "avx512", near8, near4, away8, away4, pairs };
}

#else
void mni_kern_code_add_avx512(mni_kern_code *k) { (void)k; }
#endif
