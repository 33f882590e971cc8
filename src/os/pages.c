/* pages.c - see pages.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static void advise(const void *at, size_t n_bytes, int advice)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)at,
                    first = from - from % page;
    if (n_bytes) (void)posix_madvise((void *)first, from + n_bytes - first, advice);
}

void mni_pages_scattered(const void *at, size_t n_bytes)
{
    advise(at, n_bytes, POSIX_MADV_RANDOM);
}

void mni_pages_in_turn(const void *at, size_t n_bytes)
{
    advise(at, n_bytes, POSIX_MADV_NORMAL);
}

void mni_pages_send_for(const void *at, size_t n_bytes)
{
    advise(at, n_bytes, POSIX_MADV_WILLNEED);
}
