/* huge.c - see huge.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/huge.h"

#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 << 20 };  /* of x86-64, and of aarch64 with pages of 4 KiB */

void mni_huge_advise(void *at, size_t n_bytes)
{
#if defined(MADV_HUGEPAGE)
    const uintptr_t mask = HUGE_BYTES - 1,
                    first = ((uintptr_t)at + mask) & ~mask,
                    end = ((uintptr_t)at + n_bytes) & ~mask;
    if (at && first < end)
        (void)madvise((char *)at + (first - (uintptr_t)at), end - first, MADV_HUGEPAGE);
#else
    (void)at; (void)n_bytes;
#endif
}
