/* keys.c - records by the names that their owners gave them: "sku-4711", a UUID.
 *
 * A record has one key or none; a key has one live record or none. The base keeps keys in
 * HEAP, behind the path of the same record, and a list of rows in order of their keys:
 *
 *   KYIX   row 2   row 7   row 0         n_keys of them: rows without a key are left out
 *            |       |       |
 *          "ant"   "bee"   "cat"         bytes of HEAP, compared as unsigned bytes
 *
 * A look-up is a binary search over the mapped file, some twenty pages in a million. The
 * tail has a map from the hash of a key to the newest row with it; two keys of one hash
 * take neighbouring places, as class names do. The tail is asked first: who is there, and
 * alive, is newer than anybody in the base. SPDX-License-Identifier: MIT */
#include <string.h>

#include "recog/change.h"

mann_status mni_key_check(const char *path, const char *key, size_t n_chars,
                          mann_error *err)
{
    if (n_chars == 0 || n_chars > MNI_MAX_KEY)
        return mni_fail(err, MANN_E_ARG, "%s: a key of %zu bytes, wanted 1..%d", path,
                        n_chars, MNI_MAX_KEY);
    if (mni_utf8_prefix(key, n_chars) != n_chars)
        return mni_fail(err, MANN_E_ARG, "%s: a key is not UTF-8", path);
    for (size_t i = 0; i < n_chars; i++)
        if ((unsigned char)key[i] < 0x20)
            return mni_fail(err, MANN_E_ARG,
                            "%s: a key holds the control character %u", path,
                            (unsigned)(unsigned char)key[i]);
    return MANN_OK;
}

/* --- looking up --------------------------------------------------------------------- */

static int compare(const char *a, uint32_t n_a, const char *b, size_t n_b)
{
    const size_t n = n_a < n_b ? n_a : n_b;
    const int c = n ? memcmp(a, b, n) : 0;
    return c ? c : n_a < n_b ? -1 : n_a > n_b;
}

static const char *tail_key(const mni_tail *t, uint32_t row)
{
    return ((const mni_tail_row *)mni_stable_at(&t->rows, row))->key;
}

/* The place of a key in the tail's map, or the free one where it belongs; 1 if it is
 * there, and *row the newest row with it. */
static int tail_place(const mni_tail *t, const char *key, size_t n_chars, uint64_t *place,
                      uint32_t *row)
{
    for (*place = mni_hash_bytes(key, n_chars, 0);
         mni_idmap_get(&t->by_key, *place, row); ++*place) {
        const char *here = tail_key(t, *row);
        if (strlen(here) == n_chars && memcmp(here, key, n_chars) == 0) return 1;
    }
    return 0;
}

void mni_tail_know_key(mni_tail *t, uint32_t tail_row)
{
    const char *key = tail_key(t, tail_row);
    uint64_t place;
    uint32_t older;
    if (!*key) return;
    tail_place(t, key, strlen(key), &place, &older);
    mni_idmap_put(&t->by_key, place, tail_row);         /* reserved: cannot fail */
}

static int base_find(const mni_state *s, const char *key, size_t n_chars, uint32_t *row)
{
    const mni_base *b = s->base;
    uint32_t low = 0, high = b->n_keys;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        mni_record r;
        *row = b->by_key[mid];
        if (*row >= b->rows.n) return 0;                /* a damaged file */
        mni_state_record(s, *row, &r);
        const int order = compare(r.key, r.key_chars, key, n_chars);
        if (order == 0) return 1;
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return 0;
}

int mni_state_find_key(const mni_state *s, const char *key, size_t n_chars, uint32_t *row)
{
    uint64_t place;
    uint32_t t;
    if (tail_place(s->tail, key, n_chars, &place, &t) && t < s->n_tail) {
        *row = s->base->rows.n + t;
        if (mni_state_alive(s, *row)) return 1;
    }
    return base_find(s, key, n_chars, row) && mni_state_alive(s, *row);
}

/* --- as calls ----------------------------------------------------------------------- */

mann_status mni_gallery_find_key(mni_gallery *g, const char *key, uint64_t *id,
                                 mann_error *err)
{
    uint32_t row;
    mni_mutex_lock(&g->lock);
    const int found = mni_state_find_key(g->state, key, strlen(key), &row);
    if (found) *id = mni_state_id(g->state, row);
    mni_mutex_unlock(&g->lock);
    if (found) return MANN_OK;
    return mni_fail(err, MANN_E_NOT_FOUND, "%s: no record has the key \"%.200s\"",
                    g->path, key);
}

/* --- checking (verify.c) ------------------------------------------------------------ */

static mann_status bad(const mni_gallery *g, uint32_t row, const char *what,
                       mann_error *err)
{
    return mni_fail(err, MANN_E_FORMAT, "%s: record %u: %s", g->path, (unsigned)row,
                    what);
}

mann_status mni_base_check_keys(const mni_gallery *g, const mni_state *s, mann_error *err)
{
    const mni_base *b = s->base;
    mni_record before = { .id = 0 }, here;
    uint32_t n_keyed = 0;
    for (uint32_t row = 0; row < b->rows.n; row++)
        n_keyed += mni_get32(b->records + (size_t)row * MNI_RECORD_BYTES + 36) != 0;
    if (n_keyed != b->n_keys)
        return mni_fail(err, MANN_E_FORMAT, "%s: %u records have keys, the list has %u",
                        g->path, (unsigned)n_keyed, (unsigned)b->n_keys);
    for (uint32_t i = 0; i < b->n_keys; i++) {
        const uint32_t row = b->by_key[i];
        if (row >= b->rows.n) return bad(g, i, "the list of keys leads outside", err);
        mni_state_record(s, row, &here);
        if (mni_key_check(g->path, here.key, here.key_chars, NULL) != MANN_OK)
            return bad(g, row, "its key is none", err);
        if (i && compare(before.key, before.key_chars, here.key, here.key_chars) >= 0)
            return bad(g, row, "its key stands twice or out of order", err);
        before = here;
    }
    return MANN_OK;
}
