/* gallery_new.c - see gallery_new.h. SPDX-License-Identifier: MIT */
#include "cli/gallery_new.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cli/inputs.h"
#include "cli/paths.h"
#include "os/vfs.h"

enum { GROUP_ROWS = 16384, LABELS_LIMIT = 1 << 30 };

/* --- galleries from photos ---------------------------------------------------------- */

/* Bit k of MANN_VIEW_* as --views takes it. */
enum { VIEWS = 4 };
static const char *const view_words[VIEWS] = { "flip", "zoom", "corners", "turns" };

static uint32_t view_mask(const mni_options *o)
{
    return mni_opt_mask(o, MNI_OPT_PHOTO_VIEWS, view_words, VIEWS,
                        MANN_VIEW_FLIP | MANN_VIEW_ZOOM | MANN_VIEW_CORNERS);
}

const char *mni_view_words(uint32_t views, char out[MNI_VIEW_WORDS])
{
    size_t n = 0;
    snprintf(out, MNI_VIEW_WORDS, "none");
    for (int k = 0; k < VIEWS; k++)
        if (views & 1u << k)
            n += (size_t)snprintf(out + n, MNI_VIEW_WORDS - n, "%s%s", n ? "," : "",
                                  view_words[k]);
    return out;
}

void mni_gallery_config(const mni_cli *c, mann_gallery_config *config)
{
    const mni_options *o = &c->options;
    const char *metric = mni_opt_text(o, MNI_OPT_METRIC),
               *store = mni_opt_text(o, MNI_OPT_STORE);
    mann_gallery_config_fill(config, sizeof *config);
    config->views = view_mask(o);
    if (metric)
        config->metric = metric[0] == 'c'   ? MANN_COSINE
                         : metric[0] == 'l' ? MANN_L2
                                            : MANN_INNER;
    config->store = store[0] == 'i'   ? MANN_STORE_INT8
                    : store[1] == '1' ? MANN_STORE_F16
                                      : MANN_STORE_F32;
    config->false_accept = (float)mni_opt_float(o, MNI_OPT_FAR);
    config->embed_model = !mni_opt_flag(o, MNI_OPT_NO_MODEL);
    config->seed = mni_opt_u64(o, MNI_OPT_SEED);
    config->no_sync = mni_cli_lazy(c);
}

static mann_status create(mni_cli *c, const char *path, mann_gallery **g)
{
    mann_gallery_config config;
    mann_model *model;
    MNI_TRY(mni_cli_model(c, mni_opt_text(&c->options, MNI_OPT_MODEL), &model));
    mni_gallery_config(c, &config);
    config.model = model;
    if (!mni_opt_text(&c->options, MNI_OPT_METRIC)) config.metric = MANN_COSINE;
    mann_status s = mann_gallery_create(g, path, &config, &c->err);
    mann_model_free(model);
    return s;
}

/* What an existing gallery is made of cannot be chosen again. */
static int check_same_settings(mni_cli *c, const char *path, mann_gallery *g)
{
    const char *metric = mni_opt_text(&c->options, MNI_OPT_METRIC);
    const char *store = mni_opt_text(&c->options, MNI_OPT_STORE);
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_status s = mann_gallery_describe(g, &info, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (metric && strcmp(metric, mni_metric_name(info.metric)) != 0)
        return mni_cli_usage(c,
                             "%s exists with metric %s; --metric %s cannot change that",
                             path, mni_metric_name(info.metric), metric);
    if (mni_opt_given(&c->options, MNI_OPT_STORE) &&
        strcmp(store, mni_store_name(info.store)) != 0)
        return mni_cli_usage(
            c, "%s exists and keeps vectors as %s; --store %s cannot change that", path,
            mni_store_name(info.store), store);
    if (mni_opt_given(&c->options, MNI_OPT_PHOTO_VIEWS) &&
        view_mask(&c->options) != info.views) {
        char is[MNI_VIEW_WORDS], asked[MNI_VIEW_WORDS];
        return mni_cli_usage(c,
                             "%s exists and looks at photos by --views %s; --views %s "
                             "cannot change that", path, mni_view_words(info.views, is),
                             mni_view_words(view_mask(&c->options), asked));
    }
    mni_talk_say(&c->talk, MANN_NOTE_INFO,
                 "%s is there already with %llu records: continuing", path,
                 (unsigned long long)info.n_rows);
    return MNI_EXIT_OK;
}

static int open_or_create(mni_cli *c, const char *path, mann_gallery **g)
{
    mni_stat st;
    mann_status s;
    if (mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, NULL) == MANN_OK) {
        s = mni_cli_gallery(c, path, MANN_OPEN_WRITE, g);
        return s == MANN_OK ? check_same_settings(c, path, *g)
                            : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    const char *model = mni_opt_text(&c->options, MNI_OPT_MODEL);
    if (!model)
        return mni_cli_usage(
            c,
            "which model? --model FILE, or --model pixels for the built-in thumbnails");
    s = create(c, path, g);
    if (s == MANN_OK) return MNI_EXIT_OK;
    int bad_model = !mni_text_same(model, "pixels") && s != MANN_E_IO &&
                    strstr(c->err.text, model);
    return mni_cli_fail(c, bad_model ? MNI_FROM_INPUT : MNI_FROM_OUTPUT, s);
}

int mni_gallery_from_photos(mni_cli *c, const char *dataset, const char *path,
                            mann_gallery **g, mann_add_report *added)
{
    mann_dataset *set;
    mann_pool *pool;
    *g = NULL;
    mann_status s = mann_dataset_open(&set, dataset, &c->hooks, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    int code = open_or_create(c, path, g);
    if (code == MNI_EXIT_OK) {
        s = mni_cli_pool(c, &pool);
        if (s == MANN_OK)
            s = mann_gallery_thumbs(*g, mni_opt_u32(&c->options, MNI_OPT_THUMBS),
                                    &c->err);
        if (s == MANN_OK)
            s = mann_gallery_add_images(*g, set, pool, &c->hooks, added, &c->err);
        mni_talk_added(&c->talk, added);
        if (s == MANN_OK) s = mann_gallery_flush(*g, &c->err);
        if (s != MANN_OK) code = mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    if (code == MNI_EXIT_OK && added->n_added + added->n_present == 0) {
        mni_talk_error(&c->talk, "not one photo could be read");
        code = MNI_EXIT_INPUT;
    }
    mann_dataset_free(set);
    if (code != MNI_EXIT_OK) { mann_gallery_free(*g); *g = NULL; }
    return code;
}

void mni_talk_added(mni_talk *t, const mann_add_report *r)
{
    uint64_t n = r->n_added + r->n_present + r->n_skipped;
    mni_talk_drop(t);           /* decode, embed and write say it finer */
    mni_talk_phase(t, "decode", n, r->decode_seconds);
    mni_talk_phase(t, "embed", r->n_added, r->embed_seconds);
    mni_talk_phase(t, "write", r->n_added, r->write_seconds);
    if (r->n_skipped)
        mni_talk_say(t, MANN_NOTE_WARNING,
                     "%llu of %llu photos could not be read and were skipped",
                     (unsigned long long)r->n_skipped, (unsigned long long)n);
}

void mni_report_added(mni_json *j, const mann_add_report *r)
{
    mni_json_key(j, "added");
    mni_json_u64(j, r->n_added);
    mni_json_key(j, "present");
    mni_json_u64(j, r->n_present);
    mni_json_key(j, "skipped");
    mni_json_u64(j, r->n_skipped);
    mni_json_key(j, "decode_seconds");
    mni_json_number(j, r->decode_seconds);
    mni_json_key(j, "embed_seconds");
    mni_json_number(j, r->embed_seconds);
    mni_json_key(j, "write_seconds");
    mni_json_number(j, r->write_seconds);
}

/* --- vectors ------------------------------------------------------------------------ */

static mann_status push_name(mni_cli *c, char ***list, size_t *n, size_t *cap,
                             const char *name, size_t len)
{
    char *copy = len ? mni_alloc(len + 1, 1) : NULL;
    if ((len && !copy) || !mni_grow((void **)list, cap, *n + 1, sizeof **list)) {
        mni_free(copy);
        return mni_fail(&c->err, MANN_E_NOMEM, "names of %zu rows", *n);
    }
    if (copy) memcpy(copy, name, len);
    (*list)[(*n)++] = copy;
    return MANN_OK;
}

/* One name a line, as many lines as there are rows; an empty line is a row without. */
static mann_status read_lines(mni_cli *c, const char *path, const mni_rows *rows,
                              char ***list, size_t *n_list, size_t *cap)
{
    uint8_t *bytes;
    size_t n;
    MNI_TRY(mni_read_file(mni_vfs_posix(), path, LABELS_LIMIT, &bytes, &n, &c->err));
    mann_status s = MANN_OK;
    for (size_t at = 0; at < n && s == MANN_OK;) {
        const char *line = (const char *)bytes + at;
        const char *end = memchr(line, '\n', n - at);
        size_t len = end ? (size_t)(end - line) : n - at;
        at += len + 1;
        if (len && line[len - 1] == '\r') len--;
        s = push_name(c, list, n_list, cap, line, len);
    }
    mni_free(bytes);
    if (s == MANN_OK && *n_list != rows->m.rows)
        s = mni_fail(&c->err, MANN_E_FORMAT,
                     "%s: %zu lines, wanted one for each of %zu rows", path, *n_list,
                     rows->m.rows);
    return s;
}

static mann_status read_file(mni_cli *c, const char *path, mni_rows *rows)
{
    const char *labels = mni_opt_text(&c->options, MNI_OPT_LABELS),
               *ids = mni_opt_text(&c->options, MNI_OPT_IDS);
    size_t n_ids = 0;
    MNI_TRY(mann_vectors_read(&rows->file, path, &c->err));
    rows->m = mann_vectors_matrix(rows->file);
    if (labels)
        MNI_TRY(read_lines(c, labels, rows, &rows->classes, &rows->n_classes,
                           &rows->cap_classes));
    if (!ids) return MANN_OK;
    if (!mni_is_vector_file(ids))
        return read_lines(c, ids, rows, &rows->keys, &rows->n_keys, &rows->cap_keys);
    MNI_TRY(mni_cli_ids(c, ids, &rows->ids, &n_ids));
    if (n_ids != rows->m.rows)
        return mni_fail(&c->err, MANN_E_FORMAT,
                        "%s: %zu ids, wanted one for each of %zu rows", ids, n_ids,
                        rows->m.rows);
    return MANN_OK;
}

/* The rows of one CLASS/001.npy; `source`: what they were made of. */
static mann_status append(mni_cli *c, mni_rows *rows, const mni_input *in,
                          const char *source)
{
    mann_vectors *v;
    char klass[1024];
    MNI_TRY(mann_vectors_read(&v, in->path, &c->err));
    mann_matrix m = mann_vectors_matrix(v);
    mann_status s = MANN_OK;
    size_t stride = m.stride ? m.stride : m.cols, at = rows->m.rows * rows->m.cols;
    if (rows->m.rows && m.cols != rows->m.cols)
        s = mni_fail(&c->err, MANN_E_FORMAT,
                     "%s: %zu columns, wanted %zu as in the files before", in->path,
                     m.cols, rows->m.cols);
    if (s == MANN_OK && !mni_grow((void **)&rows->data, &rows->cap_data,
                                  at + m.rows * m.cols, sizeof *rows->data))
        s = mni_fail(&c->err, MANN_E_NOMEM, "%s: %zu rows", in->path, m.rows);
    mni_input_class(in->path + in->root, klass, sizeof klass);
    for (size_t i = 0; i < m.rows && s == MANN_OK; i++) {
        memcpy(rows->data + at + i * m.cols, m.data + i * stride,
               m.cols * sizeof *rows->data);
        s = push_name(c, &rows->classes, &rows->n_classes, &rows->cap_classes, klass,
                      strlen(klass));
        if (s == MANN_OK)
            s = push_name(c, &rows->sources, &rows->n_sources, &rows->cap_sources, source,
                          strlen(source));
    }
    rows->m = (mann_matrix){ rows->data, rows->m.rows + m.rows, m.cols, 0 };
    mann_vectors_free(v);
    return s;
}

static mann_status read_tree(mni_cli *c, const char *dir, mni_rows *rows)
{
    mni_inputs list = { 0 };
    mni_paths paths = { 0 };
    mann_status s = mni_inputs_add(&list, dir, mni_is_vector_file, &c->err);
    if (s == MANN_OK && list.n == 0)
        s = mni_fail(&c->err, MANN_E_NOT_FOUND, "%s: not one .npy file in it", dir);
    if (s == MANN_OK) s = mni_paths_read(&paths, dir, &c->err);
    for (size_t i = 0; i < list.n && s == MANN_OK; i++) {
        const char *file = list.items[i].path + list.items[i].root,
                   *source = mni_paths_source(&paths, file);
        s = append(c, rows, &list.items[i], source ? source : file);
        if (s == MANN_OK && mni_talk_step(&c->talk, "read", i + 1, list.n))
            s = MANN_E_CANCELLED;
    }
    mni_paths_fini(&paths);
    mni_inputs_fini(&list);
    return s;
}

int mni_rows_read(mni_cli *c, const char *path, mni_rows *rows)
{
    mni_stat st;
    *rows = (mni_rows){ .ids = NULL };
    mann_status s = mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, &c->err);
    if (s == MANN_OK)
        s = st.kind == MNI_IS_DIR ? read_tree(c, path, rows) : read_file(c, path, rows);
    if (s == MANN_OK) return MNI_EXIT_OK;
    mni_rows_fini(rows);
    return mni_cli_fail(c, MNI_FROM_INPUT, s);
}

void mni_rows_fini(mni_rows *rows)
{
    for (size_t i = 0; i < rows->n_classes; i++) mni_free(rows->classes[i]);
    for (size_t i = 0; i < rows->n_sources; i++) mni_free(rows->sources[i]);
    for (size_t i = 0; i < rows->n_keys; i++) mni_free(rows->keys[i]);
    mni_free(rows->keys);
    mni_free(rows->classes);
    mni_free(rows->sources);
    mni_free(rows->ids);
    mni_free(rows->data);
    mann_vectors_free(rows->file);
    *rows = (mni_rows){ .ids = NULL };
}

/* Rows [at, at + n) under keys of the user's own. */
static mann_status add_keyed(mni_cli *c, mann_gallery *g, const mni_rows *rows, size_t at,
                             size_t n, const char **classes)
{
    const mann_matrix m = rows->m;
    const size_t stride = m.stride ? m.stride : m.cols;
    mann_record *records = mni_alloc(n, sizeof *records);
    if (!records) return mni_fail(&c->err, MANN_E_NOMEM, "a group of rows");
    for (size_t i = 0; i < n; i++) {
        const float *v = m.data + (at + i) * stride;
        records[i] = (mann_record){
            .id = MANN_NO_ID, .class_name = classes[i], .vector = v,
            .content_hash = mni_hash_bytes(v, m.cols * sizeof *v, 1),
            .source = rows->sources ? rows->sources[at + i] : NULL,
            .key = rows->keys[at + i] ? rows->keys[at + i] : ""
        };
    }
    const mann_status s = mann_gallery_put(g, records, n, &c->err);
    mni_free(records);
    return s;
}

mann_status mni_rows_add(mni_cli *c, mann_gallery *g, const mni_rows *rows,
                         const char *klass)
{
    const mann_matrix m = rows->m;
    size_t stride = m.stride ? m.stride : m.cols;
    const char **classes = mni_alloc(GROUP_ROWS, sizeof *classes);
    if (!classes) return mni_fail(&c->err, MANN_E_NOMEM, "a group of rows");
    mann_status s = MANN_OK;
    for (size_t at = 0; at < m.rows && s == MANN_OK; at += GROUP_ROWS) {
        size_t n = m.rows - at < GROUP_ROWS ? m.rows - at : GROUP_ROWS;
        for (size_t i = 0; i < n; i++)
            classes[i] = rows->classes && rows->classes[at + i] ? rows->classes[at + i]
                                                                : klass;
        if (mni_talk_step(&c->talk, "add", at, m.rows)) { s = MANN_E_CANCELLED; break; }
        const mann_matrix some = { m.data + at * stride, n, m.cols, m.stride };
        const char *const *sources = (const char *const *)rows->sources;
        s = rows->keys
                ? add_keyed(c, g, rows, at, n, classes)
                : mann_gallery_add(g, classes, sources ? sources + at : NULL, some,
                                   rows->ids ? rows->ids + at : NULL, NULL, &c->err);
        if (s == MANN_OK) mni_talk_step(&c->talk, "add", at + n, m.rows);
    }
    mni_free(classes);
    return s;
}
