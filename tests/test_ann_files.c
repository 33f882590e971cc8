/* test_ann_files.c - every kind of index asked in every way, from memory and from a file,
 * from damaged files, and when memory ends. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ann_help.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/bare_parts.h"

#define WANT(x)                                                                        \
    do {                                                                               \
        if (!(x)) test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), #x);              \
    } while (0)

/* --- asking ------------------------------------------------------------------------- */

static const mann_metric metrics[] = { MANN_L2, MANN_INNER, MANN_COSINE };

/* A stored row is found at exactly its own distance; k of every size is legal. */
static void asked(const ann_kind *kind)
{
    enum { N = 700, MOST = 10 * N };
    float *rows = ann_vectors(20, N), *d = mni_alloc(MOST, sizeof *d);
    uint64_t *ids = mni_alloc(MOST, sizeof *ids);
    static const uint32_t sizes[] = { 0, 1, 10, N - 1, N, N + 1, MOST };
    CHECK(ids && d);
    for (int m = 0; m < 3; m++) {
        mni_bare *ix = ann_build(kind, metrics[m], rows, N, NULL);
        for (size_t i = 0; i < 7; i++)
            WANT(ann_ask(ix, rows, sizes[i], ids, d) == (sizes[i] < N ? sizes[i] : N));
        for (uint64_t i = 0; i < N && metrics[m] != MANN_INNER; i += 13) {
            WANT(ann_ask(ix, rows + i * ANN_DIM, 1, ids, d) == 1);
            WANT(ids[0] == i && d[0] == 0.0f);
        }
        const double recall = ann_share(ix, 10, 60);
        if (recall < (kind->exact ? 1.0 : 0.9))
            test_fail(__FILE__, __LINE__, "%s, metric %d: recall %.3f", kind->spec,
                      (int)metrics[m], recall);
        mni_bare_free(ix);
    }
    mni_free(rows);
    mni_free(ids);
    mni_free(d);
}

static void asked_in_every_metric(void) { ann_each(asked); }

typedef struct sieve { uint64_t every; } sieve;
static int passes(void *user, uint64_t id, const char *klass)
{
    (void)klass;
    return id % ((const sieve *)user)->every == 0;
}

static void filtered(const ann_kind *kind)
{
    enum { N = 3000, K = 10 };
    static const uint64_t every[] = { 2, 10, 100, 1000, 5000 };
    float *rows = ann_vectors(21, N), d[K], one, q[ANN_DIM];
    uint64_t ids[K];
    mni_near truth[K];
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    for (int e = 0; e < 5; e++) {
        sieve s = { every[e] };
        mann_search how;
        mann_search_fill(&how, sizeof how, K);
        how.filter = passes;
        how.filter_user = &s;
        size_t right = 0, all = 0;
        for (uint64_t i = 0; i < 20; i++) {
            mni_topk best;
            ann_vector(99, i, q);
            mni_topk_init(&best, truth, K);
            for (uint32_t row = 0; row < N; row += (uint32_t)every[e]) {
                mni_rows_scan(&ix->rows, q, row, row + 1, &one);
                mni_topk_push(&best, one, row);
            }
            const size_t most = mni_topk_sort(&best);
            CHECK_OK(mni_bare_query(ix, (mann_matrix){ q, 1, ANN_DIM, 0 }, &how, NULL,
                                    ids, d, NULL));
            for (size_t j = 0; j < K; j++) {
                WANT((ids[j] != MNI_NO_ID) == (j < most));
                if (j >= most) continue;
                WANT(ids[j] % every[e] == 0);
                right += d[j] <= truth[most - 1].distance;
            }
            all += most;
        }
        /* few pass: looked at one by one */
        const double recall = (double)right / (double)all;
        if (recall < (every[e] >= 100 ? 1.0 : 0.85))
            test_fail(__FILE__, __LINE__, "%s: one in %llu passes: recall %.3f",
                      kind->spec, (unsigned long long)every[e], recall);
    }
    mni_bare_free(ix);
    mni_free(rows);
}

static void filters_find_k(void) { ann_each(filtered); }

typedef struct heap { size_t n, queries; float last; } heap;
static int count_found(void *user, size_t query, const mann_hit *hits, size_t n)
{
    heap *h = user;
    CHECK_EQ(query, h->queries++);
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || hits[i - 1].distance <= hits[i].distance);
        CHECK(hits[i].klass == MANN_NO_CLASS && hits[i].score == -hits[i].distance);
        h->last = hits[i].distance;
    }
    h->n += n;
    return 0;
}

static void ranged(const ann_kind *kind)
{
    enum { N = 2000, Q = 70 };
    float *rows = ann_vectors(22, N), *q = ann_vectors(99, Q), one;
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    mni_pool *pool;
    mann_search how;
    mann_search_fill(&how, sizeof how, 0);
    CHECK_OK(mann_pool_new(&pool, 3, NULL));
    static const float within[] = { 0.0f, 12.0f, 20.0f, 60.0f, INFINITY };
    for (int w = 0; w < 5; w++) {
        heap h = { 0, 0, 0 };
        size_t truth = 0;
        CHECK_OK(mni_bare_within(ix, (mann_matrix){ q, Q, ANN_DIM, 0 }, within[w], &how,
                                 pool, count_found, &h, NULL));
        for (int i = 0; i < Q; i++)
            for (uint32_t row = 0; row < N; row++) {
                mni_rows_scan(&ix->rows, q + i * ANN_DIM, row, row + 1, &one);
                truth += one <= within[w];
            }
        WANT(h.queries == Q && h.last <= within[w] && h.n <= truth);
        if ((double)h.n < (kind->exact ? 1.0 : 0.9) * (double)truth)
            test_fail(__FILE__, __LINE__, "%s: within %g: %zu of %zu", kind->spec,
                      (double)within[w], h.n, truth);
    }
    mann_pool_free(pool);
    mni_bare_free(ix);
    mni_free(rows);
    mni_free(q);
}

static void everything_within_a_distance(void) { ann_each(ranged); }

static void tuned(const ann_kind *kind)
{
    float *rows = ann_vectors(23, 4000);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, 4000, NULL);
    mann_tuned low, high;
    mann_matrix none = { NULL, 0, 0, 0 };
    CHECK_OK(mni_bare_tune(ix, none, 0.5, 10, NULL, &low, NULL));
    CHECK_OK(mni_bare_tune(ix, none, 0.99, 10, NULL, &high, NULL));
    WANT(low.value <= high.value && low.recall >= 0.5 && high.recall >= 0.9);
    mni_bare *again = ann_reopen(ix, MANN_OPEN_WRITE);
    WANT(!high.value || mni_ann_knob(again->ann) == high.value);  /* the file keeps it */
    WANT(ann_share(again, 10, 40) > 0.9);
    mni_bare_free(again);
    mni_bare_free(ix);
    mni_free(rows);
}

static void tuning_is_kept(void) { ann_each(tuned); }

/* --- files -------------------------------------------------------------------------- */

static void mapped(const ann_kind *kind)
{
    enum { N = 1200, K = 10 };
    float *rows = ann_vectors(24, N), q[ANN_DIM], d[K], e[K];
    uint64_t ids[K], same[K], gone[300], bytes;
    mni_bare *ix = ann_build(kind, MANN_COSINE, rows, N, NULL);
    mni_bare *view = ann_reopen(ix, MANN_OPEN_READ | MANN_OPEN_VERIFY);
    mni_bare *open = ann_reopen(ix, MANN_OPEN_WRITE);
    WANT(strcmp(mni_bare_spec(view), mni_bare_spec(ix)) == 0);
    WANT(ann_hash(view, &bytes) == ann_hash(ix, &bytes));
    for (uint64_t i = 0; i < 60; i++) {
        ann_vector(99, i, q);
        WANT(ann_ask(ix, q, K, ids, d) == K && ann_ask(view, q, K, same, e) == K);
        WANT(memcmp(ids, same, sizeof ids) == 0 && memcmp(d, e, sizeof d) == 0);
    }
    CHECK_IS(mni_bare_remove(view, ids, 1, NULL, NULL), MANN_E_READ_ONLY);
    /* the opened one and the built one change alike */
    for (uint64_t i = 0; i < 300; i++) gone[i] = i * 3;
    float *more = ann_vectors(25, 200);
    mni_bare *both[] = { ix, open };
    for (int i = 0; i < 2; i++) {
        CHECK_OK(mni_bare_remove(both[i], gone, 300, NULL, NULL));
        CHECK_OK(mni_bare_add(both[i], NULL, (mann_matrix){ more, 200, ANN_DIM, 0 }, NULL,
                              NULL));
        mann_error err = { MANN_OK, "" };
        if (mni_bare_verify(both[i], &err) != MANN_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", kind->spec, err.text);
        const double recall = ann_share(both[i], 10, 60);
        if (recall < 0.85)
            test_fail(__FILE__, __LINE__, "%s: %s: recall %.3f", kind->spec,
                      i ? "opened" : "built", recall);
    }
    WANT(ann_hash(ix, &bytes) == ann_hash(open, &bytes));
    mni_bare_free(ix);
    mni_bare_free(view);
    mni_bare_free(open);
    mni_free(rows);
    mni_free(more);
}

static void mapped_files_answer_alike(void) { ann_each(mapped); }

/* Everything that can be done with what was opened. */
static void use(mni_bare *ix)
{
    float q[ANN_DIM], d[5];
    uint64_t ids[5];
    mann_search how;
    mann_search_fill(&how, sizeof how, 5);
    ann_vector(99, 1, q);
    const mann_matrix m = { q, 1, ANN_DIM, 0 };
    if (mni_bare_dim(ix) != ANN_DIM) return;
    mni_bare_query(ix, m, &how, NULL, ids, d, NULL);
    mni_ann_fact facts[MNI_ANN_FACTS];
    mni_bare_report(ix, facts);
    const uint64_t new_id = 1000000, old = 3;
    if (mni_bare_verify(ix, NULL) != MANN_OK) return;   /* told: as far as promised */
    mni_bare_add(ix, &new_id, m, NULL, NULL);
    mni_bare_remove(ix, &old, 1, NULL, NULL);
    mni_bare_query(ix, m, &how, NULL, ids, d, NULL);
}

/* A good file in which one byte of one section of the structure was changed, or the
 * section cut, and which was signed again. */
static void write_damaged(const mni_reader *r, uint32_t which, uint64_t at, uint8_t flip,
                          uint64_t cut)
{
    mni_writer *w;
    mni_section s;
    char tag[5];
    CHECK_OK(mni_writer_new(&w, ann_vfs(), "bad.mann", MNI_FILE_INDEX, mni_reader_uuid(r),
                            1, NULL));
    for (uint32_t i = 0; mni_reader_at(r, i, tag, &s); i++) {
        uint8_t *copy = mni_memdup(s.data, (size_t)s.n_bytes);
        CHECK(copy || s.n_bytes == 0);
        size_t n = (size_t)s.n_bytes;
        if (i == which && flip) copy[at] ^= flip;
        if (i == which && cut)
            n -= (size_t)(cut * mni_dtype_bytes(s.dtype) < n
                              ? cut * mni_dtype_bytes(s.dtype) : n);
        mni_writer_section(w, tag, s.dtype, MNI_ALIGN_PAGE, copy, n);
        mni_free(copy);
    }
    CHECK_OK(mni_writer_finish(w, NULL));
}

static void try_damaged(const mni_reader *r, uint32_t which, uint64_t at, uint8_t flip,
                        uint64_t cut)
{
    mni_bare *bad;
    mann_error e = { MANN_OK, "" };
    write_damaged(r, which, at, flip, cut);
    mann_status s = mni_bare_open(&bad, ann_vfs(), "bad.mann", MANN_OPEN_WRITE, &e);
    WANT((s == MANN_OK) == (bad != NULL) && (s == MANN_OK || e.text[0]));
    if (bad) use(bad);
    mni_bare_free(bad);
}

static void damaged(const ann_kind *kind)
{
    enum { N = 90 };
    float *rows = ann_vectors(26, N);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    mni_bare_free(ann_reopen(ix, MANN_OPEN_READ));
    mni_bare_free(ix);
    mni_free(rows);
    mni_reader *r;
    mni_section s;
    char tag[5];
    CHECK_OK(mni_reader_open(&r, ann_vfs(), "ix.mann", 0, NULL));
    for (uint32_t i = 0; mni_reader_at(r, i, tag, &s); i++) {
        if (memcmp(tag, "ROWS", 4) == 0) continue;
        /* all of a small section, the head and a part of a large one */
        const uint64_t step = s.n_bytes > 600 ? s.n_bytes / 300 : 1;
        for (uint64_t at = 0; at < s.n_bytes; at += at < 128 ? 1 : step)
            try_damaged(r, i, at, (uint8_t)(at % 3 == 0 ? 0x80 : at % 3 == 1 ? 0xff : 1),
                        0);
        try_damaged(r, i, 0, 0, 1);
        try_damaged(r, i, 0, 0, UINT32_MAX);
    }
    mni_reader_free(r);
}

static void damaged_structures_lead_nowhere(void) { ann_each(damaged); }

/* Without a new signature every flip of the frame is told. */
static void flipped(const ann_kind *kind)
{
    enum { N = 60 };
    float *rows = ann_vectors(27, N);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL), *bad;
    mni_bare_free(ann_reopen(ix, MANN_OPEN_READ));
    mni_bare_free(ix);
    mni_free(rows);
    const mni_vfs *v = ann_vfs();
    uint8_t *bytes;
    size_t n;
    CHECK_OK(mni_read_file(v, "ix.mann", UINT64_MAX, &bytes, &n, NULL));
    for (size_t at = 0; at < n; at += at < 64 || at + 1024 > n ? 1 : 101) {
        bytes[at] ^= 0x20;
        CHECK_OK(mni_replace_file(v, "flip.mann", bytes, n, NULL));
        bytes[at] ^= 0x20;
        if (mni_bare_open(&bad, v, "flip.mann", MANN_OPEN_VERIFY, NULL) == MANN_OK)
            test_fail(__FILE__, __LINE__, "%s: byte %zu of %zu may be anything",
                      kind->spec, at, n);
    }
    mni_free(bytes);
}

static void every_flip_is_told(void) { ann_each(flipped); }

/* --- when memory ends --------------------------------------------------------------- */

static const ann_kind *oom_kind;

static mann_status whole_life(void *ctx)
{
    enum { N = 120 };
    static float rows[N * ANN_DIM];
    (void)ctx;
    mni_builder *b;
    mni_bare *ix = NULL;
    float d[3];
    uint64_t ids[3];
    mann_search how;
    mann_search_fill(&how, sizeof how, 3);
    for (uint64_t i = 0; i < N; i++) ann_vector(28, i, rows + i * ANN_DIM);
    MNI_TRY(mni_builder_new(&b, oom_kind->spec, MANN_L2, ANN_DIM, 1, NULL));
    mann_status s = mni_builder_add(b, NULL, (mann_matrix){ rows, N - 10, ANN_DIM, 0 },
                                    NULL, NULL);
    if (s == MANN_OK) s = mni_builder_finish(&b, &ix, NULL, NULL, NULL);
    mni_builder_free(b);
    if (s == MANN_OK)
        s = mni_bare_add(ix, NULL,
                         (mann_matrix){ rows + (N - 10) * ANN_DIM, 10, ANN_DIM, 0 }, NULL,
                         NULL);
    const uint64_t some[] = { 1, 5, 60, 109 };
    if (s == MANN_OK) s = mni_bare_remove(ix, some, 4, NULL, NULL);
    if (s == MANN_OK)       /* an upsert */
        s = mni_bare_add(ix, (uint64_t[]){ 7 }, (mann_matrix){ rows, 1, ANN_DIM, 0 },
                         NULL, NULL);
    if (s == MANN_OK)
        s = mni_bare_query(ix, (mann_matrix){ rows, 1, ANN_DIM, 0 }, &how, NULL, ids, d,
                           NULL);
    if (ix && s == MANN_E_NOMEM) {      /* what is left is whole */
        mni_mem_fail_after(-1);
        mann_error e = { MANN_OK, "" };
        if (mni_bare_verify(ix, &e) != MANN_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", oom_kind->spec, e.text);
    }
    mni_bare_free(ix);
    return s;
}

static void short_of_memory(const ann_kind *kind)
{
    oom_kind = kind;
    test_oom(whole_life, NULL, 400);
}

static void memory_ends_anywhere(void) { ann_each(short_of_memory); }

static void budget_is_kept(void)
{
    mann_error e;
    mni_builder *b;
    mni_bare *ix;
    float *rows = ann_vectors(29, 2000);
    static const char *const specs[] = { "HNSW16", "IVF,Flat", NULL };
    for (int i = 0; specs[i]; i++) {
        if (mni_ann_spec_check(specs[i], NULL) != MANN_OK) continue;
        CHECK_OK(mni_builder_new(&b, specs[i], MANN_L2, ANN_DIM, 1, NULL));
        CHECK_OK(mni_builder_add(b, NULL, (mann_matrix){ rows, 2000, ANN_DIM, 0 }, NULL,
                                 NULL));
        mni_builder_limit(b, 1000);
        CHECK_IS(mni_builder_finish(&b, &ix, NULL, NULL, &e), MANN_E_BUDGET);
        CHECK(strstr(e.text, "allowed") && b);
        mni_builder_limit(b, 0);
        CHECK_OK(mni_builder_finish(&b, &ix, NULL, NULL, &e));
        mni_bare_free(ix);
    }
    mni_free(rows);
}

extern const test_case ann_files_tests[];
const test_case ann_files_tests[] = {
    { "asked_in_every_metric", asked_in_every_metric, 0 },
    { "filters_find_k", filters_find_k, 0 },
    { "everything_within_a_distance", everything_within_a_distance, 0 },
    { "tuning_is_kept", tuning_is_kept, 0 },
    { "mapped_files_answer_alike", mapped_files_answer_alike, 0 },
    { "damaged_structures_lead_nowhere", damaged_structures_lead_nowhere, 0 },
    { "every_flip_is_told", every_flip_is_told, 0 },
    { "memory_ends_anywhere", memory_ends_anywhere, 0 },
    { "budget_is_kept", budget_is_kept, 0 },
    { NULL, NULL, 0 }
};
