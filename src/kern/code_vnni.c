/* code_vnni.c - sums over codes, 64 bytes at a time (code512_body.h), multiplied and
 * added to 32 bits by one instruction.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define LEVEL MNI_VNNI
#include "kern/code_rows.h"

/* sum += c * q over bytes; c without sign, q with */
LEVEL static MNI_INLINE __m512i add_products(__m512i sum, __m512i c, __m512i q)
{
    return _mm512_dpbusd_epi32(sum, c, q);
}

LEVEL static MNI_INLINE __m512i add_words(__m512i sum, __m512i a, __m512i b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

#include "kern/code512_body.h"

void mni_kern_code_add_vnni(mni_kern_code *k)
{
    *k = (mni_kern_code){ "avx512vnni", near8, near4, away8, away4, pairs };
}

#else
void mni_kern_code_add_vnni(mni_kern_code *k) { (void)k; }
#endif
