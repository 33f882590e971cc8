/* hnsw_file.c - a graph in a file, as it is in memory: opened, it is searched where it is
 * mapped.
 *
 *     "HNHD"  bytes, 192  u32 version 1, M, ef_construction, bits, n, levels, entry, dim,
 *                         rows the grid has seen, f32 step, u64 born, u64 seed, f32
 *                         noise, u32 0; then u32 rows of level 1, 2, .. 31, 0
 *     "HNLK"  u32         n x 2M links of level 0, unused ones 2^32-1; page-aligned
 *     "HNRO"  u32         n: the row of each node
 *     "HNUP"  u32         for each level above 0 with k rows: k nodes, k slots below,
 *                         k x M links
 *     "HNLO"  f32         dim: what code 0 stands for
 *     "HNCO"  u8          n x bytes of a code; page-aligned
 *
 * bits 0: the rows are walked themselves, and the last two are empty.
 *
 * Opening compares counts with lengths. Links, rows and slots are compared with their
 * limits as they are followed. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <math.h>

#include "base/mem.h"
#include "os/pages.h"

enum { HEAD_BYTES = 192, AT_LEVELS = 64, VERSION = 1 };

void mni_hnsw_write(const mni_ann *a, mni_writer *w)
{
    const mni_hnsw *h = (const mni_hnsw *)a;
    const size_t n = h->n;
    const uint32_t words[] = { VERSION, h->m, h->build_ef, h->bits, h->n, h->n_levels,
                               h->entry, h->fine.dim, h->walk.n_seen };
    uint8_t head[HEAD_BYTES] = { 0 };
    mni_hnsw_in_turn(h);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        mni_put32(head + 4 * i, words[i]);
    uint32_t step, noise;
    memcpy(&step, &h->walk.step, sizeof step);
    memcpy(&noise, &h->walk.noise, sizeof noise);
    mni_put32(head + 36, step);
    mni_put64(head + 40, h->born);
    mni_put64(head + 48, h->seed);
    mni_put32(head + 56, noise);
    for (uint32_t l = 1; l <= h->n_levels; l++)
        mni_put32(head + AT_LEVELS + 4 * (l - 1), h->level[l].n);
    mni_writer_section(w, "HNHD", MNI_BYTES, MNI_ALIGN_SECTION, head, sizeof head);
    mni_writer_section(w, "HNLK", MNI_U32, MNI_ALIGN_PAGE, n ? (void *)h->links : "",
                       n * h->m0 * sizeof *h->links);
    mni_writer_section(w, "HNRO", MNI_U32, MNI_ALIGN_SECTION, n ? (void *)h->row_of : "",
                       n * sizeof *h->row_of);
    mni_writer_begin(w, "HNUP", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t l = 1; l <= h->n_levels; l++) {
        const mni_hnsw_level *v = &h->level[l];
        mni_writer_put(w, v->node, v->n * sizeof *v->node);
        mni_writer_put(w, v->down, v->n * sizeof *v->down);
        mni_writer_put(w, v->links, (size_t)v->n * h->m * sizeof *v->links);
    }
    mni_writer_end(w);
    mni_writer_section(w, "HNLO", MNI_F32, MNI_ALIGN_SECTION,
                       h->walk.low ? (const void *)h->walk.low : "",
                       h->walk.low ? h->walk.dim * sizeof *h->walk.low : 0);
    mni_writer_section(w, "HNCO", MNI_U8, MNI_ALIGN_PAGE, n ? (void *)h->codes : "",
                       n * h->walk.bytes);
}

/* Views of a mapping that is never written: h->owned is 0, and what writes asks that. */
static void *view(const mni_section *s)
{
    union { const void *from; void *to; } u = { s->data };
    return u.to;
}

static mann_status read_levels(mni_hnsw *h, const uint8_t *head, const mni_reader *r,
                               mann_error *err)
{
    uint64_t words = 0;
    mni_section up;
    for (uint32_t l = 1; l <= h->n_levels; l++) {
        h->level[l].n = mni_get32(head + AT_LEVELS + 4 * (l - 1));
        if (h->level[l].n == 0 || h->level[l].n > (l > 1 ? h->level[l - 1].n : h->n))
            return mni_fail(err, MANN_E_FORMAT, "hnsw: %lu rows on level %lu",
                            (unsigned long)h->level[l].n, (unsigned long)l);
        words += (uint64_t)h->level[l].n * (h->m + 2);
    }
    MNI_TRY(mni_reader_need(r, "HNUP", MNI_U32, words, &up, err));
    uint32_t *at = view(&up);
    for (uint32_t l = 1; l <= h->n_levels; l++) {
        mni_hnsw_level *v = &h->level[l];
        v->node = at;
        v->down = at + v->n;
        v->links = at + 2 * (size_t)v->n;
        v->cap = v->n;
        at += (size_t)v->n * (h->m + 2);
    }
    return MANN_OK;
}

static mann_status read_head(mni_hnsw *h, const uint8_t *head, const mni_rows *rows,
                             mann_error *err)
{
    const uint32_t step = mni_get32(head + 36), noise = mni_get32(head + 56);
    if (h->bits == 0 && mni_get32(head + 12) == 8) {    /* codes beside int8 rows */
        h->bits = 8;
        mni_hnsw_grid_init(&h->walk, rows, h->bits);
    }
    if (mni_get32(head) != VERSION || mni_get32(head + 4) != h->m ||
        mni_get32(head + 8) != h->build_ef || mni_get32(head + 12) != h->bits ||
        mni_get32(head + 16) != rows->n || mni_get32(head + 28) != rows->dim)
        return mni_fail(err, MANN_E_FORMAT,
                        "hnsw: a graph of %lu rows, %lu values, M %lu; wanted %lu, %lu, "
                        "%lu", (unsigned long)mni_get32(head + 16),
                        (unsigned long)mni_get32(head + 28),
                        (unsigned long)mni_get32(head + 4), (unsigned long)rows->n,
                        (unsigned long)rows->dim, (unsigned long)h->m);
    h->n = h->cap = rows->n;
    h->n_levels = mni_get32(head + 20);
    h->entry = mni_get32(head + 24);
    h->walk.n_seen = mni_get32(head + 32);
    memcpy(&h->walk.step, &step, sizeof step);
    memcpy(&h->walk.noise, &noise, sizeof noise);
    h->born = mni_get64(head + 40);
    h->seed = mni_get64(head + 48);
    if (h->n_levels > MNI_HNSW_LEVELS || !isfinite(h->walk.step) ||
        h->walk.step < 0.0f || !isfinite(h->walk.noise) || h->walk.noise < 0.0f)
        return mni_fail(err, MANN_E_FORMAT, "hnsw: %lu levels, a step of %g",
                        (unsigned long)h->n_levels, (double)h->walk.step);
    return MANN_OK;
}

static mann_status read_sections(mni_hnsw *h, const mni_reader *r, const mni_rows *rows,
                                 mann_error *err)
{
    const uint64_t n = rows->n;
    mni_section s;
    MNI_TRY(mni_reader_need(r, "HNHD", MNI_BYTES, HEAD_BYTES, &s, err));
    const uint8_t *head = s.data;
    MNI_TRY(read_head(h, head, rows, err));
    MNI_TRY(read_levels(h, head, r, err));
    if (h->entry >= (h->n_levels ? h->level[h->n_levels].n : n + (n == 0)))
        return mni_fail(err, MANN_E_FORMAT, "hnsw: entry %lu", (unsigned long)h->entry);
    MNI_TRY(mni_reader_need(r, "HNLK", MNI_U32, n * h->m0, &s, err));
    h->links = view(&s);
    MNI_TRY(mni_reader_need(r, "HNRO", MNI_U32, n, &s, err));
    h->row_of = view(&s);
    MNI_TRY(mni_reader_need(r, "HNCO", MNI_U8, n * h->walk.bytes, &s, err));
    h->codes = view(&s);
    const int learnt = h->bits && h->walk.n_seen > 0;
    MNI_TRY(mni_reader_need(r, "HNLO", MNI_F32, learnt ? rows->dim : 0, &s, err));
    if (h->bits && !learnt && n > 0)
        return mni_fail(err, MANN_E_FORMAT, "hnsw: %lu rows without a grid",
                        (unsigned long)n);
    h->walk.low = learnt ? s.data : NULL;
    return MANN_OK;
}

/* A first walk touches a thousand pages here and there; those above level 0 lie together,
 * and are sent for while the rest of the file is opened. */
static void announce(const mni_hnsw *h)
{
    enum { MOST = 8 << 20 };
    const size_t n = h->n;
    size_t up = 0;
    for (uint32_t l = h->n_levels; l > 0; l--) {    /* the top levels are small */
        const size_t more = (size_t)h->level[l].n * (h->m + 2) * sizeof(uint32_t);
        if (up + more > MOST) break;
        up += more;
        mni_pages_send_for(h->level[l].node, more);
    }
    mni_pages_scattered(h->links, n * h->m0 * sizeof *h->links);
    mni_pages_scattered(h->row_of, n * sizeof *h->row_of);
    mni_pages_scattered(h->codes, n * h->walk.bytes);
}

/* Before all of it is read. */
void mni_hnsw_in_turn(const mni_hnsw *h)
{
    const size_t n = h->n;
    if (h->owned) return;
    mni_pages_in_turn(h->links, n * h->m0 * sizeof *h->links);
    mni_pages_in_turn(h->row_of, n * sizeof *h->row_of);
    mni_pages_in_turn(h->codes, n * h->walk.bytes);
}

mann_status mni_hnsw_open(mni_ann **out, const char *spec, const mni_reader *r,
                          const mni_rows *rows, mann_error *err)
{
    mni_hnsw *h;
    *out = NULL;
    MNI_TRY(mni_hnsw_new(&h, spec, rows, 0, err));
    h->owned = 0;
    const mann_status s = read_sections(h, r, rows, err);
    if (s != MANN_OK) {
        mni_hnsw_free(&h->base);
        return s;
    }
    announce(h);
    *out = &h->base;
    return MANN_OK;
}
