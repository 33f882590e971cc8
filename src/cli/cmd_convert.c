/* cmd_convert.c - vectors from one file format to another, or out of a gallery; models to
 * smaller ones.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/paths.h"
#include "os/vfs.h"

typedef struct taken {          /* out of a gallery */
    float *data;
    uint64_t *ids;
    size_t n, cap_data, cap_ids, dim;
    mni_text labels, keys;
    int want_labels, failed;
} taken;

static int take(void *user, const mann_record *r)
{
    taken *t = user;
    if (!mni_grow((void **)&t->data, &t->cap_data, (t->n + 1) * t->dim,
                  sizeof *t->data) ||
        !mni_grow((void **)&t->ids, &t->cap_ids, t->n + 1, sizeof *t->ids))
        return t->failed = 1;
    memcpy(t->data + t->n * t->dim, r->vector, t->dim * sizeof *t->data);
    t->ids[t->n++] = r->id;
    mni_text_add(&t->keys, r->key);
    mni_text_char(&t->keys, '\n');
    if (!t->want_labels) return 0;
    mni_text_f(&t->labels, "%llu\t", (unsigned long long)r->id);
    mni_tsv_field(&t->labels, r->class_name);
    mni_text_char(&t->labels, '\t');
    mni_tsv_field(&t->labels, r->source);
    mni_text_char(&t->labels, '\n');
    return 0;
}

static int report(mni_cli *c, const char *out, size_t rows, size_t cols)
{
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "output");
        mni_json_string(&j, out);
        mni_json_key(&j, "rows");
        mni_json_u64(&j, rows);
        mni_json_key(&j, "dim");
        mni_json_u64(&j, cols);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, out);
        mni_text_f(&c->out, ": %zu rows of %zu numbers\n", rows, cols);
    }
    return MNI_EXIT_OK;
}

static int from_gallery(mni_cli *c, const char *in, const char *out)
{
    const char *ids = mni_opt_text(&c->options, MNI_OPT_IDS),
               *labels = mni_opt_text(&c->options, MNI_OPT_LABELS);
    mann_gallery *g;
    mann_gallery_info info = { .struct_size = sizeof info };
    taken t = { .want_labels = labels != NULL };
    mann_status s = mni_cli_gallery(c, in, MANN_OPEN_READ, &g);
    if (s == MANN_OK) s = mann_gallery_describe(g, &info, &c->err);
    t.dim = info.dim;
    if (s == MANN_OK) s = mann_gallery_each(g, take, &t, &c->err);
    if (s == MANN_OK && (t.failed || t.labels.failed || t.keys.failed))
        s = mni_fail(&c->err, MANN_E_NOMEM, "%s: all vectors", in);
    mann_gallery_free(g);
    int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (code == MNI_EXIT_OK) {
        s = mann_vectors_write(out, (mann_matrix){ t.data, t.n, t.dim, 0 }, &c->err);
        if (s == MANN_OK && ids)
            s = mni_is_vector_file(ids)
                    ? mann_ids_write(ids, t.ids, t.n, 1, &c->err)
                    : mni_replace_file(mni_vfs_posix(), ids, mni_text_get(&t.keys),
                                       t.keys.n_chars, &c->err);
        if (s == MANN_OK && labels)
            s = mni_replace_file(mni_vfs_posix(), labels, mni_text_get(&t.labels),
                                 t.labels.n_chars, &c->err);
        code = s == MANN_OK ? report(c, out, t.n, t.dim)
                            : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    mni_free(t.data);
    mni_free(t.ids);
    mni_text_fini(&t.labels);
    mni_text_fini(&t.keys);
    return code;
}

static int from_file(mni_cli *c, const char *in, const char *out)
{
    mann_vectors *v;
    if (mni_opt_text(&c->options, MNI_OPT_IDS) ||
        mni_opt_text(&c->options, MNI_OPT_LABELS))
        return mni_cli_usage(
            c, "--ids and --labels come out of galleries; %s is a file of vectors", in);
    mann_status s = mann_vectors_read(&v, in, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    mann_matrix m = mann_vectors_matrix(v);
    mni_from where = MNI_FROM_OUTPUT;
    if (mni_opt_flag(&c->options, MNI_OPT_INTEGERS)) {
        uint64_t *ids;
        size_t n;
        s = mni_cli_ids(c, in, &ids, &n);
        if (s == MANN_OK) s = mann_ids_write(out, ids, m.rows, m.cols, &c->err);
        else where = MNI_FROM_INPUT;
        mni_free(ids);
    } else {
        s = mann_vectors_write(out, m, &c->err);
    }
    int code = s == MANN_OK ? report(c, out, m.rows, m.cols) : mni_cli_fail(c, where, s);
    mann_vectors_free(v);
    return code;
}

/* A model again, its weights as f32 or f16, and what it is to compute with. */
static int from_model(mni_cli *c, const char *in, const char *out)
{
    mann_model *m;
    mann_model_info info = { .struct_size = sizeof info };
    mni_stat st;
    const int half = mni_opt_text(&c->options, MNI_OPT_STORE)[1] == '1';
    if (mni_opt_text(&c->options, MNI_OPT_STORE)[0] == 'i')
        return mni_cli_usage(c, "weights are kept as f32 or f16; --precision int8 makes "
                                "a model that answers in int8");
    mann_status s = mni_cli_model(c, in, &m);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = mann_model_store_as(m, half ? MANN_STORE_F16 : MANN_STORE_F32, &c->err);
    if (s == MANN_OK) s = mann_model_save(m, out, &c->err);
    if (s == MANN_OK) s = mann_model_describe(m, &info, &c->err);
    mann_model_free(m);
    if (s == MANN_OK) s = mni_vfs_posix()->ops->stat(mni_vfs_posix(), out, &st, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    if (mni_cli_quiet(c) || mni_cli_json(c)) return MNI_EXIT_OK;
    char size[24];
    mni_format_bytes(size, sizeof size, st.n_bytes);
    mni_out_name(&c->out, out);
    mni_text_f(&c->out, ": model with %s weights, %s%s%s\n", half ? "f16" : "f32", size,
               info.precision == MANN_PRECISION_F32 ? "" : ", answers in ",
               info.precision == MANN_PRECISION_F32 ? ""
                                                    : mni_precision_word(info.precision));
    return MNI_EXIT_OK;
}

int mni_cmd_convert(mni_cli *c)
{
    const char *in = c->options.files[0],
               *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    if (!out) return mni_cli_usage(c, "where to? -o FILE is missing");
    if (mni_text_ends(out, ".mann")) return from_model(c, in, out);
    if (!mni_is_vector_file(out))
        return mni_cli_usage(c,
                             "-o: '%s', wanted a name in .npy .fvecs .bvecs .ivecs .fbin "
                             ".u8bin .i8bin .ibin (or .mann, for a model)",
                             out);
    return mni_is_container(in) ? from_gallery(c, in, out) : from_file(c, in, out);
}
