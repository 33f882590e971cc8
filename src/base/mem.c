/* mem.c - the only file that says malloc. See mem.h.
 *
 * Aligned blocks carry a small header so that one mni_free serves both kinds:
 *
 *   start            user pointer (16- or 64-byte aligned)
 *   |  ... |  shift  |
 *
 * Every block, aligned or not, keeps its distance from what malloc gave in the word
 * before the user's bytes. SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN = 16, LINE = 64 };

static atomic_long live;
static atomic_long fail_in = -1;

long mni_mem_live(void) { return atomic_load_explicit(&live, memory_order_relaxed); }
void mni_mem_fail_after(long n)
{
    atomic_store_explicit(&fail_in, n, memory_order_relaxed);
}

/* Counts down to 0 and stays there: from that allocation on, every one fails. A
 * compare-exchange, because two threads that both saw 1 must not take it past 0 to
 * "never". */
static int must_fail(void)
{
    long left = atomic_load_explicit(&fail_in, memory_order_relaxed);
    while (left > 0)
        if (atomic_compare_exchange_weak_explicit(
                &fail_in, &left, left - 1, memory_order_relaxed, memory_order_relaxed))
            return 0;
    return left == 0;
}

static void *place(char *start, size_t align)
{
    uintptr_t at =
        ((uintptr_t)start + sizeof(size_t) + align - 1) & ~(uintptr_t)(align - 1);
    ((size_t *)at)[-1] = (size_t)(at - (uintptr_t)start);
    return (void *)at;
}

static void *allocate(size_t count, size_t size, size_t align, int zero)
{
    if (size && count > (SIZE_MAX / 2) / size) return NULL;
    if (must_fail()) return NULL;
    size_t bytes = count * size + align + sizeof(size_t);
    char *start = zero ? calloc(1, bytes) : malloc(bytes);
    if (!start) return NULL;
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return place(start, align);
}

void *mni_alloc(size_t count, size_t size) { return allocate(count, size, PLAIN, 1); }

void *mni_alloc_aligned(size_t count, size_t size, int zero)
{
    return allocate(count, size, LINE, zero);
}

void mni_free(void *block)
{
    if (!block) return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free((char *)block - ((size_t *)block)[-1]);
}

/* malloc gives 16-byte alignment on every target we build for, so a plain block always
 * starts PLAIN bytes after its malloc pointer and realloc keeps that distance. */
void *mni_realloc(void *block, size_t count, size_t size)
{
    if (!block) return mni_alloc(count, size);
    if (size && count > (SIZE_MAX / 2) / size) return NULL;
    if (must_fail()) return NULL;
    size_t shift = ((size_t *)block)[-1];
    char *start = realloc((char *)block - shift, count * size + PLAIN + sizeof(size_t));
    if (!start) return NULL;
    uintptr_t first =
        ((uintptr_t)start + sizeof(size_t) + PLAIN - 1) & ~(uintptr_t)(PLAIN - 1);
    /* a libc with 8-byte blocks: bring bytes into place */
    if (first - (uintptr_t)start != shift)
        memmove((char *)first, start + shift, count * size);
    return place(start, PLAIN);
}

void *mni_memdup(const void *bytes, size_t n_bytes)
{
    void *copy = mni_alloc(n_bytes, 1);
    if (copy && n_bytes) memcpy(copy, bytes, n_bytes);
    return copy;
}

char *mni_strdup(const char *text) { return mni_memdup(text, strlen(text) + 1); }

int mni_grow(void **array, size_t *cap, size_t need, size_t item_bytes)
{
    if (need <= *cap) return 1;
    size_t room = *cap ? *cap : 16;
    while (room < need) {
        if (room > SIZE_MAX / 2) return 0;
        room *= 2;
    }
    void *bigger = mni_realloc(*array, room, item_bytes);
    if (!bigger) return 0;
    *array = bigger;
    *cap = room;
    return 1;
}
