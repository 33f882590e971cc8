/* ivf_file.c - inverted lists in a file, checked, and what can be told about them.
 *
 *     "IVHD"  bytes     see put_head
 *     "IVCE"  f32       centres: lists x dim
 *     "IVMI"  f32       m of code8.h: dim
 *     "IVAR"  f32       a list: scale, error, reach, |c|
 *     "IVPB"  "IVPT"    of PQ, see ivfpq.c
 *     "IVLN"  u32       rows of each list
 *     "IVBK"  bytes     the blocks of list 0, of list 1, ... (lists.h); page-aligned
 *
 * Opening reads centres and sizes; blocks are looked at where they are mapped, and a row
 * number that is out of range is passed over. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/ivf.h"

enum { HEAD_BYTES = 64, CODE8 = 1, PQ = 2, TURNED = 1, LEARNED = 2 };

static void put_head(const mni_ivf *v, uint8_t head[HEAD_BYTES])
{
    memset(head, 0, HEAD_BYTES);
    mni_put32(head, v->pq ? PQ : CODE8);
    mni_put32(head + 4, v->n_lists);
    mni_put32(head + 8, v->dim);
    mni_put32(head + 12, v->n_rows);
    mni_put32(head + 16, v->base.knob);
    mni_put32(head + 20, v->learned);
    mni_put64(head + 24, v->added);
    memcpy(head + 32, &v->error, sizeof v->error);
    memcpy(head + 40, &v->moved, sizeof v->moved);
    if (!v->pq) return;
    memcpy(head + 48, &v->margin, sizeof v->margin);
    mni_put32(head + 52, v->pq->pieces);
    mni_put32(head + 56, v->pq->width == 16 ? 4 : 8);
    mni_put32(head + 60, (v->pq->turn ? TURNED : 0u) | (v->pq->learned ? LEARNED : 0u));
}

void mni_ivf_write(const mni_ann *a, mni_writer *w)
{
    const mni_ivf *v = mni_ivf_const(a);
    const mni_lists *l = &v->lists;
    uint8_t head[HEAD_BYTES];
    put_head(v, head);
    mni_writer_section(w, "IVHD", MNI_BYTES, MNI_ALIGN_SECTION, head, sizeof head);
    mni_writer_section(w, "IVCE", MNI_F32, MNI_ALIGN_SECTION, v->centre,
                       (size_t)v->n_lists * v->dim * sizeof *v->centre);
    mni_writer_section(w, "IVMI", MNI_F32, MNI_ALIGN_SECTION, v->centres.middle,
                       v->dim * sizeof(float));
    mni_writer_section(w, "IVAR", MNI_F32, MNI_ALIGN_SECTION, v->around,
                       v->n_lists * sizeof *v->around);
    if (v->pq) mni_ivfpq_write(v, w);
    mni_writer_begin(w, "IVLN", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < l->n; i++)
        mni_writer_put(w, &l->list[i].n, sizeof l->list[i].n);
    mni_writer_end(w);
    mni_writer_begin(w, "IVBK", MNI_BYTES, MNI_ALIGN_PAGE);
    for (uint32_t i = 0; i < l->n; i++)
        mni_writer_put(w, l->list[i].blocks,
                       mni_list_blocks(l->list[i].n) * mni_list_block_bytes(l));
    mni_writer_end(w);
}

static mann_status read_head(const mni_reader *r, const mni_rows *rows, int pq,
                             mni_ivf **out, mann_error *err)
{
    mni_section s;
    mni_ivf *v;
    MNI_TRY(mni_reader_need(r, "IVHD", MNI_BYTES, HEAD_BYTES, &s, err));
    const uint8_t *head = s.data;
    const uint32_t n_lists = mni_get32(head + 4), dim = mni_get32(head + 8),
                   n_rows = mni_get32(head + 12);
    if (mni_get32(head) != (pq ? PQ : CODE8))
        return mni_fail(err, MANN_E_FORMAT, "index: lists hold codes of kind %lu",
                        (unsigned long)mni_get32(head));
    if (dim != rows->dim || n_rows != rows->n)
        return mni_fail(err, MANN_E_FORMAT,
                        "index: lists of %lu rows of %lu values, wanted %lu of %lu",
                        (unsigned long)n_rows, (unsigned long)dim,
                        (unsigned long)rows->n, (unsigned long)rows->dim);
    if (n_lists == 0 || n_lists > MNI_MAX_LISTS)
        return mni_fail(err, MANN_E_FORMAT, "index: %lu lists, wanted 1..%d",
                        (unsigned long)n_lists, MNI_MAX_LISTS);
    /* before memory is taken for so many */
    MNI_TRY(mni_reader_need(r, "IVCE", MNI_F32, (uint64_t)n_lists * dim, &s, err));
    MNI_TRY(mni_ivf_new(&v, rows, n_lists, err));
    memcpy(v->centre, s.data, (size_t)s.n_bytes);
    v->base.knob = mni_get32(head + 16);
    v->learned = mni_get32(head + 20);
    v->added = mni_get64(head + 24);
    memcpy(&v->error, head + 32, sizeof v->error);
    memcpy(&v->moved, head + 40, sizeof v->moved);
    if (v->base.knob == 0 || v->base.knob > n_lists) v->base.knob = 1;
    *out = v;
    if (!pq) return MANN_OK;
    const uint32_t flags = mni_get32(head + 60);
    memcpy(&v->margin, head + 48, sizeof v->margin);
    if (!(v->margin > 0)) v->margin = INFINITY;
    return mni_ivfpq_read(v, r, mni_get32(head + 52), mni_get32(head + 56),
                          (flags & TURNED) != 0, (flags & LEARNED) != 0, err);
}

static mann_status read_lists(const mni_reader *r, mni_ivf *v, mann_error *err)
{
    mni_section middle, around, sizes, blocks;
    const uint32_t n = v->n_lists;
    MNI_TRY(mni_reader_need(r, "IVMI", MNI_F32, v->dim, &middle, err));
    MNI_TRY(mni_reader_need(r, "IVAR", MNI_F32, (uint64_t)n * 4, &around, err));
    MNI_TRY(mni_reader_need(r, "IVLN", MNI_U32, n, &sizes, err));
    MNI_TRY(mni_reader_need(r, "IVBK", MNI_BYTES, UINT64_MAX, &blocks, err));
    memcpy(v->around, around.data, n * sizeof *v->around);
    MNI_TRY(mni_centres_init(&v->centres, v->centre, n, v->dim, v->metric, middle.data,
                             err));
    return mni_lists_view(&v->lists, n, sizes.data, mni_ivf_code_bytes(v),
                          mni_ivf_unit(v), blocks.data, blocks.n_bytes, err);
}

mann_status mni_ivf_open(mni_ann **out, const char *spec, const mni_reader *r,
                         const mni_rows *rows, mann_error *err)
{
    mni_ivf *v = NULL;
    mni_spec said;
    *out = NULL;
    MNI_TRY(mni_spec_parse(&said, spec, err));
    mann_status s = read_head(r, rows, said.family == MNI_IVFPQ, &v, err);
    if (s == MANN_OK) s = read_lists(r, v, err);
    if (s != MANN_OK) mni_ivf_free(v ? &v->base : NULL);
    else *out = &v->base;
    return s;
}

/* --- check -------------------------------------------------------------------------- */

/* Does the code of a slot stand for its row, within what the list promises? */
static int code_fits(const mni_ivf *v, const mni_rows *rows, uint32_t list, uint32_t at,
                     mni_ivf_room *room)
{
    uint8_t *block = mni_list_block(&v->lists, list, at / MNI_LIST_ROWS);
    const uint32_t slot = at % MNI_LIST_ROWS;
    float *x = room->r;
    const float *c = v->centre + (size_t)list * v->dim, *m = v->centres.middle;
    const mni_around8 *a = &v->around[list];
    double error = 0, size = 0, across = 0;
    mni_rows_get(rows, mni_block_rows(block)[slot], x);
    if (v->pq) {
        for (uint32_t d = 0; d < v->dim; d++) x[d] -= c[d];
        return mni_ivfpq_fits(v, list, at, room);
    }
    for (uint32_t d = 0; d < v->dim; d++) {
        const int code = mni_block_codes(block)[(size_t)(d / 4) * MNI_I8_GROUP_BYTES +
                                                slot * 4 + d % 4] - MNI_IVF_FILL;
        const double r = x[d] - c[d], e = r - (double)a->scale * code;
        error += e * e;
        size += r * r;
        across += ((double)c[d] - m[d]) * r;
    }
    const double plus = v->metric == MANN_INNER ? 0 : size + 2 * across;
    const double slack = 1e-5 * (size + fabs(across) + 1e-30);
    return sqrt(error) <= a->error * 1.0001 && sqrt(size) <= a->reach * 1.0001 &&
           fabs(mni_block_plus(block)[slot] - plus) <= slack;
}

mann_status mni_ivf_check(const mni_ann *a, const mni_rows *rows, mann_error *err)
{
    const mni_ivf *v = mni_ivf_const(a);
    uint64_t found = 0;
    uint8_t *seen = mni_alloc((size_t)rows->n + 1, 1);
    mni_ivf_room room = { 0 };
    mann_status s = seen && mni_ivf_room_init(&room, v, NULL) == MANN_OK
                        ? MANN_OK
                        : mni_fail(err, MANN_E_NOMEM, "index: marks of %lu rows",
                                   (unsigned long)rows->n);
    for (uint32_t l = 0; s == MANN_OK && l < v->n_lists; l++)
        for (uint32_t at = 0; s == MANN_OK && at < v->lists.list[l].n; at++) {
            uint8_t *block = mni_list_block(&v->lists, l, at / MNI_LIST_ROWS);
            const uint32_t slot = at % MNI_LIST_ROWS, row = mni_block_rows(block)[slot];
            if (row >= rows->n || seen[row])
                s = mni_fail(err, MANN_E_FORMAT,
                             "index: list %lu has row %lu of %lu, or has it twice",
                             (unsigned long)l, (unsigned long)row,
                             (unsigned long)rows->n);
            else if (!code_fits(v, rows, l, at, &room))
                s = mni_fail(err, MANN_E_FORMAT, "index: the code of row %lu is not its "
                             "own", (unsigned long)row);
            else seen[row] = 1;
            found++;
        }
    if (s == MANN_OK && found != rows->n)
        s = mni_fail(err, MANN_E_FORMAT, "index: %llu of %lu rows are in lists",
                     (unsigned long long)found, (unsigned long)rows->n);
    mni_free(seen);
    mni_ivf_room_fini(&room);
    return s;
}

/* --- report ------------------------------------------------------------------------- */

size_t mni_ivf_report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts)
{
    const mni_ivf *v = mni_ivf_const(a);
    double squares = 0, largest = 0, empty = 0;
    const double n = v->n_rows ? v->n_rows : 1;
    (void)rows;
    for (uint32_t l = 0; l < v->n_lists; l++) {
        const double m = v->lists.list[l].n;
        squares += m * m;
        largest = m > largest ? m : largest;
        empty += m == 0;
    }
    const double books = !v->pq ? 0 : v->dim * 4.0 * (v->pq->width +
                                                      (v->pq->turn ? v->dim : 0u));
    const double bytes = (double)mni_lists_bytes(&v->lists) + books +
                         v->n_lists * (v->dim * 5.0 + sizeof *v->around + 4);
    const mni_ann_fact all[] = {
        { "lists", v->n_lists },
        { "nprobe", v->base.knob },
        { "largest list", largest },
        { "empty lists", empty },
        { "imbalance", squares * v->n_lists / (n * n) },    /* 1: all lists as long */
        { "bytes a row", bytes / n },
        { "rows since learning", (double)v->added },
        /* of added rows, over that of the rows that the centres were learned from */
        { "drift", v->added && v->error > 0 ? v->moved / (double)v->added / v->error
                                            : 1.0 },
    };
    memcpy(facts, all, sizeof all);
    return sizeof all / sizeof *all;
}
