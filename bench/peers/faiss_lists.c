/* faiss_lists.c - searching beside FAISS: lists around the same centres with the same
 * number of probes, one query at a time, one thread, in turn; and Flat, alone and in a
 * batch. Recall against plain double arithmetic is printed beside every speed.
 *
 *     faiss_lists BASE QUERY LISTS [PIECES]    vectors as .fvecs, .bvecs, .npy
 *                                              LISTS 0: Flat
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_ROUNDS 5
#include "base/mem.h"
#include "faiss_side.h"
#include "index/ivf.h"
#include "rounds.h"

enum { K = 10, QUERIES = 1000, ASKED = 200, PROBES = 5 };

typedef struct job {
    mni_rows rows;
    const float *queries;
    size_t n_queries;           /* asked in a round */
    const mni_ann *ann;
    mni_scratch *scratch;
    faiss_side *faiss;
    uint32_t nprobe;
    int64_t ours[QUERIES * K], theirs[QUERIES * K], truth[QUERIES * K];
} job;

static void ask_ours(void *ctx)
{
    job *j = ctx;
    const mni_ann_params p = { .k = K, .nprobe = j->nprobe };
    for (size_t q = 0; q < j->n_queries; q++) {
        mni_near near[K];
        size_t n = 0;
        mni_ann_search(j->ann, &j->rows, j->queries + q * j->rows.dim, &p, j->scratch,
                       near, &n, NULL);
        for (size_t i = 0; i < K; i++)
            j->ours[q * K + i] = i < n ? (int64_t)near[i].row : -1;
    }
}

static void ask_theirs(void *ctx)
{
    job *j = ctx;
    for (size_t q = 0; q < j->n_queries; q++)
        faiss_side_ask(j->faiss, j->nprobe, 1, j->queries + q * j->rows.dim, K,
                       j->theirs + q * K);
}

static void batch_ours(void *ctx)
{
    job *j = ctx;
    static mni_near near[QUERIES * K];
    static size_t found[QUERIES];
    const mni_ann_params p = { .k = K };
    mni_ann_search_batch(j->ann, &j->rows, j->queries, j->n_queries, &p, NULL, near,
                         found, NULL);
    for (size_t i = 0; i < j->n_queries * K; i++) j->ours[i] = near[i].row;
}

static void batch_theirs(void *ctx)
{
    job *j = ctx;
    faiss_side_ask(j->faiss, 1, j->n_queries, j->queries, K, j->theirs);
}

static double recall(const job *j, const int64_t *found)
{
    size_t hits = 0;
    for (size_t q = 0; q < j->n_queries; q++)
        for (size_t i = 0; i < K; i++)
            for (size_t t = 0; t < K; t++)
                hits += found[q * K + i] == j->truth[q * K + t];
    return (double)hits / (double)(j->n_queries * K);
}

static void measure(job *j, const char *what, void (*ours)(void *),
                    void (*theirs)(void *))
{
    rounds r;
    char line[200];
    rounds_run(&r, ours, theirs, j);
    snprintf(line, sizeof line, "%s recall=%.4f", what, recall(j, j->ours));
    rounds_line("metricann", line, r.ours, 1, (double)j->n_queries, "q/s",
                r.ratio[ROUNDS / 2]);
    snprintf(line, sizeof line, "%s recall=%.4f", what, recall(j, j->theirs));
    rounds_line("faiss", line, r.theirs, 1, (double)j->n_queries, "q/s", 1.0);
}

static mni_ann *build(const job *j, const char *spec)
{
    mni_ann *ann;
    mann_error e;
    mni_ann_fact facts[MNI_ANN_FACTS];
    const mni_ann_job made = { .rows = &j->rows, .seed = 1 };
    const double start = mni_clock_seconds();
    if (mni_ann_build(&ann, spec, &made, &e) != MANN_OK) {
        fprintf(stderr, "faiss_lists: %s\n", e.text);
        exit(1);
    }
    fprintf(stderr, "%s: built in %.2f s", spec, mni_clock_seconds() - start);
    const size_t n = mni_ann_report(ann, &j->rows, facts);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, ", %s %.4g", facts[i].name, facts[i].value);
    fprintf(stderr, "\n");
    return ann;
}

static void each_nprobe(job *j, const char *spec)
{
    static const uint32_t probes[PROBES] = { 2, 4, 8, 16, 32 };
    char what[120];
    for (int i = 0; i < PROBES; i++) {
        j->nprobe = probes[i];
        snprintf(what, sizeof what, "%s n=%u dim=%u nprobe=%u", spec, (unsigned)j->rows.n,
                 (unsigned)j->rows.dim, (unsigned)probes[i]);
        measure(j, what, ask_ours, ask_theirs);
    }
}

static void find_truth(job *j)
{
    mni_ann *ann = build(j, "Flat");
    j->ann = ann;
    j->n_queries = QUERIES;
    batch_ours(j);              /* Flat's own tests hold it against double arithmetic */
    memcpy(j->truth, j->ours, sizeof j->truth);
    mni_ann_free(ann);
}

static void flat(job *j)
{
    char what[120];
    mni_ann *ann = build(j, "Flat"), *sq8 = build(j, "SQ8");
    j->faiss = faiss_side_flat(j->rows.dim, j->rows.n, j->rows.data);
    j->ann = ann;
    j->n_queries = QUERIES;
    snprintf(what, sizeof what, "Flat n=%u dim=%u batch=%d", (unsigned)j->rows.n,
             (unsigned)j->rows.dim, QUERIES);
    measure(j, what, batch_ours, batch_theirs);
    j->n_queries = 8;
    snprintf(what, sizeof what, "Flat n=%u dim=%u single", (unsigned)j->rows.n,
             (unsigned)j->rows.dim);
    measure(j, what, ask_ours, ask_theirs);
    j->ann = sq8;
    snprintf(what, sizeof what, "SQ8 n=%u dim=%u single", (unsigned)j->rows.n,
             (unsigned)j->rows.dim);
    measure(j, what, ask_ours, ask_theirs);
    faiss_side_free(j->faiss);
    mni_ann_free(ann);
    mni_ann_free(sq8);
}

static void lists(job *j, const char *n_lists, const char *pieces)
{
    char spec[64];
    j->n_queries = ASKED;
    snprintf(spec, sizeof spec, "IVF%s,Flat", n_lists);
    mni_ann *ann = build(j, spec);
    const mni_ivf *v = mni_ivf_const(ann);
    j->ann = ann;
    j->faiss = faiss_side_ivf(j->rows.dim, j->rows.n, j->rows.data, v->n_lists,
                              v->centre);
    each_nprobe(j, spec);
    faiss_side_free(j->faiss);
    if (pieces) {
        snprintf(spec, sizeof spec, "IVF%s,PQ%sx4fs,RFlat", n_lists, pieces);
        mni_ann *pq = build(j, spec);
        j->ann = pq;
        j->faiss = faiss_side_fast(j->rows.dim, j->rows.n, j->rows.data, v->n_lists,
                                   v->centre, (size_t)atoi(pieces), 10);
        if (j->faiss) each_nprobe(j, spec);
        faiss_side_free(j->faiss);
        mni_ann_free(pq);
    }
    mni_ann_free(ann);
}

int main(int argc, char **argv)
{
    mann_vectors *base = NULL, *query = NULL;
    mann_error e = { 0 };
    static job j;
    if (argc < 4 || mann_vectors_read(&base, argv[1], &e) != MANN_OK ||
        mann_vectors_read(&query, argv[2], &e) != MANN_OK) {
        fprintf(stderr, "usage: faiss_lists BASE QUERY LISTS [PIECES]  %s\n", e.text);
        return 2;
    }
    const mann_matrix b = mann_vectors_matrix(base), q = mann_vectors_matrix(query);
    if (b.cols != q.cols || q.rows < QUERIES) return 2;
    j.rows = (mni_rows){ .data = b.data, .n = (uint32_t)b.rows, .dim = (uint32_t)b.cols,
                         .dtype = MNI_F32, .metric = MANN_L2 };
    j.queries = q.data;
    if (mni_scratch_new(&j.scratch, NULL) != MANN_OK) return 1;
    find_truth(&j);
    if (strcmp(argv[3], "0") == 0) flat(&j);
    else lists(&j, argv[3], argc > 4 ? argv[4] : NULL);
    mni_scratch_free(j.scratch);
    mann_vectors_free(base);
    mann_vectors_free(query);
    return 0;
}
