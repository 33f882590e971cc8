/* cmd_import.c - what export wrote becomes a gallery again; a delta brings a copy up to
 * date. See cmd_export.c for the files. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exported.h"
#include "cli/gallery_new.h"

enum { GROUP = 4096 };          /* records of one commit */
#define MAX_TEXT (UINT64_C(1) << 34)

typedef struct import {
    mni_cli *c;
    const char *dir;
    mni_json_doc head;
    uint64_t state, since;
    int is_delta;
    mann_vectors *file;
    mann_matrix m;
    char *lines, *gone_text;            /* owned, as all that follows */
    mann_record *records;               /* m.rows; texts lie in docs */
    mni_json_doc *docs;
    uint64_t *gone;                     /* ids that are there no more */
    size_t n_docs, n_gone;
} import;

static mann_status bad(import *x, const char *file, size_t line, const char *what)
{
    return mni_fail(&x->c->err, MANN_E_FORMAT, "%s/%s: line %zu: %s", x->dir, file, line,
                    what);
}

static mann_status read_text(import *x, const char *name, char **out, size_t *n)
{
    mni_text path = { 0 };
    mni_path_join(&path, x->dir, name);
    mann_status s = mni_read_file(mni_vfs_posix(), mni_text_get(&path), MAX_TEXT,
                                  (uint8_t **)out, n, &x->c->err);
    mni_text_fini(&path);
    return s;
}

/* --- the head ----------------------------------------------------------------------- */

static const mni_json_node *head_get(const import *x, const char *key, mni_json_kind kind)
{
    const mni_json_node *n = mni_json_get(&x->head, x->head.nodes, key);
    return n && n->kind == kind ? n : NULL;
}

static mann_status read_head(import *x)
{
    char *text;
    size_t n;
    MNI_TRY(read_text(x, "gallery.json", &text, &n));
    mann_status s = mni_json_parse(&x->head, text, n, &x->c->err);
    mni_free(text);
    if (s != MANN_OK) return s;
    const mni_json_node *format = head_get(x, "format", MNI_JSON_NUMBER),
                        *state = head_get(x, "state", MNI_JSON_STRING),
                        *since = head_get(x, "since", MNI_JSON_STRING);
    if (!format || !state || !mni_hex64_parse(state->text, &x->state) ||
        (since && !mni_hex64_parse(since->text, &x->since)))
        return bad(x, "gallery.json", 1, "not what export writes");
    if (format->u64 != MNI_EXPORT_FORMAT)
        return bad(x, "gallery.json", 1, "of a newer version of export");
    x->is_delta = since != NULL;
    return MANN_OK;
}

/* Position of a word in a table of names that start at 1. */
static uint32_t number_of(const char *word, const char *(*name)(uint32_t), uint32_t most)
{
    for (uint32_t i = 1; i <= most; i++)
        if (strcmp(name(i), word) == 0) return i;
    return 0;
}

/* Vectors mean nothing to another model. fingerprint: of what there is, 0 for none. */
static mann_status check_model(import *x, uint64_t fingerprint)
{
    const mni_json_node *print = head_get(x, "model", MNI_JSON_STRING);
    uint64_t made_with = 0;
    if (print && !mni_hex64_parse(print->text, &made_with))
        return bad(x, "gallery.json", 1, "model is not 16 hexadecimal digits");
    if (made_with == fingerprint) return MANN_OK;
    return mni_fail(&x->c->err, MANN_E_MISMATCH,
                    "%s: its vectors were made with model %s, not with %016llx; give the "
                    "right one with --model",
                    x->dir, print ? print->text : "none",
                    (unsigned long long)fingerprint);
}

static mann_status create(import *x, const char *path, mann_gallery **g)
{
    mann_model_info made = { .struct_size = sizeof made };
    mann_gallery_config config;
    mann_model *m = NULL;
    mni_text model = { 0 };
    mni_stat st;
    const mni_vfs *v = mni_vfs_posix();
    const mni_json_node *metric = head_get(x, "metric", MNI_JSON_STRING),
                        *store = head_get(x, "store", MNI_JSON_STRING),
                        *rate = head_get(x, "false_accept", MNI_JSON_NUMBER),
                        *views = head_get(x, "views", MNI_JSON_NUMBER);
    mann_gallery_config_fill(&config, sizeof config);
    config.metric = metric ? number_of(metric->text, mni_metric_name, MANN_COSINE) : 0;
    config.store = store ? number_of(store->text, mni_store_name, MANN_STORE_INT8) : 0;
    if (!config.metric || !config.store)
        return bad(x, "gallery.json", 1, "metric or store is not known");
    if (views) config.views = (uint32_t)views->u64;
    if (rate) config.false_accept = (float)rate->number;
    config.no_sync = mni_cli_lazy(x->c);
    config.dim = (uint32_t)x->m.cols;
    mni_path_join(&model, x->dir, "model.mann");
    const char *name = mni_opt_text(&x->c->options, MNI_OPT_MODEL);
    if (!name && v->ops->stat(v, mni_text_get(&model), &st, NULL) == MANN_OK)
        name = mni_text_get(&model);
    mann_status s = name ? mni_cli_model(x->c, name, &m) : MANN_OK;
    config.model = m;
    if (s == MANN_OK && m) s = mann_model_describe(m, &made, &x->c->err);
    if (s == MANN_OK) s = check_model(x, made.fingerprint);
    if (s == MANN_OK) s = mann_gallery_create(g, path, &config, &x->c->err);
    mann_model_free(m);
    mni_text_fini(&model);
    return s;
}

/* --- records ------------------------------------------------------------------------ */

static mann_status take_line(import *x, const char *line, size_t n, size_t row)
{
    if (row >= x->m.rows)
        return bad(x, "records.jsonl", row + 1, "vectors.npy has fewer rows");
    mni_json_doc *doc = &x->docs[row];
    mann_record *r = &x->records[row];
    mann_error json = { MANN_OK, "" };
    if (mni_json_parse(doc, line, n, &json) != MANN_OK)
        return bad(x, "records.jsonl", row + 1, json.text);
    x->n_docs = row + 1;
    const mni_json_node *id = mni_json_get(doc, doc->nodes, "id"),
                        *klass = mni_json_get(doc, doc->nodes, "class"),
                        *path = mni_json_get(doc, doc->nodes, "path"),
                        *content = mni_json_get(doc, doc->nodes, "content"),
                        *time = mni_json_get(doc, doc->nodes, "time"),
                        *key = mni_json_get(doc, doc->nodes, "key");
    *r = (mann_record){ .source = "", .key = "" };
    if (!id || !id->is_u64 || id->u64 >= MANN_NO_ID - 1)
        return bad(x, "records.jsonl", row + 1, "no id");
    r->id = id->u64;
    if (klass && klass->kind == MNI_JSON_STRING) r->class_name = klass->text;
    if (path && path->kind == MNI_JSON_STRING) r->source = path->text;
    if (key && key->kind == MNI_JSON_STRING) r->key = key->text;
    if (content && content->kind == MNI_JSON_STRING &&
        !mni_hex64_parse(content->text, &r->content_hash))
        return bad(x, "records.jsonl", row + 1, "content is not 16 hexadecimal digits");
    if (time && time->is_u64) r->time = time->u64;
    r->vector = x->m.data + row * (x->m.stride ? x->m.stride : x->m.cols);
    for (size_t i = 0; i < x->m.cols; i++)
        if (!isfinite(r->vector[i]))
            return bad(x, "records.jsonl", row + 1, "its vector is not finite");
    return MANN_OK;
}

/* All of them, before anything is written. */
static mann_status read_records(import *x)
{
    size_t n, row = 0;
    MNI_TRY(read_text(x, "records.jsonl", &x->lines, &n));
    x->records = mni_alloc(x->m.rows + 1, sizeof *x->records);
    x->docs = mni_alloc(x->m.rows + 1, sizeof *x->docs);
    if (!x->records || !x->docs)
        return mni_fail(&x->c->err, MANN_E_NOMEM, "%zu records", x->m.rows);
    for (const char *at = x->lines, *end = at + n, *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        if (stop > at) MNI_TRY(take_line(x, at, (size_t)(stop - at), row++));
    }
    if (row != x->m.rows)
        return bad(x, "records.jsonl", row + 1, "vectors.npy has more rows");
    return MANN_OK;
}

static mann_status read_gone(import *x)
{
    size_t n, cap = 0, line = 0;
    uint64_t id;
    MNI_TRY(read_text(x, "removed.txt", &x->gone_text, &n));
    for (char *at = x->gone_text, *stop; *at; at = stop + 1) {
        stop = strchr(at, '\n');
        if (!stop) stop = at + strlen(at) - 1;
        else *stop = '\0';
        line++;
        if (!mni_parse_u64(at, &id)) return bad(x, "removed.txt", line, "not an id");
        if (!mni_grow((void **)&x->gone, &cap, x->n_gone + 1, sizeof *x->gone))
            return mni_fail(&x->c->err, MANN_E_NOMEM, "list of ids");
        x->gone[x->n_gone++] = id;
    }
    return MANN_OK;
}

static mann_status put_records(import *x, mann_gallery *g)
{
    for (size_t at = 0; at < x->m.rows; at += GROUP) {
        const size_t n = x->m.rows - at < GROUP ? x->m.rows - at : GROUP;
        if (at && mni_talk_step(&x->c->talk, "import", at, x->m.rows))
            return mni_fail(&x->c->err, MANN_E_CANCELLED, "stopped after %zu records",
                            at);
        MNI_TRY(mann_gallery_put(g, x->records + at, n, &x->c->err));
    }
    return MANN_OK;
}

/* What the gallery will hold, computed before it is touched: whatever is wrong with a
 * delta, the gallery is as it was. `now` is what it holds. */
static mann_status check_delta(import *x, const mni_known_records *now, const char *path)
{
    uint8_t *taken = mni_alloc(now->n + 1, 1);
    uint64_t state = now->state;
    size_t at;
    int twice = 0;
    if (!taken) return mni_fail(&x->c->err, MANN_E_NOMEM, "%zu records", now->n);
    for (size_t i = 0; i < x->n_gone + x->m.rows; i++) {
        const mann_record *r = i < x->n_gone ? NULL : &x->records[i - x->n_gone];
        if (r) state += mni_record_hash(r, now->dim);
        if (!mni_known_find(now, r ? r->id : x->gone[i], &at)) continue;
        if (!taken[at]) state -= now->items[at].hash;
        twice |= taken[at];
        taken[at] = 1;
    }
    mni_free(taken);
    if (state == x->state && !twice) return MANN_OK;
    return mni_fail(&x->c->err, MANN_E_FORMAT,
                    "%s: %s would not hold what was exported: the delta was changed, or "
                    "is of another gallery; nothing was put in",
                    x->dir, path);
}

/* Where the photos were, and which ids were given: what no record says. */
static mann_status put_rest(import *x, mann_gallery *g)
{
    const mni_json_node *next = head_get(x, "next_id", MNI_JSON_NUMBER),
                        *roots = head_get(x, "roots", MNI_JSON_ARRAY);
    if (next && next->is_u64) MNI_TRY(mann_gallery_reserve(g, next->u64, &x->c->err));
    for (uint32_t i = roots ? roots->first_child : 0; i; i = x->head.nodes[i].next) {
        const mni_json_node *root = &x->head.nodes[i];
        if (root->kind == MNI_JSON_STRING && *root->text)
            MNI_TRY(mann_gallery_add_root(g, root->text, &x->c->err));
    }
    return MANN_OK;
}

/* What a failed import began is of no use to anybody. */
static void forget(const char *path)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_text journal = { 0 };
    mni_text_f(&journal, "%s-journal", path);
    v->ops->remove(v, path, NULL);
    v->ops->remove(v, mni_text_get(&journal), NULL);
    mni_text_fini(&journal);
}

/* --- the command -------------------------------------------------------------------- */

/* A delta fits one state only; a run that was interrupted is taken up with --force, and
 * the state at the end tells whether all is well. */
static mann_status check_since(import *x, mann_gallery *g, const char *path)
{
    mni_known_records now;
    char is[17], wanted[17];
    MNI_TRY(mni_known_of(x->c, g, &now));
    mann_status s = MANN_OK;
    if (now.state != x->since && !mni_opt_flag(&x->c->options, MNI_OPT_FORCE)) {
        mni_hex64(is, now.state);
        mni_hex64(wanted, x->since);
        s = mni_fail(&x->c->err, MANN_E_MISMATCH,
                     "%s is in state %s, this delta begins at %s; an interrupted import "
                     "goes on with --force",
                     path, is, wanted);
    }
    if (s == MANN_OK) s = check_delta(x, &now, path);
    mni_known_fini(&now);
    return s;
}

static mann_status check_state(import *x, mann_gallery *g, const char *path)
{
    mni_known_records now;
    MNI_TRY(mni_known_of(x->c, g, &now));
    const uint64_t state = now.state;
    mni_known_fini(&now);
    if (state == x->state) return MANN_OK;
    return mni_fail(&x->c->err, MANN_E_MISMATCH,
                    "%s: does not hold what was exported: other records were there, or "
                    "its storage rounds differently",
                    path);
}

static mann_status import_into(import *x, mann_gallery **g, const char *path, size_t *n,
                               size_t *removed)
{
    mni_text vectors = { 0 };
    MNI_TRY(read_head(x));
    mni_path_join(&vectors, x->dir, "vectors.npy");
    mann_status s = mann_vectors_read(&x->file, mni_text_get(&vectors), &x->c->err);
    mni_text_fini(&vectors);
    if (s != MANN_OK) return s;
    x->m = mann_vectors_matrix(x->file);
    MNI_TRY(read_records(x));
    if (x->is_delta) MNI_TRY(read_gone(x));
    const unsigned flags = MANN_OPEN_WRITE | (mni_cli_lazy(x->c) ? MANN_OPEN_NOSYNC : 0);
    MNI_TRY(x->is_delta ? mann_gallery_open(g, path, flags, &x->c->err)
                        : create(x, path, g));
    mann_gallery_info info = { .struct_size = sizeof info };
    MNI_TRY(mann_gallery_describe(*g, &info, &x->c->err));
    if (x->m.cols != info.dim)
        return mni_fail(&x->c->err, MANN_E_MISMATCH,
                        "%s/vectors.npy: %zu columns, but %s has vectors of %u", x->dir,
                        (size_t)x->m.cols, path, (unsigned)info.dim);
    if (x->is_delta) {          /* create looked at the model itself */
        MNI_TRY(check_model(x, info.fingerprint));
        MNI_TRY(check_since(x, *g, path));
    }
    /* first out, then in: a key may have gone over to another record */
    if (x->n_gone)
        MNI_TRY(mann_gallery_remove(*g, x->gone, x->n_gone, removed, &x->c->err));
    MNI_TRY(put_records(x, *g));
    *n = x->m.rows;
    MNI_TRY(mni_thumbs_import(x->c, *g, x->dir));
    MNI_TRY(check_state(x, *g, path));
    MNI_TRY(put_rest(x, *g));
    return mann_gallery_flush(*g, &x->c->err);
}

int mni_cmd_import(mni_cli *c)
{
    const char *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    import x = { .c = c, .dir = c->options.files[0] };
    mann_gallery *g = NULL;
    mann_pool *pool;
    size_t n = 0, removed = 0;
    if (!out) return mni_cli_usage(c, "where to? -o GALLERY is missing");
    mann_status s = import_into(&x, &g, out, &n, &removed);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    const mni_json_node *index = x.head.nodes ? head_get(&x, "index", MNI_JSON_STRING)
                                              : NULL;
    const char *spec = mni_opt_given(&c->options, MNI_OPT_INDEX) || !index
                           ? mni_opt_text(&c->options, MNI_OPT_INDEX)
                           : index->text;
    if (s == MANN_OK && !x.is_delta)
        s = mann_gallery_build(g, NULL, spec, pool, &c->hooks, &c->err);
    const int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (code == MNI_EXIT_OK && mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "gallery");
        mni_json_string(&j, out);
        mni_json_key(&j, "records");
        mni_json_u64(&j, n);
        mni_json_key(&j, "removed");
        mni_json_u64(&j, removed);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (code == MNI_EXIT_OK && !mni_cli_quiet(c)) {
        mni_out_name(&c->out, out);
        mni_text_f(&c->out, ": %zu record%s put in, %zu removed\n", n, mni_s(n), removed);
    }
    mann_gallery_free(g);
    if (g && s != MANN_OK && !x.is_delta) forget(out);
    mann_vectors_free(x.file);
    mni_json_doc_fini(&x.head);
    for (size_t i = 0; i < x.n_docs; i++) mni_json_doc_fini(&x.docs[i]);
    mni_free(x.docs);
    mni_free(x.records);
    mni_free(x.gone);
    mni_free(x.gone_text);
    mni_free(x.lines);
    return code;
}
