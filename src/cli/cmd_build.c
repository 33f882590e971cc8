/* cmd_build.c - gallery, vectors or photos -> gallery with an index.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/gallery_new.h"
#include "cli/inputs.h"
#include "os/vfs.h"

/* --type hnsw --M 32 is another spelling of --index HNSW32. */
static int index_spec(mni_cli *c, mni_text *spec)
{
    const mni_options *o = &c->options;
    const char *type = mni_opt_text(o, MNI_OPT_TYPE);
    const char *nlist = mni_opt_text(o, MNI_OPT_NLIST);
    if (type && mni_opt_given(o, MNI_OPT_INDEX))
        return mni_cli_usage(c,
                             "--type and --index say the same thing: give one of them");
    if (!type && mni_opt_given(o, MNI_OPT_M)) type = "hnsw";
    if (!type && nlist) type = mni_opt_given(o, MNI_OPT_PQ_M) ? "ivfpq" : "ivf";
    if (!type || mni_opt_given(o, MNI_OPT_INDEX)) {
        mni_text_add(spec, mni_opt_text(o, MNI_OPT_INDEX));
    } else if (strcmp(type, "flat") == 0) {
        mni_text_add(spec, "Flat");
    } else if (strcmp(type, "hnsw") == 0) {
        mni_text_f(spec, "HNSW%u", (unsigned)mni_opt_u32(o, MNI_OPT_M));
    } else {
        mni_text_add(spec, "IVF");
        if (nlist) mni_text_f(spec, nlist[0] == 'n' ? "(%s)" : "%s", nlist);
        if (strcmp(type, "ivfpq") == 0)
            mni_text_f(spec, ",PQ%u", (unsigned)mni_opt_u32(o, MNI_OPT_PQ_M));
        else mni_text_add(spec, ",Flat");
    }
    if (mni_opt_given(o, MNI_OPT_EF_CONSTRUCTION) &&
        (mni_text_get(spec)[0] | 32) == 'h')
        mni_text_f(spec, ",efc%u", (unsigned)mni_opt_u32(o, MNI_OPT_EF_CONSTRUCTION));
    return MNI_EXIT_OK;
}

static void report(mni_cli *c, const char *path, const mann_gallery_info *info)
{
    char size[24];
    mni_format_bytes(size, sizeof size, info->file_bytes);
    if (!mni_cli_json(c)) {
        if (mni_cli_quiet(c)) return;
        mni_out_name(&c->out, path);
        mni_text_f(&c->out,
                   ": %llu row%s of %u numbers, %u class%s, metric %s, index %s, %s\n",
                   (unsigned long long)info->n_rows, mni_s(info->n_rows), info->dim,
                   info->n_classes, mni_es(info->n_classes),
                   mni_metric_name(info->metric), info->index, size);
        return;
    }
    mni_json j;
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "gallery");
    mni_json_string(&j, path);
    mni_json_key(&j, "rows");
    mni_json_u64(&j, info->n_rows);
    mni_json_key(&j, "dim");
    mni_json_u64(&j, info->dim);
    mni_json_key(&j, "classes");
    mni_json_u64(&j, info->n_classes);
    mni_json_key(&j, "metric");
    mni_json_string(&j, mni_metric_name(info->metric));
    mni_json_key(&j, "index");
    mni_json_string(&j, info->index);
    mni_json_key(&j, "file_bytes");
    mni_json_u64(&j, info->file_bytes);
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
}

/* `to` NULL: in place. Ends by describing what stands on the disk now. Frees g. */
static int build_and_report(mni_cli *c, mann_gallery *g, const char *to, const char *name,
                            const char *spec)
{
    mann_pool *pool;
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_status s = mni_cli_pool(c, &pool);
    mann_gallery_limit(g, mni_opt_u64(&c->options, MNI_OPT_MEM));
    if (s == MANN_OK) s = mann_gallery_build(g, to, spec, pool, &c->hooks, &c->err);
    if (s == MANN_E_UNSUPPORTED) { /* an index kind nobody knows: the user's word, not a
                                      file's */
        mann_gallery_free(g);
        return mni_cli_fail(c, MNI_FROM_USER, s);
    }
    if (s == MANN_OK && to) {
        mann_gallery_free(g);
        g = NULL;
        s = mann_gallery_open(&g, to, MANN_OPEN_READ, &c->err);
    }
    if (s == MANN_OK) s = mann_gallery_describe(g, &info, &c->err);
    mann_gallery_free(g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    report(c, name, &info);
    return MNI_EXIT_OK;
}

static int same_file(const char *a, const char *b)
{
    mni_stat x, y;
    const mni_vfs *v = mni_vfs_posix();
    return v->ops->stat(v, a, &x, NULL) == MANN_OK &&
           v->ops->stat(v, b, &y, NULL) == MANN_OK && x.device == y.device &&
           x.inode == y.inode;
}

static int from_gallery(mni_cli *c, const char *in, const char *out, const char *spec)
{
    const mni_options *o = &c->options;
    if (out && same_file(in, out)) out = NULL;
    if (mni_opt_given(o, MNI_OPT_STORE) || mni_opt_given(o, MNI_OPT_FAR) ||
        mni_opt_given(o, MNI_OPT_METRIC) || mni_opt_given(o, MNI_OPT_PHOTO_VIEWS))
        return mni_cli_usage(c,
                             "%s is a gallery: metric, store, views and false-accept "
                             "rate were chosen by extract",
                             in);
    mann_gallery *g;
    mann_status s = mni_cli_gallery(c, in, out ? MANN_OPEN_READ : MANN_OPEN_WRITE, &g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    return build_and_report(c, g, out, out ? out : in, spec);
}

static void remove_temp(const char *path)
{
    mni_text journal = { 0 };
    const mni_vfs *v = mni_vfs_posix();
    mni_text_f(&journal, "%s-journal", path);
    v->ops->remove(v, path, NULL);
    if (!journal.failed) v->ops->remove(v, mni_text_get(&journal), NULL);
    mni_text_fini(&journal);
}

/* Gathered in a temp gallery, so that the old output stays until the new one is whole. */
static int from_vectors(mni_cli *c, const char *in, const char *out, const char *spec)
{
    mni_rows rows;
    char temp[4096];
    int code = mni_rows_read(c, in, &rows);
    if (code != MNI_EXIT_OK) return code;
    mann_gallery_config config;
    mann_gallery *g = NULL;
    mni_gallery_config(c, &config);
    config.dim = (uint32_t)rows.m.cols;
    if (!mni_opt_text(&c->options, MNI_OPT_METRIC)) config.metric = MANN_L2;
    mann_status s = mni_temp_name(out, temp, sizeof temp, &c->err);
    if (s == MANN_OK) s = mann_gallery_create(&g, temp, &config, &c->err);
    if (s != MANN_OK) {
        mni_rows_fini(&rows);
        return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    s = mni_rows_add(c, g, &rows, NULL);
    mni_rows_fini(&rows);
    if (s == MANN_OK) {
        code = build_and_report(c, g, out, out, spec);
    } else {
        mann_gallery_free(g);
        code = mni_cli_fail(c, s == MANN_E_ARG ? MNI_FROM_INPUT : MNI_FROM_OUTPUT, s);
    }
    remove_temp(temp);
    return code;
}

static int from_photos(mni_cli *c, const char *in, const char *out, const char *spec)
{
    mann_gallery *g;
    mann_add_report added = { .struct_size = sizeof added };
    if (!mni_opt_text(&c->options, MNI_OPT_MODEL))
        return mni_cli_usage(c,
                             "%s holds photos; 'metricann extract %s --model MODEL -o "
                             "vectors.mann' turns them "
                             "into vectors, or give --model here",
                             in, in);
    int code = mni_gallery_from_photos(c, in, out, &g, &added);
    return code == MNI_EXIT_OK ? build_and_report(c, g, NULL, out, spec) : code;
}

static int holds_vectors(mni_cli *c, const char *dir, int *answer)
{
    mni_inputs list = { 0 };
    mann_status s = mni_inputs_add(&list, dir, mni_is_vector_file, &c->err);
    *answer = list.n > 0;
    mni_inputs_fini(&list);
    return s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
}

int mni_cmd_build(mni_cli *c)
{
    const char *in = c->options.files[0],
               *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    mni_text spec = { 0 };
    mni_stat st;
    int vectors = 0, code = index_spec(c, &spec);
    mann_status s = mni_vfs_posix()->ops->stat(mni_vfs_posix(), in, &st, &c->err);
    if (code == MNI_EXIT_OK && s != MANN_OK) code = mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (code == MNI_EXIT_OK && st.kind == MNI_IS_DIR)
        code = holds_vectors(c, in, &vectors);
    if (code == MNI_EXIT_OK) {
        int packed = st.kind == MNI_IS_FILE && mni_is_packed_set(in);
        int gallery = st.kind == MNI_IS_FILE && mni_is_container(in) && !packed;
        if (!gallery && !out) code = mni_cli_usage(c, "where to? -o GALLERY is missing");
        else if (gallery) code = from_gallery(c, in, out, mni_text_get(&spec));
        else if (vectors || mni_is_vector_file(in))
            code = from_vectors(c, in, out, mni_text_get(&spec));
        else if (mni_text_ends(in, ".mann") && !packed)
            code = from_gallery(c, in, out, mni_text_get(&spec));
        else code = from_photos(c, in, out, mni_text_get(&spec));
    }
    mni_text_fini(&spec);
    return code;
}
