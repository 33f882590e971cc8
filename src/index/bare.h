/* bare.h - an index that owns its vectors and their ids: chapter 7 of metricann.h, below
 * the argument checks.
 *
 * The gallery keeps records and lets mni_ann point at them; whoever brings vectors of
 * their own has only numbers, so here ids, rows and structure live together. Many readers
 * or one writer; no lock inside.
 *
 *     ids    [ 70 | 12 | 55 ]      user's numbers, unique, never ~0 (that means "nothing"
 * in answers) rows   [ .. | .. | .. ]      prepared vectors, same order map      12 -> 1,
 * 55 -> 2, 70 -> 0     made when the first write comes
 *
 * Removing moves the last row into the gap. An opened file is searched where it is
 * mapped; opened for writing it is copied when the first write comes.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_BARE_H
#define MNI_INDEX_BARE_H

#include "base/status.h"
#include "index/ann.h"
#include "os/pool.h"
#include "os/vfs.h"

typedef struct mann_index   mni_bare;
typedef struct mann_builder mni_builder;

enum { MNI_BARE_MAX_DIM = 1 << 20 };
#define MNI_NO_ID UINT64_MAX

/* `index`: a spec as in ann.h. dim 1 .. MNI_BARE_MAX_DIM. */
mann_status mni_builder_new(mni_builder **out, const char *index, mann_metric metric,
                            uint32_t dim, uint64_t seed, mann_error *err);
/* Kinds that learn from a sample remember it; Flat checks it and learns nothing. */
mann_status mni_builder_train(mni_builder *b, mann_matrix sample, mni_pool *pool,
                              mann_error *err);
/* finish then refuses (MANN_E_BUDGET) to take more memory than this beside the rows. */
void        mni_builder_limit(mni_builder *b, uint64_t mem_bytes);
/* As mni_bare_add. */
mann_status mni_builder_add(mni_builder *b, const uint64_t *ids, mann_matrix rows,
                            mni_pool *pool, mann_error *err);
/* *b is taken and set to NULL; on failure it stays the caller's. */
mann_status mni_builder_finish(mni_builder **b, mni_bare **out, mni_pool *pool,
                               const mann_hooks *h, mann_error *err);
void        mni_builder_free(mni_builder *b);

/* flags: MANN_OPEN_READ, or MANN_OPEN_WRITE; with MANN_OPEN_VERIFY every byte, number and
 * id is checked. */
mann_status mni_bare_open(mni_bare **out, const mni_vfs *v, const char *path,
                          unsigned flags, mann_error *err);
/* Replaces `path` atomically; the file is a function of the content. */
mann_status mni_bare_save(const mni_bare *ix, const mni_vfs *v, const char *path,
                          mann_error *err);
/* Upsert: a row of an id that is there is replaced (within one call the last one counts).
 * ids NULL: one above the largest id ever given, and so on: 0, 1, 2, ... in a fresh
 * index. All or nothing. */
mann_status mni_bare_add(mni_bare *ix, const uint64_t *ids, mann_matrix rows,
                         mni_pool *pool, mann_error *err);
/* Ids that are not there are passed over. removed may be NULL. */
mann_status mni_bare_remove(mni_bare *ix, const uint64_t *ids, size_t n, size_t *removed,
                            mann_error *err);
/* s->k, ef, nprobe and filter count (klass is NULL); ids and distances are rows x k,
 * nearest first, equal distances in row order, short answers end in MNI_NO_ID, +infinity.
 */
mann_status mni_bare_query(const mni_bare *ix, mann_matrix queries, const mann_search *s,
                           mni_pool *pool, uint64_t *ids, float *distances,
                           mann_error *err);
uint64_t    mni_bare_n_rows(const mni_bare *ix);
uint32_t    mni_bare_dim(const mni_bare *ix);
mann_metric mni_bare_metric(const mni_bare *ix);
const char *mni_bare_spec(const mni_bare *ix);
/* Facts about the structure; room for MNI_ANN_FACTS (kinds.h). */
size_t      mni_bare_report(const mni_bare *ix, mni_ann_fact *facts);
/* All rows within `distance` of each query; fn gets them nearest first, query by query.
 * Nonzero stops. s->k > 0: at most so many. */
mann_status mni_bare_within(const mni_bare *ix, mann_matrix queries, float distance,
                            const mann_search *s, mni_pool *pool, mann_found_fn fn,
                            void *user, mann_error *err);
/* Sets the default of the knob; see mni_ann_tune. queries.rows 0: made of stored rows. */
mann_status mni_bare_tune(mni_bare *ix, mann_matrix queries, double recall, uint32_t k,
                          mni_pool *pool, mann_tuned *out, mann_error *err);
/* Every number, id and link. */
mann_status mni_bare_verify(const mni_bare *ix, mann_error *err);
void        mni_bare_free(mni_bare *ix);

#endif
