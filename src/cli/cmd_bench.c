/* cmd_bench.c - bench ann: how fast, how large and how right each kind of index is on
 * this machine, on any base, queries and truth, or on vectors made here.
 *
 * Row zero is what everybody writes first: a loop over the rows and a list of the best.
 * A speed without its recall says nothing, so both stand in every line; recall is counted
 * against the truth that was given, or against the row loop.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "os/clock.h"
#include "os/vfs.h"

enum { MADE_ROWS = 9292, MADE_DIM = 2048, MADE_QUERIES = 20, MADE_GROUPS = 1000 };

typedef struct bench {
    mni_cli *c;
    mann_vectors *base_file, *query_file, *truth_file;
    float *made;                /* base and queries, when no files were given */
    mann_matrix base, queries;
    uint32_t k, metric;
    uint64_t *truth;            /* queries x k */
    mni_json json;
} bench;

/* --- data --------------------------------------------------------------------------- */

/* Groups of alike vectors, as embeddings of classes are: a centre and half as much noise;
 * the queries are further members of the same groups. */
static mann_status make_data(bench *b, mann_error *err)
{
    const size_t n = MADE_ROWS + MADE_QUERIES;
    b->made = mni_alloc(n * MADE_DIM, sizeof *b->made);
    if (!b->made) return mni_fail(err, MANN_E_NOMEM, "bench: %zu vectors", n);
    for (size_t i = 0; i < n; i++) {
        mni_rng own = mni_rng_at(1, MNI_FOR_TEST, 1, 0, i);
        mni_rng group = mni_rng_at(1, MNI_FOR_TEST, 2, 0, i * 7919 % MADE_GROUPS);
        for (size_t d = 0; d < MADE_DIM; d++)
            b->made[i * MADE_DIM + d] = mni_rng_normal(&group) +
                                        0.7f * mni_rng_normal(&own);
    }
    b->base = (mann_matrix){ b->made, MADE_ROWS, MADE_DIM, MADE_DIM };
    b->queries = (mann_matrix){ b->made + (size_t)MADE_ROWS * MADE_DIM, MADE_QUERIES,
                                MADE_DIM, MADE_DIM };
    return MANN_OK;
}

static mann_status read_data(bench *b, const char *base, const char *queries,
                             mann_error *err)
{
    MNI_TRY(mann_vectors_read(&b->base_file, base, err));
    MNI_TRY(mann_vectors_read(&b->query_file, queries, err));
    b->base = mann_vectors_matrix(b->base_file);
    b->queries = mann_vectors_matrix(b->query_file);
    if (!b->base.stride) b->base.stride = b->base.cols;
    if (!b->queries.stride) b->queries.stride = b->queries.cols;
    if (b->base.cols == b->queries.cols && b->base.rows && b->queries.rows)
        return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH, "%s: %zu x %zu, %s: %zu x %zu", base,
                    b->base.rows, b->base.cols, queries, b->queries.rows,
                    b->queries.cols);
}

/* The first k columns of a truth file, whose numbers are rows of the base. */
static mann_status read_truth(bench *b, const char *path, mann_error *err)
{
    MNI_TRY(mann_vectors_read(&b->truth_file, path, err));
    const mann_matrix m = mann_vectors_matrix(b->truth_file);
    const size_t stride = m.stride ? m.stride : m.cols;
    if (m.rows < b->queries.rows || m.cols < b->k)
        return mni_fail(err, MANN_E_MISMATCH, "%s: %zu x %zu neighbours, wanted %zu x %u",
                        path, m.rows, m.cols, b->queries.rows, (unsigned)b->k);
    for (size_t q = 0; q < b->queries.rows; q++)
        for (uint32_t i = 0; i < b->k; i++) {
            const float row = m.data[q * stride + i];
            if (!(row >= 0 && row < (float)b->base.rows))
                return mni_fail(err, MANN_E_MISMATCH,
                                "%s: query %zu has neighbour %.0f, the base has %zu "
                                "rows: a truth of another base",
                                path, q, (double)row, b->base.rows);
            b->truth[q * b->k + i] = (uint64_t)row;
        }
    return MANN_OK;
}

/* --- row zero ----------------------------------------------------------------------- */

/* Plain C as one writes it: no vector instructions asked for, no blocks, no heap. */
static float plain_distance(const float *a, const float *b, size_t n, uint32_t metric)
{
    float sum = 0;
    if (metric == MANN_L2)
        for (size_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    else
        for (size_t i = 0; i < n; i++) sum -= a[i] * b[i];
    return sum;
}

static void plain_query(const bench *b, const float *query, uint64_t *ids, float *best)
{
    uint32_t n = 0;
    for (size_t row = 0; row < b->base.rows; row++) {
        const float d = plain_distance(query, b->base.data + row * b->base.stride,
                                       b->base.cols, b->metric);
        uint32_t at = n;
        if (n == b->k && !(d < best[n - 1])) continue;
        if (n < b->k) n++;
        else at = n - 1;
        for (; at > 0 && best[at - 1] > d; at--) {
            best[at] = best[at - 1];
            ids[at] = ids[at - 1];
        }
        best[at] = d;
        ids[at] = row;
    }
}

/* --- lines -------------------------------------------------------------------------- */

typedef struct line {
    const char *name;
    double build_ms, query_ms, recall;
    uint64_t bytes;             /* beside the vectors, in the file */
} line;

static void tell(bench *b, const line *l)
{
    if (mni_cli_json(b->c)) {
        mni_json *j = &b->json;
        mni_json_object(j);
        mni_json_key(j, "index");
        mni_json_string(j, l->name);
        mni_json_key(j, "build_ms");
        mni_json_real(j, l->build_ms, 4);
        mni_json_key(j, "bytes");
        mni_json_u64(j, l->bytes);
        mni_json_key(j, "query_ms");
        mni_json_real(j, l->query_ms, 4);
        mni_json_key(j, "recall");
        mni_json_real(j, l->recall, 4);
        mni_json_end(j);
        return;
    }
    mni_out_padded(&b->c->out, l->name, 26);
    mni_text_f(&b->c->out, "%12.1f  %12llu  %10.4f  %8.4f\n", l->build_ms,
               (unsigned long long)l->bytes, l->query_ms, l->recall);
    mni_out_flush(b->c);
}

static double recall_of(const bench *b, const uint64_t *ids)
{
    size_t right = 0;
    for (size_t q = 0; q < b->queries.rows; q++)
        for (uint32_t i = 0; i < b->k; i++)
            for (uint32_t j = 0; j < b->k; j++)
                right += ids[q * b->k + i] == b->truth[q * b->k + j];
    return (double)right / (double)(b->queries.rows * b->k);
}

/* The shortest of three rounds: what disturbs a measurement only ever makes it longer. */
enum { ROUNDS = 3 };

static void bench_loop(bench *b, int has_truth, uint64_t *ids, float *distances)
{
    line l = { .name = "row loop" };
    double start = mni_clock_seconds();
    for (size_t q = 0; q < b->queries.rows; q++)
        plain_query(b, b->queries.data + q * b->queries.stride, ids + q * b->k,
                    distances);
    l.query_ms = (mni_clock_seconds() - start) * 1e3 / (double)b->queries.rows;
    if (!has_truth) memcpy(b->truth, ids, b->queries.rows * b->k * sizeof *ids);
    l.recall = recall_of(b, ids);
    tell(b, &l);
}

static mann_status file_bytes(const mann_index *ix, uint64_t *bytes, mann_error *err)
{
    char path[4096];
    mni_stat st;
    const mni_vfs *v = mni_vfs_posix();
    MNI_TRY(mni_temp_name("metricann-bench", path, sizeof path, err));
    MNI_TRY(mann_index_save(ix, path, err));
    mann_status s = v->ops->stat(v, path, &st, err);
    v->ops->remove(v, path, NULL);
    if (s == MANN_OK) *bytes = st.n_bytes;
    return s;
}

static mann_status build(bench *b, const char *spec, mann_index **ix, mann_error *err)
{
    mann_builder *builder;
    mann_pool *pool;
    MNI_TRY(mni_cli_pool(b->c, &pool));
    MNI_TRY(mann_builder_new(&builder, spec, (mann_metric)b->metric,
                             (uint32_t)b->base.cols, 1, err));
    mann_builder_limit(builder, mni_opt_u64(&b->c->options, MNI_OPT_MEM));
    mann_status s = mann_builder_add(builder, NULL, b->base, pool, err);
    if (s == MANN_OK)
        s = mann_builder_finish(&builder, ix, pool, &b->c->hooks, err);
    mann_builder_free(builder);
    return s;
}

static mann_status bench_kind(bench *b, const char *spec, uint64_t *ids, float *distances,
                              mann_error *err)
{
    mann_index *ix;
    mann_search how;
    mann_search_fill(&how, sizeof how, b->k);
    how.ef = mni_opt_u32(&b->c->options, MNI_OPT_EF);
    how.nprobe = mni_opt_u32(&b->c->options, MNI_OPT_NPROBE);
    double start = mni_clock_seconds();
    MNI_TRY(build(b, spec, &ix, err));
    line l = { .name = spec, .build_ms = (mni_clock_seconds() - start) * 1e3 };
    mann_status s = MANN_OK;
    for (int round = 0; round < ROUNDS && s == MANN_OK; round++) {
        start = mni_clock_seconds();
        for (size_t q = 0; q < b->queries.rows && s == MANN_OK; q++)
            s = mann_index_query(ix, (mann_matrix){ b->queries.data +
                                                        q * b->queries.stride,
                                                    1, b->queries.cols, 0 },
                                 &how, NULL, ids + q * b->k, distances, err);
        const double ms = (mni_clock_seconds() - start) * 1e3 / (double)b->queries.rows;
        if (round == 0 || ms < l.query_ms) l.query_ms = ms;
    }
    uint64_t whole = 0;
    if (s == MANN_OK) s = file_bytes(ix, &whole, err);
    const uint64_t rows = (uint64_t)b->base.rows * b->base.cols * sizeof(float);
    l.bytes = whole > rows ? whole - rows : 0;
    l.recall = recall_of(b, ids);
    mann_index_free(ix);
    if (s == MANN_OK) tell(b, &l);
    return s;
}

/* --- the command -------------------------------------------------------------------- */

static mann_status take_options(bench *b)
{
    const mni_options *o = &b->c->options;
    mann_error *err = &b->c->err;
    const char *base = mni_opt_text(o, MNI_OPT_BASE),
               *queries = mni_opt_text(o, MNI_OPT_VECTORS),
               *metric = mni_opt_text(o, MNI_OPT_METRIC);
    b->metric = !metric || metric[0] == 'l' ? MANN_L2
                : metric[0] == 'c'          ? MANN_COSINE
                                            : MANN_INNER;
    MNI_TRY(base && queries ? read_data(b, base, queries, err) : make_data(b, err));
    if (b->k > b->base.rows) b->k = (uint32_t)b->base.rows;
    b->truth = mni_alloc(b->queries.rows * b->k, sizeof *b->truth);
    return b->truth ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "bench: truth");
}

/* Of the usual kinds those are measured that this program was built with. */
static int is_known(const bench *b, const char *spec)
{
    mann_cost cost = { .struct_size = sizeof cost };
    return mann_plan(spec, b->base.rows, (uint32_t)b->base.cols, MANN_STORE_F32, 0, &cost,
                     NULL) == MANN_OK;
}

static mann_status run_all(bench *b)
{
    static const char *const usual[] = { "Flat", "IVF100,Flat,nprobe=8",
                                         "IVF100,PQ8,nprobe=8", "HNSW16" };
    const mni_options *o = &b->c->options;
    mann_error *err = &b->c->err;
    const char *truth = mni_opt_text(o, MNI_OPT_TRUTH);
    const char *const *named;
    size_t n = mni_opt_list(o, MNI_OPT_INDEX, &named);
    if (n == 0) {
        named = usual;
        n = sizeof usual / sizeof *usual;
    }
    uint64_t *ids = mni_alloc(b->queries.rows * b->k, sizeof *ids);
    float *distances = mni_alloc(b->k, sizeof *distances);
    mann_status s = ids && distances ? MANN_OK
                                     : mni_fail(err, MANN_E_NOMEM, "bench: answers");
    if (s == MANN_OK && truth) s = read_truth(b, truth, err);
    /* the plain loop knows L2 and inner product; cosine needs a truth */
    if (s == MANN_OK && b->metric == MANN_COSINE && !truth)
        s = mni_fail(err, MANN_E_ARG, "bench: --metric cosine needs --truth");
    if (s == MANN_OK && b->metric != MANN_COSINE)
        bench_loop(b, truth != NULL, ids, distances);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        if (named != usual || is_known(b, named[i]))
            s = bench_kind(b, named[i], ids, distances, err);
    mni_free(ids);
    mni_free(distances);
    return s;
}

int mni_cmd_bench(mni_cli *c)
{
    bench b = { .c = c, .k = mni_opt_u32(&c->options, MNI_OPT_K) };
    if (strcmp(c->options.files[0], "ann") != 0)
        return mni_cli_usage(c, "bench what? 'metricann bench ann' is there");
    if (!mni_opt_text(&c->options, MNI_OPT_BASE) !=
        !mni_opt_text(&c->options, MNI_OPT_VECTORS))
        return mni_cli_usage(c, "--base and --queries belong together");
    mann_status s = take_options(&b);
    if (s == MANN_OK && mni_cli_json(c)) {
        mni_out_json(c, &b.json);
        mni_json_array(&b.json);
    } else if (s == MANN_OK) {
        mni_text_f(&c->out, "%zu x %zu, %zu queries, k %u, %s, one thread a query\n",
                   b.base.rows, b.base.cols, b.queries.rows, (unsigned)b.k,
                   mann_simd_name());
        mni_text_f(&c->out, "%-26s%12s  %12s  %10s  %8s\n", "index", "build ms",
                   "bytes beside", "ms a query", "recall");
    }
    if (s == MANN_OK) s = run_all(&b);
    if (s == MANN_OK && mni_cli_json(c)) {
        mni_json_end(&b.json);
        mni_text_char(&c->out, '\n');
    }
    mann_vectors_free(b.base_file);
    mann_vectors_free(b.query_file);
    mann_vectors_free(b.truth_file);
    mni_free(b.made);
    mni_free(b.truth);
    return s == MANN_OK ? MNI_EXIT_OK
                        : mni_cli_fail(c, s == MANN_E_UNSUPPORTED ? MNI_FROM_USER
                                                                  : MNI_FROM_INPUT, s);
}
