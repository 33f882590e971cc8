/* pq.h - product quantisation: a vector as a few numbers of code words.
 *
 * A vector is cut into pieces of some four to sixteen values. For each piece there is a
 * book of 16 or 256 words, learned by k-means; the vector is kept as the numbers of the
 * nearest words. Sixteen words a piece and 32 pieces are 16 bytes and yet 16^32 different
 * vectors:
 *
 *     x =  | 0.3 0.1 .. | 0.9 0.4 .. | 0.2 0.7 .. |        128 values, 512 bytes
 *          nearest word   nearest word   nearest word
 *             of book 0      of book 1      of book 2
 *               11             3              7             4 bits each
 *
 * The product of a query with such a vector is a sum of one number a piece, and there are
 * only 16 (256) numbers a piece: they are computed once a query, rounded to bytes, and
 * then looked up (kern_pq.h). After Jegou, Douze and Schmid, "Product quantization for
 * nearest neighbor search", PAMI 2011, sections 2 and 3; the layout of 4 bits after
 * Andre, Kermarrec and Le Scouarnec, VLDB 2015.
 *
 * Before it is cut, a vector may be turned (opq.c), so that its pieces are equally hard.
 * What is coded here is r = x - c, what is asked is v = q - m; see code8.h for why a
 * table serves all lists. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_PQ_H
#define MNI_INDEX_PQ_H

#include "base/status.h"
#include "kern/kern_pq.h"
#include "os/pool.h"

enum { MNI_PQ_LEARN = 16384 };  /* rows to learn from: at least, if there are; and 256 a
                                   word */

typedef struct mni_pq {
    uint32_t dim, pieces;       /* pieces <= dim */
    uint32_t slots;             /* pieces in a block; the last may stand for nothing */
    uint32_t width;             /* words of a book: 16 or 256 */
    int learned;                /* 0: all words are zero */
    float *book;                /* of piece p: from begin(p) * width on, kern_pq.h */
    float *half;                /* pieces x width: half of each word's squared length */
    float *turn;                /* dim x dim, an orthogonal matrix; NULL: no turning */
} mni_pq;

/* Where piece p begins; that of `pieces` is dim. */
static inline uint32_t mni_pq_begin(const mni_pq *pq, uint32_t p)
{
    return (uint32_t)((uint64_t)p * pq->dim / pq->pieces);
}
static inline size_t mni_pq_block_bytes(const mni_pq *pq)
{
    return (size_t)pq->slots * (pq->width == 16 ? MNI_PQ_ROWS / 2 : MNI_PQ_ROWS);
}
/* What the name asks for: pieces 0 is one bit a value. */
uint32_t    mni_pq_pieces(uint32_t asked, uint32_t bits, uint32_t dim);
mann_status mni_pq_new(mni_pq **out, uint32_t dim, uint32_t pieces, uint32_t bits,
                       int turned, mann_error *err);
mann_status mni_pq_copy(mni_pq **out, const mni_pq *from, mann_error *err);
void        mni_pq_free(mni_pq *pq);
void        mni_pq_halves(mni_pq *pq);          /* `half`, from `book` */

typedef struct mni_pq_job {
    float *x;                   /* n x dim: what is to be coded; overwritten */
    size_t n;
    uint64_t seed;
    mni_pool *pool;
    const mann_hooks *hooks;
} mni_pq_job;

/* Books (and turn, if there is one) from examples. The same bits for any threads. */
mann_status mni_pq_learn(mni_pq *pq, const mni_pq_job *job, mann_error *err);
/* opq.c: the turn alone; x becomes the turned examples. */
mann_status mni_pq_learn_turn(mni_pq *pq, const mni_pq_job *job, mann_error *err);
/* Books of x as it is, with as many rounds. */
mann_status mni_pq_learn_books(mni_pq *pq, const mni_pq_job *job, uint32_t rounds,
                               mann_error *err);

/* out = turn * x, or x. */
void   mni_pq_turn(const mni_pq *pq, const float *x, float *out);
/* Nearest words of a turned vector; what they stand for, if decoded is not NULL. */
void   mni_pq_encode(const mni_pq *pq, const float *turned, uint8_t *codes,
                     float *decoded);
void   mni_pq_decode(const mni_pq *pq, const uint8_t *codes, float *decoded);
/* Codes of row `slot` of a block. */
void   mni_pq_put(const mni_pq *pq, uint8_t *block, unsigned slot, const uint8_t *codes);
void   mni_pq_get(const mni_pq *pq, const uint8_t *block, unsigned slot, uint8_t *codes);

/* The query's side: v . word is about low + step * byte, summed over pieces. */
typedef struct mni_pq_asked { double low; float step; } mni_pq_asked;
/* tables: slots x width bytes. room: pieces x (width + 1) floats. */
mni_pq_asked mni_pq_tables(const mni_pq *pq, const float *turned, float *room,
                           uint8_t *tables);
/* Sums of n blocks. */
void   mni_pq_sums(const mni_pq *pq, const uint8_t *codes, size_t n_blocks, size_t stride,
                   const uint8_t *tables, int32_t *out);

#endif
