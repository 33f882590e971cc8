/* ivfpq.c - inverted lists whose codes are those of product quantisation: learning,
 * coding, checking, the file's part. Everything else is ivf*.c's. See pq.h and ivf.h.
 *
 *     row x in list c:   r = x - c   ->   turned   ->   codes, which stand for r'
 *
 *     |q - x'|^2  =  |q - c|^2  +  (|r'|^2 + 2 (c - m).r')  -  2 (q - m).r'
 *                    of the list    of the row: `plus`          sum of table entries
 *
 * m is the mean of the centres (0 for inner products), so one set of tables serves all
 * lists. Jegou, Douze and Schmid keep |r'|^2 + 2 c.r' in tables of each list; here it is
 * one float a row. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "index/ivf.h"

/* --- learning ----------------------------------------------------------------------- */

/* Rows spread evenly, less their centres. */
static mann_status examples(const mni_ivf *v, const mni_ann_job *job,
                            const mni_rows *from, size_t n, float *x, mann_error *err)
{
    const size_t dim = v->dim;
    uint32_t *list = mni_alloc(n, sizeof *list);
    if (!list) return mni_fail(err, MANN_E_NOMEM, "pq: lists of examples");
    for (size_t i = 0; i < n; i++)
        mni_rows_get(from, (uint32_t)((uint64_t)i * from->n / n), x + i * dim);
    const mann_status s = mni_centres_assign_all(&v->centres, x, n, NULL, NULL, job->pool,
                                                 list, NULL, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] -= v->centre[list[i] * dim + d];
    mni_free(list);
    return s;
}

mann_status mni_ivfpq_learn(mni_ivf *v, const mni_spec *s, const mni_ann_job *job,
                            mann_error *err)
{
    const mni_rows *from = job->sample && job->sample->n ? job->sample : job->rows;
    const uint32_t pieces = mni_pq_pieces(s->pieces, s->bits, v->dim);
    size_t n = MNI_PQ_LEARN;
    v->margin = INFINITY;
    MNI_TRY(mni_pq_new(&v->pq, v->dim, pieces, s->bits, s->rotate, err));
    if (n < 256 * (size_t)v->pq->width) n = 256 * (size_t)v->pq->width;
    if (n > from->n) n = from->n;
    const uint64_t bytes = (uint64_t)n * v->dim * sizeof(float) * (s->rotate ? 2 : 1);
    if (job->mem_bytes && bytes > job->mem_bytes)
        return mni_fail(err, MANN_E_BUDGET,
                        "pq: learning from %llu rows takes %llu bytes, allowed are %llu",
                        (unsigned long long)n, (unsigned long long)bytes,
                        (unsigned long long)job->mem_bytes);
    float *x = mni_alloc(n, v->dim * sizeof *x);
    if (!x)
        return mni_fail(err, MANN_E_NOMEM, "pq: %llu examples", (unsigned long long)n);
    mann_status st = n ? examples(v, job, from, n, x, err) : MANN_OK;
    const mni_pq_job pj = { .x = x, .n = n, .seed = job->seed, .pool = job->pool,
                            .hooks = job->hooks };
    if (st == MANN_OK) st = mni_pq_learn(v->pq, &pj, err);
    mni_free(x);
    return st;
}

/* --- codes -------------------------------------------------------------------------- */

/* The turned c - m of a list, kept for the next row of the same list. */
static const float *centre_of(const mni_ivf *v, uint32_t list, mni_ivf_room *room)
{
    const float *c = v->centre + (size_t)list * v->dim;
    if (room->list == list) return room->centre;
    for (uint32_t d = 0; d < v->dim; d++) room->kept[d] = c[d] - v->centres.middle[d];
    mni_pq_turn(v->pq, room->kept, room->centre);
    room->list = list;
    return room->centre;
}

/* lost: |r - r'|^2, which is taken off (ivfpq_search.c). */
static double plus_of(const mni_ivf *v, const float *centre, const float *kept,
                      double lost)
{
    double size = 0, across = 0;
    for (uint32_t d = 0; d < v->dim; d++) {
        size += (double)kept[d] * kept[d];
        across += (double)centre[d] * kept[d];
    }
    return v->metric == MANN_INNER ? 0 : size + 2 * across - lost;
}

static double error_of(const mni_ivf *v, const mni_ivf_room *room)
{
    double error = 0;
    for (uint32_t d = 0; d < v->dim; d++) {
        const double e = (double)room->turned[d] - room->kept[d];
        error += e * e;
    }
    return error;
}

/* room->r is the row less its centre. */
void mni_ivfpq_put(mni_ivf *v, uint32_t list, uint32_t at, mni_ivf_room *room)
{
    uint8_t *block = mni_list_block(&v->lists, list, at / MNI_LIST_ROWS);
    const uint32_t slot = at % MNI_LIST_ROWS;
    mni_around8 *around = &v->around[list];
    const float *centre = centre_of(v, list, room);
    mni_pq_turn(v->pq, room->r, room->turned);
    mni_pq_encode(v->pq, room->turned, room->codes, room->kept);
    mni_pq_put(v->pq, mni_block_codes(block), slot, room->codes);
    const double error = error_of(v, room);
    mni_block_plus(block)[slot] = (float)plus_of(v, centre, room->kept, error);
    if (room->later) {      /* words fit worse what they were not learned from */
        around->centre += 1.0f;
        around->scale += (float)((error - around->scale) / around->centre);
    } else {
        around->error += (float)((error - around->error) / (at + 1.0));
    }
    const float most = (float)(error * 1.0001);
    if (!(most <= around->reach)) around->reach = most;
}

double mni_ivfpq_estimate(const mni_ivf *v, uint32_t list, uint32_t at, float to_centre,
                          const float *turned, mni_ivf_room *room)
{
    uint8_t *block = mni_list_block(&v->lists, list, at / MNI_LIST_ROWS);
    const uint32_t slot = at % MNI_LIST_ROWS;
    double along = 0;
    mni_pq_get(v->pq, mni_block_codes(block), slot, room->codes);
    mni_pq_decode(v->pq, room->codes, room->kept);
    for (uint32_t d = 0; d < v->dim; d++) along += (double)turned[d] * room->kept[d];
    return to_centre + (double)mni_block_plus(block)[slot] -
           (v->metric == MANN_INNER ? 1 : 2) * along;
}

/* Do the codes of a slot stand for the row whose r is in the room? Another SIMD level may
 * have rounded the turn otherwise, so words that are as near will do. */
int mni_ivfpq_fits(const mni_ivf *v, uint32_t list, uint32_t at, mni_ivf_room *room)
{
    uint8_t *block = mni_list_block(&v->lists, list, at / MNI_LIST_ROWS);
    const uint32_t slot = at % MNI_LIST_ROWS;
    const mni_around8 *around = &v->around[list];
    const float *centre = centre_of(v, list, room);
    double size = 0;
    mni_pq_turn(v->pq, room->r, room->turned);
    for (uint32_t d = 0; d < v->dim; d++)
        size += (double)room->r[d] * room->r[d] +
                fabs((double)centre[d] * room->turned[d]);
    mni_pq_encode(v->pq, room->turned, room->codes, room->kept);
    const double least = error_of(v, room);
    mni_pq_get(v->pq, mni_block_codes(block), slot, room->codes);
    mni_pq_decode(v->pq, room->codes, room->kept);
    const double error = error_of(v, room), slack = 1e-4 * (size + 1e-30);
    const double plus = plus_of(v, centre, room->kept, error);
    return error <= least + slack && error <= around->reach * 1.001 + slack &&
           fabs(mni_block_plus(block)[slot] - plus) <= slack;
}

/* --- the file ----------------------------------------------------------------------- */

/*     "IVPB"  f32   words, as in pq.h: dim x width
 *     "IVPT"  f32   the turn, if there is one: dim x dim */
void mni_ivfpq_write(const mni_ivf *v, mni_writer *w)
{
    const mni_pq *pq = v->pq;
    const size_t dim = pq->dim;
    mni_writer_section(w, "IVPB", MNI_F32, MNI_ALIGN_SECTION, pq->book,
                       dim * pq->width * sizeof *pq->book);
    if (pq->turn)
        mni_writer_section(w, "IVPT", MNI_F32, MNI_ALIGN_SECTION, pq->turn,
                           dim * dim * sizeof *pq->turn);
}

mann_status mni_ivfpq_read(mni_ivf *v, const mni_reader *r, uint32_t pieces,
                           uint32_t bits, int turned, int learned, mann_error *err)
{
    mni_section book, turn;
    const uint64_t dim = v->dim;
    if (pieces < 1 || pieces > dim || (bits != 4 && bits != 8))
        return mni_fail(err, MANN_E_FORMAT,
                        "index: %lu pieces of %lu bits for %lu values, wanted 1..%lu of "
                        "4 or 8", (unsigned long)pieces, (unsigned long)bits,
                        (unsigned long)dim, (unsigned long)dim);
    MNI_TRY(mni_reader_need(r, "IVPB", MNI_F32, dim * (bits == 4 ? 16 : 256), &book,
                            err));
    if (turned) MNI_TRY(mni_reader_need(r, "IVPT", MNI_F32, dim * dim, &turn, err));
    MNI_TRY(mni_pq_new(&v->pq, v->dim, pieces, bits, turned, err));
    memcpy(v->pq->book, book.data, (size_t)dim * v->pq->width * sizeof *v->pq->book);
    if (turned) memcpy(v->pq->turn, turn.data, (size_t)(dim * dim) * sizeof(float));
    v->pq->learned = learned;
    mni_pq_halves(v->pq);
    return MANN_OK;
}
