/* hnsw.c - the graph beside hnswlib: both build from the same rows in the same order, one
 * thread; then both answer the same queries in turn, one at a time, for a list of ef, and
 * the speed at a recall is read off the two curves. Lines as in rounds.h, with the recall
 * in the workload.
 *
 *     hnsw base.[fb]vecs query.fvecs [--rows N] [--spec HNSW16] [--no-peer] [--fold N]
 *
 * Recall@10 is counted against an exact scan. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "index/ann.h"
#include "os/clock.h"
#include "os/cpu.h"

void *peer_new(size_t dim, size_t rows, size_t m, size_t build_ef, int inner);
void peer_add(void *peer, const float *row, size_t id);
void peer_ef(void *peer, size_t ef);
void peer_ask(void *peer, const float *query, size_t k, uint32_t *out);
void peer_free(void *peer);

enum { K = 10, ROUNDS = 5, MAX_QUERIES = 1000, N_EF = 12 };
static const uint32_t efs[N_EF] = { 10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448 };

typedef struct curve { double recall[N_EF], qps[N_EF]; } curve;

typedef struct job {
    mni_rows rows;
    float *base, *query;
    uint32_t n_queries, *truth;
    mni_ann *ann;
    mni_scratch *scratch;
    void *peer;
    const char *name;
} job;

static void die(const char *what)
{
    fprintf(stderr, "hnsw: %s\n", what);
    exit(2);
}

/* At most `most` vectors of a .fvecs or .bvecs file, as floats. */
static float *read_vecs(const char *path, uint32_t most, uint32_t *n, uint32_t *dim)
{
    FILE *f = fopen(path, "rb");
    int32_t d;
    const int bytes = strstr(path, ".bvecs") != NULL;
    if (!f || fread(&d, 4, 1, f) != 1 || d < 1 || d > 65536) die("cannot read vectors");
    const size_t item = (size_t)d * (bytes ? 1 : 4);
    fseek(f, 0, SEEK_END);
    const size_t all = (size_t)ftell(f) / (item + 4);
    *n = all < most ? (uint32_t)all : most;
    *dim = (uint32_t)d;
    rewind(f);
    float *out = malloc((size_t)*n * (size_t)d * sizeof *out);
    unsigned char *row = malloc(item + 4);
    if (!out || !row) die("no memory");
    for (uint32_t i = 0; i < *n; i++) {
        if (fread(row, item + 4, 1, f) != 1) die("short file");
        for (int32_t j = 0; j < d; j++)
            if (bytes) out[(size_t)i * (size_t)d + (size_t)j] = row[4 + j];
        if (!bytes) memcpy(out + (size_t)i * (size_t)d, row + 4, item);
    }
    free(row);
    fclose(f);
    return out;
}

static void find_truth(job *j)
{
    const mni_ann_job build = { .rows = &j->rows };
    const mni_ann_params p = { .k = K };
    mni_ann *flat;
    mni_near *near = malloc((size_t)j->n_queries * K * sizeof *near);
    size_t *found = malloc(j->n_queries * sizeof *found);
    j->truth = malloc((size_t)j->n_queries * K * sizeof *j->truth);
    if (!near || !found || !j->truth ||
        mni_ann_build(&flat, "Flat", &build, NULL) != MANN_OK ||
        mni_ann_search_batch(flat, &j->rows, j->query, j->n_queries, &p, NULL, near,
                             found, NULL) != MANN_OK)
        die("no truth");
    for (size_t i = 0; i < (size_t)j->n_queries * K; i++) j->truth[i] = near[i].row;
    free(near);
    free(found);
    mni_ann_free(flat);
}

static double hits(const job *j, uint32_t q, const uint32_t *rows)
{
    int n = 0;
    for (int a = 0; a < K; a++)
        for (int b = 0; b < K; b++) n += j->truth[q * K + a] == rows[b];
    return n;
}

/* All queries once; seconds, and the recall. */
static double ask_all(const job *j, int peer, uint32_t ef, double *recall)
{
    const mni_ann_params p = { .k = K, .ef = ef };
    uint32_t(*got)[K] = malloc(j->n_queries * sizeof *got);
    if (peer) peer_ef(j->peer, ef);
    const double start = mni_clock_seconds();
    for (uint32_t q = 0; q < j->n_queries; q++) {
        const float *query = j->query + (size_t)q * j->rows.dim;
        mni_near near[K];
        size_t n = 0;
        if (peer) {
            peer_ask(j->peer, query, K, got[q]);
            continue;
        }
        mni_ann_search(j->ann, &j->rows, query, &p, j->scratch, near, &n, NULL);
        for (size_t i = 0; i < K; i++) got[q][i] = i < n ? near[i].row : UINT32_MAX;
    }
    const double seconds = mni_clock_seconds() - start;
    *recall = 0;
    for (uint32_t q = 0; q < j->n_queries; q++) *recall += hits(j, q, got[q]);
    *recall /= (double)j->n_queries * K;
    free(got);
    return seconds;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void line(const job *j, const char *who, const char *what, double value,
                 const char *unit, double recall)
{
    char cpu[128];
    const char *const commit = getenv("BENCH_COMMIT");
    mni_cpu_name(cpu, sizeof cpu);
    printf("%s,%s,%s,%s n=%u dim=%u,%s,%.5g,%s,%.4f\n", commit ? commit : "", cpu, who,
           j->name, j->rows.n, j->rows.dim, what, value, unit, recall);
    fflush(stdout);
}

static void measure(const job *j, curve *ours, curve *theirs)
{
    for (int e = 0; e < N_EF; e++) {
        double t[2][ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            t[0][r] = ask_all(j, 0, efs[e], &ours->recall[e]);
            if (j->peer) t[1][r] = ask_all(j, 1, efs[e], &theirs->recall[e]);
        }
        for (int i = 0; i < 2; i++) {
            char what[32];
            curve *c = i ? theirs : ours;
            if (i && !j->peer) continue;
            qsort(t[i], ROUNDS, sizeof t[i][0], ascending);
            c->qps[e] = j->n_queries / t[i][ROUNDS / 2];
            snprintf(what, sizeof what, "ask ef=%u", efs[e]);
            line(j, i ? "hnswlib" : "metricann", what, c->qps[e], "q/s", c->recall[e]);
        }
    }
}

/* Between two measured points, straight in recall and in seconds a query. */
static double speed_at(const curve *c, double recall)
{
    for (int e = 0; e < N_EF; e++) {
        if (c->recall[e] < recall) continue;
        if (e == 0) return c->qps[0];
        const double step = c->recall[e] - c->recall[e - 1];
        const double share = (recall - c->recall[e - 1]) / step;
        return 1 / ((1 - share) / c->qps[e - 1] + share / c->qps[e]);
    }
    return 0;
}

static void build_both(job *j, const char *spec, uint32_t first, int with_peer)
{
    mni_rows part = j->rows;
    const mni_ann_job build = { .rows = &part, .seed = 1 };
    mann_error err;
    part.n = first;
    double start = mni_clock_seconds();
    if (mni_ann_build(&j->ann, spec, &build, &err) != MANN_OK) die(err.text);
    line(j, "metricann", "build", mni_clock_seconds() - start, "s", 0);
    mni_ann_fact facts[16];
    const size_t n = mni_ann_report(j->ann, &part, facts);
    for (size_t i = 0; i < n; i++)
        line(j, "metricann", facts[i].name, facts[i].value, "", 0);
    if (!with_peer) return;
    start = mni_clock_seconds();
    j->peer = peer_new(j->rows.dim, j->rows.n, 16, 200, 0);
    for (uint32_t i = 0; i < first; i++)
        peer_add(j->peer, j->base + (size_t)i * j->rows.dim, i);
    line(j, "hnswlib", "build", mni_clock_seconds() - start, "s", 0);
}

/* The last rows come later: folded in by us, inserted by the peer. */
static void fold_both(job *j, uint32_t first)
{
    const mni_ann_job build = { .rows = &j->rows, .seed = 1 };
    uint32_t *from = malloc(j->rows.n * sizeof *from);
    mni_ann *folded;
    mann_error err;
    for (uint32_t i = 0; i < j->rows.n; i++) from[i] = i < first ? i : UINT32_MAX;
    double start = mni_clock_seconds();
    if (mni_ann_fold(&folded, j->ann, &build, from, &err) != MANN_OK) die(err.text);
    line(j, "metricann", "fold", mni_clock_seconds() - start, "s", 0);
    mni_ann_free(j->ann);
    j->ann = folded;
    free(from);
    if (!j->peer) return;
    start = mni_clock_seconds();
    for (uint32_t i = first; i < j->rows.n; i++)
        peer_add(j->peer, j->base + (size_t)i * j->rows.dim, i);
    line(j, "hnswlib", "fold", mni_clock_seconds() - start, "s", 0);
}

int main(int argc, char **argv)
{
    job j = { .name = argc > 1 ? argv[1] : "" };
    uint32_t most = UINT32_MAX, n_fold = 0, dim;
    const char *spec = "HNSW16";
    int with_peer = 1;
    curve ours = { 0 }, theirs = { 0 };
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--no-peer") == 0) with_peer = 0;
        else if (i + 1 == argc) die("an option wants a value");
        else if (strcmp(argv[i], "--rows") == 0) most = (uint32_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--fold") == 0) n_fold = (uint32_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--spec") == 0) spec = argv[++i];
    }
    if (argc < 3) die("base and query vectors are wanted");
    const char *slash = strrchr(argv[1], '/');
    j.name = slash ? slash + 1 : argv[1];
    j.rows = (mni_rows){ .dtype = MNI_F32, .metric = MANN_L2 };
    j.rows.data = j.base = read_vecs(argv[1], most, &j.rows.n, &j.rows.dim);
    j.query = read_vecs(argv[2], MAX_QUERIES, &j.n_queries, &dim);
    if (dim != j.rows.dim || mni_scratch_new(&j.scratch, NULL) != MANN_OK)
        die("dimensions");
    find_truth(&j);
    build_both(&j, spec, j.rows.n - n_fold, with_peer);
    if (n_fold) fold_both(&j, j.rows.n - n_fold);
    measure(&j, &ours, &theirs);
    const double at[] = { .90, .95, .99 };
    for (int i = 0; i < 3; i++) {
        const double a = speed_at(&ours, at[i]), b = speed_at(&theirs, at[i]);
        line(&j, "metricann", "at recall", a, "q/s", at[i]);
        if (with_peer) line(&j, "hnswlib", "at recall", b, "q/s", at[i]);
        if (with_peer && b > 0) line(&j, "metricann", "over hnswlib", a / b, "x", at[i]);
    }
    mann_error err;
    if (mni_ann_check(j.ann, &j.rows, &err) != MANN_OK) die(err.text);
    mni_ann_free(j.ann);
    mni_scratch_free(j.scratch);
    if (j.peer) peer_free(j.peer);
    free(j.base);
    free(j.query);
    free(j.truth);
    return 0;
}
