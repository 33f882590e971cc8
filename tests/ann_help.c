/* ann_help.c - see ann_help.h. SPDX-License-Identifier: MIT */
#include "ann_help.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/bare_parts.h"

const ann_kind ann_kinds[] = {
    { "Flat", 1 },
    { "SQ8", 0 },
    { "HNSW8,efc60", 0 },
    { "HNSW16", 0 },
    { "HNSW12,efc80,SQ8", 0 },
    { "IVF20,Flat", 0 },
    { "IVF,Flat", 0 },
    { "IVF16,PQ8", 0 },
    { "IVF16,PQ12x4fs,RFlat", 0 },
    { "OPQ8,IVF8,PQ8", 0 },
    { NULL, 0 }
};

static const char *now = "";
static mni_vfs_mem *memory;

const char *ann_now(void) { return now; }

const mni_vfs *ann_vfs(void)
{
    if (!memory) CHECK_OK(mni_vfs_mem_new(&memory, NULL));
    return mni_vfs_mem_vfs(memory);
}

void ann_done(void)
{
    mni_vfs_mem_free(memory);
    memory = NULL;
}

void ann_each(void (*check)(const ann_kind *kind))
{
    memory = NULL;
    for (const ann_kind *k = ann_kinds; k->spec; k++) {
        now = k->spec;
        if (mni_ann_spec_check(k->spec, NULL) != MANN_OK) continue;
        check(k);
        ann_done();
    }
}

void ann_vector(uint64_t set, uint64_t i, float *out)
{
    mni_rng group = mni_rng_at(7, MNI_FOR_TEST, 100, 0, i % 40);
    mni_rng own = mni_rng_at(7, MNI_FOR_TEST, 101, set, i);
    for (int d = 0; d < ANN_DIM; d++)
        out[d] = mni_rng_normal(&group) + 0.6f * mni_rng_normal(&own);
}

float *ann_vectors(uint64_t set, size_t n)
{
    float *v = mni_alloc(n * ANN_DIM + 1, sizeof *v);
    CHECK(v);
    for (size_t i = 0; i < n; i++) ann_vector(set, i, v + i * ANN_DIM);
    return v;
}

mni_bare *ann_build(const ann_kind *kind, mann_metric metric, const float *rows, size_t n,
                    mni_pool *pool)
{
    mni_builder *b;
    mni_bare *ix;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_builder_new(&b, kind->spec, metric, ANN_DIM, 5, &e), e);
    CHECK_FINE(mni_builder_add(b, NULL, (mann_matrix){ rows, n, ANN_DIM, 0 }, pool, &e),
               e);
    if (mni_builder_finish(&b, &ix, pool, NULL, &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s of %zu rows: %s", kind->spec, n, e.text);
    return ix;
}

size_t ann_ask(const mni_bare *ix, const float *q, uint32_t k, uint64_t *ids,
               float *distances)
{
    mann_search s;
    mann_error e = { MANN_OK, "" };
    size_t n = 0;
    mann_search_fill(&s, sizeof s, k);
    if (mni_bare_query(ix, (mann_matrix){ q, 1, ANN_DIM, 0 }, &s, NULL, ids, distances,
                       &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", now, e.text);
    while (n < k && ids[n] != MNI_NO_ID) n++;
    for (size_t i = 1; i < n; i++) {
        CHECK(distances[i - 1] <= distances[i]);
        for (size_t j = 0; j < i; j++) CHECK(ids[i] != ids[j]);
    }
    for (size_t i = n; i < k; i++) CHECK(ids[i] == MNI_NO_ID);
    return n;
}

double ann_share(const mni_bare *ix, uint32_t k, size_t n)
{
    enum { MOST = 64 };
    const mni_rows *rows = &ix->rows;
    size_t right = 0, all = 0;
    mni_near truth[MOST];
    uint64_t ids[MOST];
    float distances[MOST], one, q[ANN_DIM];
    CHECK(k <= MOST);
    for (size_t i = 0; i < n; i++) {
        mni_topk best;
        ann_vector(99, i, q);
        CHECK_OK(mni_rows_prepare(rows->metric, q, ANN_DIM, "query", i, NULL));
        mni_topk_init(&best, truth, k);
        for (uint32_t row = 0; row < rows->n; row++) {
            mni_rows_scan(rows, q, row, row + 1, &one);
            mni_topk_push(&best, one, row);
        }
        const size_t most = mni_topk_sort(&best);
        const size_t got = ann_ask(ix, q, k, ids, distances);
        if (got != most)
            test_fail(__FILE__, __LINE__, "%s: %zu hits of %zu", now, got, most);
        for (size_t j = 0; j < got; j++)
            right += distances[j] <= truth[most - 1].distance;
        all += most;
    }
    return all ? (double)right / (double)all : 1.0;
}

mni_bare *ann_reopen(const mni_bare *ix, unsigned flags)
{
    mni_bare *again;
    mann_error e = { MANN_OK, "" };
    if (mni_bare_save(ix, ann_vfs(), "ix.mann", &e) != MANN_OK ||
        mni_bare_open(&again, ann_vfs(), "ix.mann", flags, &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", now, e.text);
    return again;
}

uint64_t ann_hash(const mni_bare *ix, uint64_t *n_bytes)
{
    mni_reader *r;
    mni_section s;
    char tag[5];
    uint64_t hash = 0;
    CHECK_OK(mni_bare_save(ix, ann_vfs(), "hash.mann", NULL));
    CHECK_OK(mni_reader_open(&r, ann_vfs(), "hash.mann", 0, NULL));
    for (uint32_t i = 0; mni_reader_at(r, i, tag, &s); i++) {
        hash = mni_hash_bytes(tag, 4, hash);
        hash = mni_hash_bytes(s.data, (size_t)s.n_bytes, hash);
    }
    *n_bytes = mni_reader_bytes(r);
    mni_reader_free(r);
    return hash;
}
