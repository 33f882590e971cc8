/* state.c - reading one published state. See state.h. Numbers that come from the file
 * (classes, heap offsets) are compared with their limits as they are followed: a damaged
 * file gives "no class" or an empty path, never an access outside.
 * SPDX-License-Identifier: MIT */
#include "recog/state.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "recog/meta.h"

mann_status mni_tail_new(mni_tail **out, uint32_t dim, mann_error *err)
{
    mni_tail *t = mni_alloc(1, sizeof *t);
    *out = t;
    if (!t) return mni_fail(err, MANN_E_NOMEM, "gallery: tail");
    atomic_init(&t->refs, 1);
    t->dim = dim;
    mni_stable_init(&t->rows, sizeof(mni_tail_row));
    mni_stable_init(&t->vectors, dim * sizeof(float));
    mni_stable_init(&t->names, sizeof(char *));
    mni_stable_init(&t->thumbs, sizeof(mni_tail_thumb));
    return MANN_OK;
}

void mni_tail_release(mni_tail *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    for (uint32_t i = 0; i < t->n_rows; i++)
        mni_free(((mni_tail_row *)mni_stable_at(&t->rows, i))->source);
    for (uint32_t i = 0; i < t->n_names; i++)
        mni_free(*(char **)mni_stable_at(&t->names, i));
    mni_stable_fini(&t->rows);
    mni_stable_fini(&t->vectors);
    for (uint32_t i = 0; i < t->n_thumbs; i++)
        mni_free(((mni_tail_thumb *)mni_stable_at(&t->thumbs, i))->bytes);
    mni_stable_fini(&t->names);
    mni_stable_fini(&t->thumbs);
    mni_idmap_fini(&t->by_content);
    mni_idmap_fini(&t->by_id);
    mni_idmap_fini(&t->by_name);
    mni_idmap_fini(&t->by_key);
    mni_free(t);
}

void mni_dead_release(mni_dead *d)
{
    if (d && atomic_fetch_sub(&d->refs, 1) == 1) mni_free(d);
}

mni_state *mni_state_new(mni_base *base, mni_tail *tail, mni_dead *dead)
{
    mni_state *s = mni_alloc(1, sizeof *s);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->base = base;
    s->tail = tail;
    s->dead = dead;
    s->n_classes = base->meta.n_classes;
    s->n_live_classes = base->meta.n_live_classes;
    s->n_live = base->meta.n_rows;
    s->knob = base->ann ? mni_ann_knob(base->ann) : 0;
    return s;
}

void mni_state_release(mni_state *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1) return;
    mni_dead_release(s->dead);
    mni_tail_release(s->tail);
    mni_base_release(s->base);
    mni_free(s);
}

enum {
    TAIL_VALUES = 4 << 20,      /* read in about a millisecond */
    PLAIN_TAIL_ROWS = 65536,    /* where the base is looked at row by row as well */
    LEAST_DEAD = 1024
};

int mni_state_fold_due(const mni_state *s)
{
    const uint64_t rows = mni_state_rows(s), dead = rows - s->n_live;
    if (dead >= LEAST_DEAD && 4 * dead >= rows) return 1;
    if (mni_ann_knob_name(s->base->ann))
        return (uint64_t)s->n_tail * s->tail->dim >= TAIL_VALUES;
    return s->n_tail >= PLAIN_TAIL_ROWS && s->n_tail >= s->base->rows.n / 4;
}

static const mni_tail_row *tail_row(const mni_state *s, uint32_t row)
{
    return mni_stable_at(&s->tail->rows, row - s->base->rows.n);
}

uint32_t mni_state_class(const mni_state *s, uint32_t row)
{
    if (row >= s->base->rows.n) return tail_row(s, row)->klass;
    uint32_t klass = mni_get32(s->base->records + (size_t)row * MNI_RECORD_BYTES + 40);
    return klass < s->base->meta.n_classes ? klass : MANN_NO_CLASS;
}

uint64_t mni_state_id(const mni_state *s, uint32_t row)
{
    if (row >= s->base->rows.n) return tail_row(s, row)->id;
    return mni_get64(s->base->records + (size_t)row * MNI_RECORD_BYTES);
}

/* 0 id u64 | 8 content hash u64 | 16 time u64 | 24 place in HEAP u64 | 32 source bytes
 * u32 | 36 key bytes u32 | 40 class u32 | 44 checksum u32. In HEAP: source, then key. */
void mni_state_record(const mni_state *s, uint32_t row, mni_record *out)
{
    if (row >= s->base->rows.n) {
        const mni_tail_row *t = tail_row(s, row);
        *out = (mni_record){ .id = t->id, .content_hash = t->content_hash,
                             .time = t->time, .klass = t->klass, .source = t->source,
                             .key = t->key, .source_chars = (uint32_t)strlen(t->source),
                             .key_chars = (uint32_t)strlen(t->key) };
        return;
    }
    const uint8_t *p = s->base->records + (size_t)row * MNI_RECORD_BYTES;
    const uint64_t at = mni_get64(p + 24);
    const uint32_t n = mni_get32(p + 32), n_key = mni_get32(p + 36);
    const int fits = mni_span_fits(at, (uint64_t)n + n_key, 1, s->base->heap.n_bytes);
    const char *text = fits ? (const char *)s->base->heap.data + at : "";
    *out = (mni_record){ .id = mni_get64(p), .content_hash = mni_get64(p + 8),
                         .time = mni_get64(p + 16), .klass = mni_state_class(s, row),
                         .source = text, .key = fits ? text + n : "",
                         .source_chars = fits ? n : 0, .key_chars = fits ? n_key : 0 };
}

void mni_state_vector(const mni_state *s, uint32_t row, float *out)
{
    uint32_t n_base = s->base->rows.n, dim = s->base->meta.dim;
    if (row < n_base) mni_rows_get(&s->base->rows, row, out);
    else memcpy(out, mni_stable_at(&s->tail->vectors, row - n_base), dim * sizeof *out);
}

static const char *base_name(const mni_base *b, uint32_t klass, uint32_t *n_chars)
{
    uint64_t from = b->name_at[klass], to = b->name_at[klass + 1];
    *n_chars = 0;
    if (from > to || to > b->name_heap.n_bytes || to - from > MNI_MAX_NAME) return "";
    *n_chars = (uint32_t)(to - from);
    return (const char *)b->name_heap.data + from;
}

const char *mni_state_name(const mni_state *s, uint32_t klass, uint32_t *n_chars)
{
    if (klass < s->base->meta.n_classes) return base_name(s->base, klass, n_chars);
    const char *name =
        *(char **)mni_stable_at(&s->tail->names, klass - s->base->meta.n_classes);
    *n_chars = (uint32_t)strlen(name);
    return name;
}

/* Rows sorted by id: plain binary search over a permutation that lies in the file. */
static int base_find_id(const mni_base *b, uint64_t id, uint32_t *row)
{
    uint32_t low = 0, high = b->rows.n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2, r = b->by_id[mid];
        if (r >= b->rows.n) return 0;
        uint64_t here = mni_get64(b->records + (size_t)r * MNI_RECORD_BYTES);
        if (here == id) { *row = r; return 1; }
        if (here < id) low = mid + 1;
        else high = mid;
    }
    return 0;
}

int mni_state_find_id(const mni_state *s, uint64_t id, uint32_t *row)
{
    uint32_t t;
    if (mni_idmap_get(&s->tail->by_id, id, &t) && t < s->n_tail) {
        *row = s->base->rows.n + t;
        if (mni_state_alive(s, *row)) return 1;
    }
    return base_find_id(s->base, id, row) && mni_state_alive(s, *row);
}

static int compare_name(const char *a, uint32_t n_a, const char *b, size_t n_b)
{
    size_t n = n_a < n_b ? n_a : n_b;
    int c = n ? memcmp(a, b, n) : 0;
    return c ? c : n_a < n_b ? -1 : n_a > n_b;
}

int mni_state_find_class(const mni_state *s, const char *name, uint32_t *klass)
{
    const mni_base *b = s->base;
    size_t n = strlen(name);
    uint32_t low = 0, high = b->meta.n_classes, n_chars;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2, c = b->by_name[mid];
        if (c >= b->meta.n_classes) return 0;
        const char *here = base_name(b, c, &n_chars);
        int order = compare_name(here, n_chars, name, n);
        if (order == 0) { *klass = c; return 1; }
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    /* Two names of one hash: the next free key is tried, as when it was put in
     * (change.c). */
    for (uint64_t key = mni_hash_bytes(name, n, 0);
         mni_idmap_get(&s->tail->by_name, key, klass); key++) {
        const char *here = mni_state_name(s, *klass, &n_chars);
        if (compare_name(here, n_chars, name, n) == 0) return *klass < s->n_classes;
    }
    return 0;
}

/* A run of tail vectors is an ordinary matrix of rows. */
void mni_state_scan_tail(const mni_state *s, const float *query, float *out)
{
    uint32_t run;
    for (uint32_t i = 0; i < s->n_tail; i += run) {
        const void *data = mni_stable_run(&s->tail->vectors, i, s->n_tail, &run);
        mni_rows rows = { .data = data, .n = run, .dim = s->tail->dim, .dtype = MNI_F32,
                          .metric = (mann_metric)s->base->meta.metric };
        mni_rows_scan(&rows, query, 0, run, out + i);
    }
}

void mni_state_scan_all(const mni_state *s, const float *query, float *out)
{
    uint32_t n_base = s->base->rows.n, n = mni_state_rows(s);
    mni_rows_scan(&s->base->rows, query, 0, n_base, out);
    mni_state_scan_tail(s, query, out + n_base);
    if (!s->dead) return;
    for (uint32_t row = 0; row < n; row++)
        if (!mni_state_alive(s, row)) out[row] = INFINITY;
}
