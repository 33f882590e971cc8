/* mem.h - the only door to the heap.
 *
 * One gateway makes three things possible: overflow of count * size is refused in one
 * place, tests count what is alive, and tests let the n-th allocation fail (CONVENTIONS:
 * the allocation-failure loop). Out of memory is an ordinary NULL, never an abort.
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_MEM_H
#define MNI_BASE_MEM_H

#include <stddef.h>

/* Zeroed storage for count * size bytes; NULL when memory ends or the product overflows.
 * A product of 0 still gives a unique, freeable pointer. Alignment as malloc (16
 * bytes). */
void *mni_alloc(size_t count, size_t size);

/* The same, 64-byte aligned (a cache line, and the widest SIMD register). NOT zeroed when
 * `zero` is 0. Released with mni_free like any other block. */
void *mni_alloc_aligned(size_t count, size_t size, int zero);

/* Grows or shrinks a block from mni_alloc; old contents stay, new bytes are not zeroed.
 * On failure NULL is returned and the old block stands. Not for aligned blocks. */
void *mni_realloc(void *block, size_t count, size_t size);

void mni_free(void *block); /* accepts NULL */

char *mni_strdup(const char *text);
void *mni_memdup(const void *bytes, size_t n_bytes); /* n_bytes may be 0 */

/* Doubles *cap until `need` items fit, at least 16. Returns 0 when memory ends (array
 * stands).
 *     if (!mni_grow((void **)&v->items, &v->cap, v->n + 1, sizeof *v->items)) ... */
int mni_grow(void **array, size_t *cap, size_t need, size_t item_bytes);

/* For tests: blocks alive now; fail the allocation number n from now (0 = the next) and
 * all that follow it; -1 = never. */
long mni_mem_live(void);
void mni_mem_fail_after(long n);

#endif
