/* cmd_tune.c - tune: the cheapest ef or nprobe for a stated recall. plan: what an index
 * would cost, before anything starts. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "os/vfs.h"

static int tell_tuned(mni_cli *c, const mann_tuned *t, const char *index, double wanted,
                      uint32_t k)
{
    const int reached = t->recall >= wanted;
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "index");
        mni_json_string(&j, index);
        mni_json_key(&j, "knob");
        mni_json_string(&j, t->value ? t->knob : NULL);
        mni_json_key(&j, "value");
        mni_json_u64(&j, t->value);
        mni_json_key(&j, "recall");
        mni_json_real(&j, t->recall, 6);
        mni_json_key(&j, "k");
        mni_json_u64(&j, k);
        mni_json_key(&j, "reached");
        mni_json_bool(&j, reached);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, c->options.files[0]);
        if (t->value)
            mni_text_f(&c->out, ": %s, %s %u finds %.4f of the %u nearest%s\n", index,
                       t->knob, (unsigned)t->value, t->recall, (unsigned)k,
                       reached ? "" : " and no more was to be had");
        else mni_text_f(&c->out, ": %s is exact, there is nothing to tune\n", index);
    }
    return reached ? MNI_EXIT_OK : MNI_EXIT_CHECK;
}

int mni_cmd_tune(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *file = mni_opt_text(o, MNI_OPT_VECTORS);
    const double wanted = mni_opt_float(o, MNI_OPT_RECALL);
    const uint32_t k = mni_opt_u32(o, MNI_OPT_K);
    mann_vectors *queries = NULL;
    mann_gallery *g = NULL;
    mann_pool *pool;
    mann_tuned tuned = { .struct_size = sizeof tuned };
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_matrix m = { NULL, 0, 0, 0 };
    mann_status s = MANN_OK;
    if (file) s = mann_vectors_read(&queries, file, &c->err);
    if (s == MANN_OK && file) m = mann_vectors_matrix(queries);
    if (s == MANN_OK) s = mni_cli_gallery(c, o->files[0], MANN_OPEN_WRITE, &g);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    if (s == MANN_OK) s = mann_gallery_describe(g, &info, &c->err);
    if (s == MANN_OK) s = mann_gallery_tune(g, m, wanted, k, pool, &tuned, &c->err);
    mann_gallery_free(g);
    mann_vectors_free(queries);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    return tell_tuned(c, &tuned, info.index, wanted, k);
}

/* --- plan --------------------------------------------------------------------------- */

typedef struct shape { uint64_t rows; uint32_t dim, store; } shape;

/* Rows and values of a gallery or a file of vectors, or as --count and --dim say. */
static int find_shape(mni_cli *c, shape *s)
{
    const mni_options *o = &c->options;
    const char *file = o->n_files ? o->files[0] : NULL;
    const char *store = mni_opt_text(o, MNI_OPT_STORE);
    *s = (shape){ mni_opt_u64(o, MNI_OPT_COUNT), mni_opt_u32(o, MNI_OPT_DIM),
                  store[0] == 'i'   ? MANN_STORE_INT8
                  : store[1] == '1' ? MANN_STORE_F16
                                    : MANN_STORE_F32 };
    if (!file && s->rows && s->dim) return MNI_EXIT_OK;
    if (!file) return mni_cli_usage(c, "how many? give FILE, or --count N and --dim N");
    mann_status st;
    mni_stat what;
    const mni_vfs *fs = mni_vfs_posix();
    if (fs->ops->stat(fs, file, &what, NULL) == MANN_OK && what.kind == MNI_IS_DIR)
        return mni_cli_usage(c, "%s is a folder: for its photos say how many vectors "
                                "they will be, --count N --dim N, or which network to "
                                "train, --backbone NAME",
                             file);
    uint64_t rows = 0;
    uint32_t dim = 0;
    if (mni_is_container(file)) {
        mann_gallery *g;
        mann_gallery_info info = { .struct_size = sizeof info };
        st = mni_cli_gallery(c, file, MANN_OPEN_READ, &g);
        if (st == MANN_OK) st = mann_gallery_describe(g, &info, &c->err);
        mann_gallery_free(g);
        rows = info.n_rows;
        dim = info.dim;
        if (!mni_opt_given(o, MNI_OPT_STORE)) s->store = info.store;
    } else {
        mann_vectors *v;
        st = mann_vectors_read(&v, file, &c->err);
        if (st == MANN_OK) {
            rows = mann_vectors_matrix(v).rows;
            dim = (uint32_t)mann_vectors_matrix(v).cols;
        }
        mann_vectors_free(v);
    }
    if (st != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, st);
    if (!s->rows) s->rows = rows;       /* --count: as if there were so many */
    s->dim = dim;
    return MNI_EXIT_OK;
}

static void plan_json(mni_cli *c, const shape *s, const mann_cost *p, int fits)
{
    mni_json j;
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "index");
    mni_json_string(&j, p->index);
    mni_json_key(&j, "rows");
    mni_json_u64(&j, s->rows);
    mni_json_key(&j, "dim");
    mni_json_u64(&j, s->dim);
    mni_json_key(&j, "vector_bytes");
    mni_json_u64(&j, p->vector_bytes);
    mni_json_key(&j, "build_bytes");
    mni_json_u64(&j, p->build_bytes);
    mni_json_key(&j, "file_bytes");
    mni_json_u64(&j, p->file_bytes);
    mni_json_key(&j, "build_distances");
    mni_json_real(&j, p->build_distances, 6);
    mni_json_key(&j, "query_distances");
    mni_json_real(&j, p->query_distances, 6);
    mni_json_key(&j, "build_seconds");
    mni_json_real(&j, p->build_seconds, 3);
    mni_json_key(&j, "query_ms");
    mni_json_real(&j, p->query_ms, 3);
    mni_json_key(&j, "fits");
    mni_json_bool(&j, fits);
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
}

static void plan_text(mni_cli *c, const shape *s, const mann_cost *p)
{
    char rows[24], beside[24], file[24], took[24];
    mni_format_bytes(rows, sizeof rows, p->vector_bytes);
    mni_format_bytes(beside, sizeof beside, p->build_bytes);
    mni_format_bytes(file, sizeof file, p->vector_bytes + p->file_bytes);
    mni_format_seconds(took, sizeof took, p->build_seconds);
    mni_text_f(&c->out, "%s over %llu rows of %u numbers\n", p->index,
               (unsigned long long)s->rows, (unsigned)s->dim);
    mni_text_f(&c->out, "  memory    %s of vectors, and %s while building\n", rows,
               beside);
    mni_text_f(&c->out, "  file      %s\n", file);
    mni_text_f(&c->out, "  building  %.3g distances, about %s on one thread\n",
               p->build_distances, took);
    mni_text_f(&c->out, "  a query   %.3g distances, about %.2g ms\n", p->query_distances,
               p->query_ms);
}

int mni_cmd_plan(mni_cli *c)
{
    const mni_options *o = &c->options;
    mann_cost plan = { .struct_size = sizeof plan };
    shape s;
    if (mni_opt_given(o, MNI_OPT_BACKBONE)) return mni_cmd_plan_training(c);
    int code = find_shape(c, &s);
    if (code != MNI_EXIT_OK) return code;
    mann_status st = mann_plan(mni_opt_text(o, MNI_OPT_INDEX), s.rows, s.dim, s.store,
                               mni_opt_u64(o, MNI_OPT_MEM), &plan, &c->err);
    if (st != MANN_OK && st != MANN_E_BUDGET) return mni_cli_fail(c, MNI_FROM_USER, st);
    if (mni_cli_json(c)) plan_json(c, &s, &plan, st == MANN_OK);
    else plan_text(c, &s, &plan);
    return st == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_USER, st);
}
