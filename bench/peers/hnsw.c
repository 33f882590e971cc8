/* hnsw.c - the graph beside hnswlib: both build from the same rows in the same order, one
 * thread; then both answer the same queries, one at a time, for a list of ef, and the
 * speed at a recall is read off the two curves. Lines as in rounds.h, with the recall in
 * the workload.
 *
 *     hnsw base.[fb]vecs query.fvecs [--rows N] [--spec HNSW16] [--no-peer] [--fold N]
 *          [--cosine]           rows of unit length; hnswlib takes inner products
 *          [--keep FILE]        graphs: read from FILE.ours and FILE.peer, or built and
 *                               kept there
 *          [--rounds N]
 *          [--int8]             our rows are kept as one byte a value, and nothing else
 *
 * They take turns every 50 queries, so that both meet the same weather on a machine with
 * other work; the times are those of the processor. Recall@10 is counted against an exact
 * scan. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "index/ann.h"
#include "os/cpu.h"
#include "os/huge.h"
#include "os/vfs.h"

void *peer_new(size_t dim, size_t rows, size_t m, size_t build_ef, int inner);
void peer_add(void *peer, const float *row, size_t id);
void peer_save(void *peer, const char *path);
void *peer_load(size_t dim, size_t rows, const char *path, int inner);
void peer_ef(void *peer, size_t ef);
void peer_ask(void *peer, const float *query, size_t k, uint32_t *out);
void peer_free(void *peer);

enum { K = 10, MAX_ROUNDS = 99, MAX_QUERIES = 1000, TURN = 50, N_EF = 12 };
static const uint32_t efs[N_EF] = { 10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448 };

typedef struct curve { double recall[N_EF], qps[N_EF]; } curve;

typedef struct job {
    mni_rows rows, stored;      /* as read; as our graph has them */
    float *base, *query, *scale;
    void *bytes;
    uint32_t n_queries, *truth;
    mni_ann *ann;
    mni_scratch *scratch;
    void *peer;
    const char *name, *spec, *keep;
    int n_rounds;
} job;

static void die(const char *what)
{
    fprintf(stderr, "hnsw: %s\n", what);
    exit(2);
}

/* Of the processor, not of the wall: on a machine with other work a wall clock measures
 * that as well. Everything here is one thread. */
static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

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
    const size_t out_bytes = (size_t)*n * (size_t)d * sizeof(float);
    float *out = mni_alloc_aligned(out_bytes, 1, 0);
    unsigned char *row = malloc(item + 4);
    if (!out || !row) die("no memory");
    mni_huge_advise(out, out_bytes);    /* as a bare index keeps them */
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

/* Queries [first, n), one after the other, into got; seconds. */
static double ask(const job *j, int peer, uint32_t ef, uint32_t first, uint32_t n,
                  uint32_t (*got)[K])
{
    const mni_ann_params p = { .k = K, .ef = ef };
    const double start = cpu_seconds();
    for (uint32_t q = first; q < n; q++) {
        const float *query = j->query + (size_t)q * j->rows.dim;
        mni_near near[K];
        size_t found = 0;
        if (peer) {
            peer_ask(j->peer, query, K, got[q]);
            continue;
        }
        mni_ann_search(j->ann, &j->stored, query, &p, j->scratch, near, &found, NULL);
        for (size_t i = 0; i < K; i++) got[q][i] = i < found ? near[i].row : UINT32_MAX;
    }
    return cpu_seconds() - start;
}

/* All queries once, in turns; seconds of both, and the recalls. */
static void ask_all(const job *j, uint32_t ef, double seconds[2], double recall[2])
{
    uint32_t(*got)[K] = malloc(2 * (size_t)j->n_queries * sizeof *got);
    if (!got) die("no memory");
    if (j->peer) peer_ef(j->peer, ef);
    seconds[0] = seconds[1] = recall[0] = recall[1] = 0;
    for (uint32_t at = 0; at < j->n_queries; at += TURN) {
        const uint32_t n = j->n_queries - at < TURN ? j->n_queries : at + TURN;
        seconds[0] += ask(j, 0, ef, at, n, got);
        if (j->peer) seconds[1] += ask(j, 1, ef, at, n, got + j->n_queries);
    }
    for (int i = 0; i < (j->peer ? 2 : 1); i++)
        for (uint32_t q = 0; q < j->n_queries; q++)
            recall[i] += hits(j, q, got[(size_t)i * j->n_queries + q]) / K / j->n_queries;
    free(got);
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
    printf("%s,%s,%s,,1,%s n=%u dim=%u %s", commit ? commit : "", cpu, who, j->name,
           j->rows.n, j->rows.dim, what);
    if (recall > 0) printf(" recall=%.4f", recall);
    printf(",,,%.5g,%s,\n", value, unit);
    fflush(stdout);
}

static void measure(const job *j, curve *ours, curve *theirs)
{
    for (int e = 0; e < N_EF; e++) {
        double t[2][MAX_ROUNDS], seconds[2], recall[2];
        ask_all(j, efs[e], seconds, recall);
        for (int r = 0; r < j->n_rounds; r++) {
            ask_all(j, efs[e], seconds, recall);
            t[0][r] = seconds[0];
            t[1][r] = seconds[1];
        }
        for (int i = 0; i < (j->peer ? 2 : 1); i++) {
            char what[32];
            curve *c = i ? theirs : ours;
            qsort(t[i], (size_t)j->n_rounds, sizeof t[i][0], ascending);
            c->qps[e] = j->n_queries / t[i][j->n_rounds / 2];
            c->recall[e] = recall[i];
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

/* Our graph in a file; it is copied from there, since what is mapped has small pages. */
static int open_ours(job *j, const char *path, const mni_rows *part)
{
    mni_reader *r;
    if (mni_reader_open(&r, mni_vfs_posix(), path, 0, NULL) != MANN_OK) return 0;
    if (mni_ann_open(&j->ann, r, part, NULL) != MANN_OK ||
        mni_ann_own(j->ann, NULL) != MANN_OK)
        die("cannot read the kept graph");
    mni_reader_free(r);
    return 1;
}

static void keep_ours(const job *j, const char *path)
{
    mni_writer *w;
    if (mni_writer_new(&w, mni_vfs_posix(), path, MNI_FILE_INDEX, mni_uuid_from(1, 1), 1,
                       NULL) != MANN_OK)
        die("cannot keep the graph");
    mni_ann_write(j->ann, w);
    if (mni_writer_finish(w, NULL) != MANN_OK) die("cannot keep the graph");
}

static void build_ours(job *j, const mni_rows *part)
{
    const mni_ann_job build = { .rows = part, .seed = 1 };
    mann_error err;
    char path[1024] = "";
    if (j->keep) snprintf(path, sizeof path, "%s.ours", j->keep);
    if (!j->keep || !open_ours(j, path, part)) {
        const double start = cpu_seconds();
        if (mni_ann_build(&j->ann, j->spec, &build, &err) != MANN_OK) die(err.text);
        line(j, "metricann", "build", cpu_seconds() - start, "s", 0);
        if (j->keep) keep_ours(j, path);
    }
    mni_ann_fact facts[16];
    const size_t n = mni_ann_report(j->ann, part, facts);
    for (size_t i = 0; i < n; i++)
        line(j, "metricann", facts[i].name, facts[i].value, "", 0);
}

static void build_peer(job *j, uint32_t first)
{
    const int inner = j->rows.metric != MANN_L2;
    char path[1024] = "";
    if (j->keep) snprintf(path, sizeof path, "%s.peer", j->keep);
    FILE *kept = j->keep ? fopen(path, "rb") : NULL;
    if (kept) {
        fclose(kept);
        j->peer = peer_load(j->rows.dim, j->rows.n, path, inner);
        return;
    }
    const double start = cpu_seconds();
    j->peer = peer_new(j->rows.dim, j->rows.n, 16, 200, inner);
    for (uint32_t i = 0; i < first; i++)
        peer_add(j->peer, j->base + (size_t)i * j->rows.dim, i);
    line(j, "hnswlib", "build", cpu_seconds() - start, "s", 0);
    if (j->keep) peer_save(j->peer, path);
}

/* The last rows come later: folded in by us, inserted by the peer. */
static void fold_both(job *j, uint32_t first)
{
    const mni_ann_job build = { .rows = &j->stored, .seed = 1 };
    uint32_t *from = malloc(j->rows.n * sizeof *from);
    mni_ann *folded;
    mann_error err;
    for (uint32_t i = 0; i < j->rows.n; i++) from[i] = i < first ? i : UINT32_MAX;
    double start = cpu_seconds();
    if (mni_ann_fold(&folded, j->ann, &build, from, &err) != MANN_OK) die(err.text);
    line(j, "metricann", "fold", cpu_seconds() - start, "s", 0);
    mni_ann_free(j->ann);
    j->ann = folded;
    free(from);
    if (!j->peer) return;
    start = cpu_seconds();
    for (uint32_t i = first; i < j->rows.n; i++)
        peer_add(j->peer, j->base + (size_t)i * j->rows.dim, i);
    line(j, "hnswlib", "fold", cpu_seconds() - start, "s", 0);
}

static void prepare_all(job *j)
{
    mann_error err;
    for (uint32_t i = 0; i < j->rows.n + j->n_queries; i++) {
        float *row = i < j->rows.n ? j->base + (size_t)i * j->rows.dim
                                   : j->query + (size_t)(i - j->rows.n) * j->rows.dim;
        if (mni_rows_prepare(j->rows.metric, row, j->rows.dim, "row", i, &err) != MANN_OK)
            die(err.text);
    }
}

/* Our rows as a gallery with --store int8 has them. */
static void store_bytes(job *j)
{
    const uint32_t dim = j->rows.dim;
    const size_t n_bytes = (size_t)j->rows.n * dim;
    int8_t *bytes = j->bytes = mni_alloc_aligned(n_bytes, 1, 0);
    j->scale = mni_alloc(j->rows.n, sizeof *j->scale);
    if (!bytes || !j->scale) die("no memory");
    mni_huge_advise(bytes, n_bytes);
    for (uint32_t i = 0; i < j->rows.n; i++)
        mni_rows_encode(MNI_I8, j->base + (size_t)i * dim, dim, bytes + (size_t)i * dim,
                        &j->scale[i]);
    j->stored = (mni_rows){ .data = bytes, .scale = j->scale, .n = j->rows.n, .dim = dim,
                            .dtype = MNI_I8, .metric = j->rows.metric };
}

static void compare(job *j, int with_peer)
{
    const double at[] = { .90, .95, .99 };
    curve ours = { 0 }, theirs = { 0 };
    measure(j, &ours, &theirs);
    for (int i = 0; i < 3; i++) {
        const double a = speed_at(&ours, at[i]), b = speed_at(&theirs, at[i]);
        line(j, "metricann", "at recall", a, "q/s", at[i]);
        if (with_peer) line(j, "hnswlib", "at recall", b, "q/s", at[i]);
        if (with_peer && b > 0) line(j, "metricann", "over hnswlib", a / b, "x", at[i]);
    }
}

int main(int argc, char **argv)
{
    job j = { .name = argc > 1 ? argv[1] : "", .spec = "HNSW16", .n_rounds = 5 };
    uint32_t most = UINT32_MAX, n_fold = 0, dim;
    int with_peer = 1, cosine = 0, int8 = 0;
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--no-peer") == 0) with_peer = 0;
        else if (strcmp(argv[i], "--cosine") == 0) cosine = 1;
        else if (strcmp(argv[i], "--int8") == 0) int8 = 1;
        else if (i + 1 == argc) die("an option wants a value");
        else if (strcmp(argv[i], "--rows") == 0) most = (uint32_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--fold") == 0) n_fold = (uint32_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0) j.n_rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--keep") == 0) j.keep = argv[++i];
        else if (strcmp(argv[i], "--spec") == 0) j.spec = argv[++i];
    }
    if (argc < 3 || j.n_rounds < 1 || j.n_rounds > MAX_ROUNDS)
        die("base and query vectors are wanted, and 1 to 99 rounds");
    const char *slash = strrchr(argv[1], '/');
    j.name = slash ? slash + 1 : argv[1];
    j.rows = (mni_rows){ .dtype = MNI_F32, .metric = cosine ? MANN_COSINE : MANN_L2 };
    j.rows.data = j.base = read_vecs(argv[1], most, &j.rows.n, &j.rows.dim);
    j.query = read_vecs(argv[2], MAX_QUERIES, &j.n_queries, &dim);
    if (dim != j.rows.dim || mni_scratch_new(&j.scratch, NULL) != MANN_OK)
        die("dimensions");
    prepare_all(&j);
    find_truth(&j);
    j.stored = j.rows;
    if (int8) store_bytes(&j);
    mni_rows part = j.stored;
    part.n -= n_fold;
    build_ours(&j, &part);
    if (with_peer) build_peer(&j, part.n);
    if (n_fold) fold_both(&j, part.n);
    compare(&j, with_peer);
    mann_error err;
    if (mni_ann_check(j.ann, &j.stored, &err) != MANN_OK) die(err.text);
    mni_ann_free(j.ann);
    mni_scratch_free(j.scratch);
    if (j.peer) peer_free(j.peer);
    mni_free(j.base);
    mni_free(j.query);
    mni_free(j.bytes);
    mni_free(j.scale);
    free(j.truth);
    return 0;
}
