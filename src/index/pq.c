/* pq.c - see pq.h. SPDX-License-Identifier: MIT */
#include "index/pq.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/kmeans.h"
#include "kern/kern_dist.h"

enum { ROUNDS = 12, AT_LEAST = 2 };

uint32_t mni_pq_pieces(uint32_t asked, uint32_t bits, uint32_t dim)
{
    uint32_t pieces = asked ? asked : dim / bits;
    if (pieces > dim) pieces = dim;
    return pieces ? pieces : 1;
}

mann_status mni_pq_new(mni_pq **out, uint32_t dim, uint32_t pieces, uint32_t bits,
                       int turned, mann_error *err)
{
    const uint32_t width = bits == 4 ? 16 : 256;
    mni_pq *pq = mni_alloc(1, sizeof *pq);
    *out = NULL;
    if (pq) {
        *pq = (mni_pq){ .dim = dim, .pieces = pieces, .width = width,
                        .slots = width == 16 ? (pieces + 3) / 4 * 4 : pieces };
        pq->book = mni_alloc((size_t)dim * width, sizeof *pq->book);
        pq->half = mni_alloc((size_t)pieces * width, sizeof *pq->half);
        if (turned) pq->turn = mni_alloc((size_t)dim * dim, sizeof *pq->turn);
    }
    if (!pq || !pq->book || !pq->half || (turned && !pq->turn)) {
        mni_pq_free(pq);
        return mni_fail(err, MANN_E_NOMEM, "pq: books of %lu pieces",
                        (unsigned long)pieces);
    }
    for (uint32_t d = 0; turned && d < dim; d++) pq->turn[(size_t)d * dim + d] = 1.0f;
    *out = pq;
    return MANN_OK;
}

mann_status mni_pq_copy(mni_pq **out, const mni_pq *from, mann_error *err)
{
    MNI_TRY(mni_pq_new(out, from->dim, from->pieces, from->width == 16 ? 4 : 8,
                       from->turn != NULL, err));
    mni_pq *pq = *out;
    const size_t dim = from->dim;
    memcpy(pq->book, from->book, dim * from->width * sizeof *pq->book);
    memcpy(pq->half, from->half, (size_t)from->pieces * from->width * sizeof *pq->half);
    if (pq->turn) memcpy(pq->turn, from->turn, dim * dim * sizeof *pq->turn);
    pq->learned = from->learned;
    return MANN_OK;
}

void mni_pq_free(mni_pq *pq)
{
    if (!pq) return;
    mni_free(pq->book);
    mni_free(pq->half);
    mni_free(pq->turn);
    mni_free(pq);
}

void mni_pq_halves(mni_pq *pq)
{
    for (uint32_t p = 0; p < pq->pieces; p++) {
        const uint32_t begin = mni_pq_begin(pq, p), end = mni_pq_begin(pq, p + 1);
        for (uint32_t j = 0; j < pq->width; j++) {
            double sum = 0;
            for (uint32_t d = begin; d < end; d++) {
                const double v = pq->book[(size_t)d * pq->width + j];
                sum += v * v;
            }
            pq->half[(size_t)p * pq->width + j] = (float)(sum / 2);
        }
    }
}

/* --- learning ----------------------------------------------------------------------- */

static mann_status learn_piece(mni_pq *pq, const mni_pq_job *job, uint32_t p, float *part,
                               float *words, uint32_t rounds, mann_error *err)
{
    const uint32_t begin = mni_pq_begin(pq, p), n = mni_pq_begin(pq, p + 1) - begin;
    for (size_t i = 0; i < job->n; i++)
        memcpy(part + i * n, job->x + i * pq->dim + begin, n * sizeof *part);
    const mni_kmeans_job km = { .x = part, .n = job->n, .dim = n, .k = pq->width,
                                .rounds = rounds, .seed = job->seed, .slot = 1 + p,
                                .pool = job->pool, .hooks = job->hooks };
    MNI_TRY(mni_kmeans(&km, words, NULL, err));
    for (uint32_t j = 0; j < pq->width; j++)
        for (uint32_t d = 0; d < n; d++)
            pq->book[(size_t)(begin + d) * pq->width + j] = words[(size_t)j * n + d];
    return MANN_OK;
}

mann_status mni_pq_learn_books(mni_pq *pq, const mni_pq_job *job, uint32_t rounds,
                               mann_error *err)
{
    const uint32_t widest = pq->dim / pq->pieces + 1;
    float *part = mni_alloc(job->n, widest * sizeof *part);
    float *words = mni_alloc(pq->width, widest * sizeof *words);
    mann_status s = part && words ? MANN_OK
                                  : mni_fail(err, MANN_E_NOMEM, "pq: %llu examples",
                                             (unsigned long long)job->n);
    for (uint32_t p = 0; s == MANN_OK && p < pq->pieces; p++)
        s = learn_piece(pq, job, p, part, words, rounds, err);
    if (s == MANN_OK) mni_pq_halves(pq);
    mni_free(part);
    mni_free(words);
    return s;
}

mann_status mni_pq_learn(mni_pq *pq, const mni_pq_job *job, mann_error *err)
{
    if (job->n < AT_LEAST) return MANN_OK;
    if (pq->turn) MNI_TRY(mni_pq_learn_turn(pq, job, err));
    MNI_TRY(mni_pq_learn_books(pq, job, ROUNDS, err));
    pq->learned = 1;
    return MANN_OK;
}

/* --- codes -------------------------------------------------------------------------- */

void mni_pq_turn(const mni_pq *pq, const float *x, float *out)
{
    if (pq->turn) mni_kern_dist_best()->ip_rows(x, pq->turn, pq->dim, pq->dim, pq->dim,
                                                out);
    else memcpy(out, x, pq->dim * sizeof *out);
}

void mni_pq_encode(const mni_pq *pq, const float *turned, uint8_t *codes, float *decoded)
{
    const mni_kern_pq *k = mni_kern_pq_best();
    for (uint32_t p = 0; p < pq->pieces; p++) {
        const uint32_t begin = mni_pq_begin(pq, p), n = mni_pq_begin(pq, p + 1) - begin;
        codes[p] = (uint8_t)k->nearest(turned + begin,
                                       pq->book + (size_t)begin * pq->width,
                                       pq->half + (size_t)p * pq->width, n, pq->width);
    }
    if (decoded) mni_pq_decode(pq, codes, decoded);
}

void mni_pq_decode(const mni_pq *pq, const uint8_t *codes, float *decoded)
{
    for (uint32_t p = 0; p < pq->pieces; p++)
        for (uint32_t d = mni_pq_begin(pq, p); d < mni_pq_begin(pq, p + 1); d++)
            decoded[d] = pq->book[(size_t)d * pq->width + codes[p]];
}

void mni_pq_put(const mni_pq *pq, uint8_t *block, unsigned slot, const uint8_t *codes)
{
    enum { HALF = MNI_PQ_ROWS / 2 };
    for (uint32_t p = 0; p < pq->pieces; p++) {
        if (pq->width != 16) {
            block[(size_t)p * MNI_PQ_ROWS + slot] = codes[p];
            continue;
        }
        uint8_t *two = &block[(size_t)p * HALF + slot % HALF];
        const unsigned shift = slot / HALF * 4;
        *two = (uint8_t)((*two & (15u << (4 - shift))) | (unsigned)codes[p] << shift);
    }
}

void mni_pq_get(const mni_pq *pq, const uint8_t *block, unsigned slot, uint8_t *codes)
{
    enum { HALF = MNI_PQ_ROWS / 2 };
    for (uint32_t p = 0; p < pq->pieces; p++)
        codes[p] = pq->width != 16
                       ? block[(size_t)p * MNI_PQ_ROWS + slot]
                       : block[(size_t)p * HALF + slot % HALF] >> slot / HALF * 4 & 15;
}

/* --- asking ------------------------------------------------------------------------- */

/* One step for all tables, so that bytes may be added: that of the widest. Each table
 * begins at its own lowest entry. */
mni_pq_asked mni_pq_tables(const mni_pq *pq, const float *turned, float *room,
                           uint8_t *tables)
{
    const mni_kern_pq *k = mni_kern_pq_best();
    const size_t width = pq->width;
    float widest = 0, high, *low = room + pq->pieces * width;
    double sum = 0;
    for (uint32_t p = 0; p < pq->pieces; p++) {
        const uint32_t begin = mni_pq_begin(pq, p), n = mni_pq_begin(pq, p + 1) - begin;
        k->products(turned + begin, pq->book + begin * width, n, width, room + p * width,
                    low + p, &high);
        if (high - low[p] > widest) widest = high - low[p];
        sum += low[p];
    }
    const float step = widest < INFINITY ? widest / 255 : 0;
    const float by = step > 0 ? 1 / step : 0;
    for (uint32_t p = 0; p < pq->pieces; p++)
        k->bytes(room + p * width, width, low[p], by, tables + p * width);
    memset(tables + pq->pieces * width, 0, (pq->slots - pq->pieces) * width);
    return (mni_pq_asked){ sum, step };
}

void mni_pq_sums(const mni_pq *pq, const uint8_t *codes, size_t n_blocks, size_t stride,
                 const uint8_t *tables, int32_t *out)
{
    const mni_kern_pq *k = mni_kern_pq_best();
    const mni_pq_args a = { codes, n_blocks, stride, pq->slots, tables, out };
    if (pq->width == 16) k->sum4(&a);
    else k->sum8(&a);
}
