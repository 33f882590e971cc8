/* lists.h - inverted lists: for every centre the rows that are nearest to it.
 *
 * A list is a string of blocks of 32 rows; what a search reads of a block lies together:
 *
 *     | row number u32 x 32 | plus f32 x 32 | codes of the 32 rows |
 *
 * `plus` and the codes are code8.h's, or PQ's. Slots behind the last row have the row
 * MNI_NO_ROW. A list made by a build or mapped from a file lies in one piece with all
 * others; one that has grown has a piece of its own.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_LISTS_H
#define MNI_INDEX_LISTS_H

#include "index/rows.h"
#include "os/pool.h"

enum { MNI_LIST_ROWS = 32, MNI_LIST_HEAD = 256 };
#define MNI_NO_ROW UINT32_MAX

typedef struct mni_list {
    uint8_t *blocks;            /* never written while `borrowed` */
    uint32_t n, cap;            /* rows; blocks there is room for, if it has its own */
} mni_list;

typedef struct mni_lists {
    uint32_t n;
    size_t code_bytes;          /* of a block */
    size_t unit;                /* codes of one row: `unit` bytes every 32 * unit; 0: half
                                   a byte every 16 bytes (kern_pq.h) */
    mni_list *list;             /* owned */
    uint8_t *whole;             /* owned: the one piece; NULL if borrowed */
    uint32_t *list_of;          /* owned: by row, once rows may change; else NULL */
    size_t cap_rows;            /* of list_of */
} mni_lists;

static inline size_t mni_list_block_bytes(const mni_lists *l)
{
    return MNI_LIST_HEAD + l->code_bytes;
}
static inline uint32_t mni_list_blocks(uint32_t n)
{
    return n / MNI_LIST_ROWS + (n % MNI_LIST_ROWS != 0);
}
static inline uint8_t *mni_list_block(const mni_lists *l, uint32_t list, uint32_t b)
{
    return l->list[list].blocks + b * mni_list_block_bytes(l);
}
static inline uint32_t *mni_block_rows(uint8_t *block)
{
    return (uint32_t *)(void *)block;
}
static inline float *mni_block_plus(uint8_t *block)
{
    return (float *)(void *)(block + MNI_LIST_ROWS * sizeof(uint32_t));
}
static inline uint8_t *mni_block_codes(uint8_t *block) { return block + MNI_LIST_HEAD; }

/* Empty slots: row MNI_NO_ROW, plus infinite, codes `fill`. */
void mni_block_clear(const mni_lists *l, uint8_t *block, int fill);
/* Row number, plus and codes of a slot to another one. */
void mni_slot_copy(const mni_lists *l, uint8_t *to, unsigned slot, uint8_t *from,
                   unsigned from_slot);

/* n lists of these sizes in one owned piece, all slots empty. */
mann_status mni_lists_new(mni_lists *l, uint32_t n, const uint32_t *sizes,
                          size_t code_bytes, size_t unit, int fill, mann_error *err);
/* The same, borrowed: at `bytes` of n_bytes, which must be what the sizes ask for. */
mann_status mni_lists_view(mni_lists *l, uint32_t n, const uint32_t *sizes,
                           size_t code_bytes, size_t unit, const uint8_t *bytes,
                           uint64_t n_bytes, mann_error *err);
void        mni_lists_fini(mni_lists *l);
uint64_t    mni_lists_bytes(const mni_lists *l);
/* Copies what is borrowed, and makes list_of for n_rows rows. Refuses rows that are out
 * of range, missing or in two lists. */
mann_status mni_lists_own(mni_lists *l, uint32_t n_rows, mann_error *err);
/* Room in list i for so many rows in all. */
mann_status mni_lists_reserve(mni_lists *l, uint32_t i, uint32_t n, int fill,
                              mann_error *err);
/* The slot of a row in list_of[row]; 1 if found. */
int         mni_lists_find(const mni_lists *l, uint32_t row, uint32_t *at);
/* Takes slot `at` out of list i: the last one of the list moves into it. */
void        mni_lists_drop(mni_lists *l, uint32_t i, uint32_t at);

#endif
