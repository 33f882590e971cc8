/* lists.c - see lists.h. SPDX-License-Identifier: MIT */
#include "index/lists.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

void mni_block_clear(const mni_lists *l, uint8_t *block, int fill)
{
    uint32_t *rows = mni_block_rows(block);
    float *plus = mni_block_plus(block);
    for (int i = 0; i < MNI_LIST_ROWS; i++) {
        rows[i] = MNI_NO_ROW;
        plus[i] = INFINITY;
    }
    memset(mni_block_codes(block), fill, l->code_bytes);
}

/* Half a byte every 16 bytes: slots 0..15 in the low halves, 16..31 in the high ones. */
static void copy_halves(const mni_lists *l, uint8_t *to, unsigned slot,
                        const uint8_t *from, unsigned from_slot)
{
    enum { STEP = MNI_LIST_ROWS / 2 };
    const unsigned high = slot / STEP * 4, from_high = from_slot / STEP * 4;
    for (size_t at = 0; at < l->code_bytes; at += STEP) {
        const unsigned code = from[at + from_slot % STEP] >> from_high & 15;
        uint8_t *two = &to[at + slot % STEP];
        *two = (uint8_t)((*two & (15u << (4 - high))) | code << high);
    }
}

void mni_slot_copy(const mni_lists *l, uint8_t *to, unsigned slot, uint8_t *from,
                   unsigned from_slot)
{
    const size_t unit = l->unit, step = MNI_LIST_ROWS * unit;
    uint8_t *a = mni_block_codes(to) + slot * unit;
    const uint8_t *b = mni_block_codes(from) + from_slot * unit;
    mni_block_rows(to)[slot] = mni_block_rows(from)[from_slot];
    mni_block_plus(to)[slot] = mni_block_plus(from)[from_slot];
    if (unit == 0) {
        copy_halves(l, mni_block_codes(to), slot, mni_block_codes(from), from_slot);
        return;
    }
    for (size_t at = 0; at < l->code_bytes; at += step)
        for (size_t j = 0; j < unit; j++) a[at + j] = b[at + j];
}

static mann_status no_memory(uint32_t n, mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "index: %lu lists", (unsigned long)n);
}

/* Where each list begins; 0 if the sizes overflow. */
static int lay_out(mni_lists *l, const uint32_t *sizes, uint64_t *n_blocks)
{
    *n_blocks = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        l->list[i].n = sizes[i];
        *n_blocks += mni_list_blocks(sizes[i]);
    }
    return *n_blocks <= SIZE_MAX / mni_list_block_bytes(l);
}

static void point(mni_lists *l, uint8_t *at)
{
    for (uint32_t i = 0; i < l->n; i++) {
        l->list[i].blocks = at;
        at += mni_list_blocks(l->list[i].n) * mni_list_block_bytes(l);
    }
}

mann_status mni_lists_new(mni_lists *l, uint32_t n, const uint32_t *sizes,
                          size_t code_bytes, size_t unit, int fill, mann_error *err)
{
    uint64_t n_blocks = 0;
    *l = (mni_lists){ .n = n, .code_bytes = code_bytes, .unit = unit };
    l->list = mni_alloc(n, sizeof *l->list);
    if (!l->list || !lay_out(l, sizes, &n_blocks)) return no_memory(n, err);
    l->whole = mni_alloc_aligned((size_t)n_blocks, mni_list_block_bytes(l), 0);
    if (!l->whole) return no_memory(n, err);
    point(l, l->whole);
    for (uint64_t b = 0; b < n_blocks; b++)
        mni_block_clear(l, l->whole + b * mni_list_block_bytes(l), fill);
    return MANN_OK;
}

mann_status mni_lists_view(mni_lists *l, uint32_t n, const uint32_t *sizes,
                           size_t code_bytes, size_t unit, const uint8_t *bytes,
                           uint64_t n_bytes, mann_error *err)
{
    uint64_t n_blocks = 0;
    *l = (mni_lists){ .n = n, .code_bytes = code_bytes, .unit = unit };
    l->list = mni_alloc(n, sizeof *l->list);
    if (!l->list) return no_memory(n, err);
    if (!lay_out(l, sizes, &n_blocks) || n_blocks * mni_list_block_bytes(l) != n_bytes)
        return mni_fail(err, MANN_E_FORMAT,
                        "index: lists of %llu blocks of %llu bytes are in %llu bytes",
                        (unsigned long long)n_blocks,
                        (unsigned long long)mni_list_block_bytes(l),
                        (unsigned long long)n_bytes);
    point(l, (uint8_t *)(uintptr_t)bytes);      /* read only until mni_lists_own */
    return MANN_OK;
}

void mni_lists_fini(mni_lists *l)
{
    for (uint32_t i = 0; l->list && i < l->n; i++)
        if (l->list[i].cap) mni_free(l->list[i].blocks);
    mni_free(l->list);
    mni_free(l->whole);
    mni_free(l->list_of);
    *l = (mni_lists){ 0 };
}

uint64_t mni_lists_bytes(const mni_lists *l)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < l->n; i++) blocks += mni_list_blocks(l->list[i].n);
    return blocks * mni_list_block_bytes(l);
}

static mann_status map_rows(const mni_lists *l, uint32_t *list_of, uint32_t n_rows,
                            mann_error *err)
{
    uint64_t found = 0;
    for (uint32_t row = 0; row < n_rows; row++) list_of[row] = MNI_NO_ROW;
    for (uint32_t i = 0; i < l->n; i++)
        for (uint32_t at = 0; at < l->list[i].n; at++) {
            const uint32_t row =
                mni_block_rows(mni_list_block(l, i, at / MNI_LIST_ROWS))[at %
                                                                         MNI_LIST_ROWS];
            if (row >= n_rows || list_of[row] != MNI_NO_ROW)
                return mni_fail(err, MANN_E_FORMAT,
                                "index: list %lu has row %lu of %lu, or has it twice",
                                (unsigned long)i, (unsigned long)row,
                                (unsigned long)n_rows);
            list_of[row] = i;
            found++;
        }
    if (found != n_rows)
        return mni_fail(err, MANN_E_FORMAT, "index: %llu of %lu rows are in lists",
                        (unsigned long long)found, (unsigned long)n_rows);
    return MANN_OK;
}

mann_status mni_lists_own(mni_lists *l, uint32_t n_rows, mann_error *err)
{
    if (l->list_of) return MANN_OK;
    uint8_t *whole = NULL;
    const size_t n_bytes = (size_t)mni_lists_bytes(l);
    uint32_t *list_of = mni_alloc((size_t)n_rows + 1, sizeof *list_of);
    if (!list_of) return no_memory(l->n, err);
    mann_status s = map_rows(l, list_of, n_rows, err);
    if (s == MANN_OK && !l->whole) {
        whole = mni_alloc_aligned(n_bytes, 1, 0);
        if (!whole) s = no_memory(l->n, err);
    }
    if (s != MANN_OK) {
        mni_free(list_of);
        return s;
    }
    if (whole) {
        if (l->n) memcpy(whole, l->list[0].blocks, n_bytes);
        l->whole = whole;
        point(l, whole);
    }
    l->list_of = list_of;
    l->cap_rows = (size_t)n_rows + 1;
    return MANN_OK;
}

mann_status mni_lists_reserve(mni_lists *l, uint32_t i, uint32_t n, int fill,
                              mann_error *err)
{
    mni_list *list = &l->list[i];
    const uint32_t have = mni_list_blocks(list->n), want = mni_list_blocks(n);
    if (want <= (list->cap ? list->cap : have)) return MANN_OK;
    const uint32_t cap = want + want / 2;
    const size_t block_bytes = mni_list_block_bytes(l);
    uint8_t *blocks = mni_alloc_aligned(cap, block_bytes, 0);
    if (!blocks) return no_memory(l->n, err);
    if (have) memcpy(blocks, list->blocks, have * block_bytes);
    for (uint32_t b = have; b < cap; b++)
        mni_block_clear(l, blocks + b * block_bytes, fill);
    if (list->cap) mni_free(list->blocks);
    list->blocks = blocks;
    list->cap = cap;
    return MANN_OK;
}

int mni_lists_find(const mni_lists *l, uint32_t row, uint32_t *at)
{
    const uint32_t i = l->list_of[row];
    for (uint32_t b = 0; b < mni_list_blocks(l->list[i].n); b++) {
        const uint32_t *rows = mni_block_rows(mni_list_block(l, i, b));
        for (uint32_t j = 0; j < MNI_LIST_ROWS; j++)
            if (rows[j] == row) {
                *at = b * MNI_LIST_ROWS + j;
                return 1;
            }
    }
    return 0;
}

void mni_lists_drop(mni_lists *l, uint32_t i, uint32_t at)
{
    const uint32_t last = --l->list[i].n;
    uint8_t *from = mni_list_block(l, i, last / MNI_LIST_ROWS);
    if (at != last)
        mni_slot_copy(l, mni_list_block(l, i, at / MNI_LIST_ROWS), at % MNI_LIST_ROWS,
                      from, last % MNI_LIST_ROWS);
    mni_block_rows(from)[last % MNI_LIST_ROWS] = MNI_NO_ROW;
    mni_block_plus(from)[last % MNI_LIST_ROWS] = INFINITY;
}
