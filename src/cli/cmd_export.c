/* cmd_export.c - a gallery as files that every program reads, whole or what changed since
 * a snapshot.
 *
 *   DIR/gallery.json    metric, dim, storage, counts, state, next id, folders; of a delta
 *                       also since
 *   DIR/records.jsonl   one object a record: id, class, path, content, time; key if it
 *                       has one
 *   DIR/vectors.npy     row i belongs to line i
 *   DIR/labels.txt      class of row i, one a line; empty: none
 *   DIR/removed.txt     of a delta: ids that are there no more, one a line
 *   DIR/model.mann      the model inside, if there is one
 *   DIR/thumbs/ID.jpg   of records that have a thumbnail
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/exported.h"
#include "cli/paths.h"

typedef struct export {
    mni_cli *c;
    const mni_known_records *since;     /* NULL: everything */
    uint8_t *kept;                      /* of each record of since: it is still there */
    size_t dim;
    float *vectors;
    uint64_t *ids;                      /* of the rows */
    size_t n, cap, ids_cap;
    uint64_t state;
    mni_text records, labels;
    int failed;
} export;

static void put_record(export *x, const mann_record *r)
{
    char content[17];
    mni_json j;
    mni_json_init(&j, &x->records, 0);
    mni_json_object(&j);
    mni_json_key(&j, "id");
    mni_json_u64(&j, r->id);
    mni_json_key(&j, "class");
    mni_json_string(&j, r->class_name);
    mni_json_key(&j, "path");
    mni_json_string(&j, r->source);
    mni_json_key(&j, "content");
    mni_hex64(content, r->content_hash);
    mni_json_string(&j, content);
    mni_json_key(&j, "time");
    mni_json_u64(&j, r->time);
    if (*r->key) {
        mni_json_key(&j, "key");
        mni_json_string(&j, r->key);
    }
    mni_json_end(&j);
    mni_text_char(&x->records, '\n');
    mni_tsv_field(&x->labels, r->class_name);
    mni_text_char(&x->labels, '\n');
}

static int take(void *user, const mann_record *r)
{
    export *x = user;
    const uint64_t hash = mni_record_hash(r, x->dim);
    size_t at;
    x->state += hash;
    if (x->since && mni_known_find(x->since, r->id, &at)) {
        x->kept[at] = 1;
        if (x->since->items[at].hash == hash) return 0;
    }
    if (!mni_grow((void **)&x->vectors, &x->cap, (x->n + 1) * x->dim,
                  sizeof *x->vectors) ||
        !mni_grow((void **)&x->ids, &x->ids_cap, x->n + 1, sizeof *x->ids))
        return x->failed = 1;
    x->ids[x->n] = r->id;
    memcpy(x->vectors + x->n++ * x->dim, r->vector, x->dim * sizeof *x->vectors);
    put_record(x, r);
    return 0;
}

static int put_root(void *user, const char *folder)
{
    mni_json_string(user, folder);
    return 0;
}

static mann_status put_head(const export *x, mann_gallery *g,
                            const mann_gallery_info *info, mni_text *out)
{
    char hex[17];
    mni_json j;
    mni_json_init(&j, out, 2);
    mni_json_object(&j);
    mni_json_key(&j, "format");
    mni_json_u64(&j, MNI_EXPORT_FORMAT);
    mni_json_key(&j, "metric");
    mni_json_string(&j, mni_metric_name(info->metric));
    mni_json_key(&j, "dim");
    mni_json_u64(&j, info->dim);
    mni_json_key(&j, "store");
    mni_json_string(&j, mni_store_name(info->store));
    mni_json_key(&j, "index");
    mni_json_string(&j, info->index);
    mni_json_key(&j, "false_accept");
    mni_json_number(&j, (double)info->false_accept);
    mni_json_key(&j, "views");
    mni_json_u64(&j, info->views);
    mni_json_key(&j, "model");
    mni_hex64(hex, info->fingerprint);
    mni_json_string(&j, info->fingerprint ? hex : NULL);
    mni_json_key(&j, "rows");
    mni_json_u64(&j, x->n);
    mni_json_key(&j, "state");
    mni_hex64(hex, x->state);
    mni_json_string(&j, hex);
    if (x->since) {
        mni_json_key(&j, "since");
        mni_hex64(hex, x->since->state);
        mni_json_string(&j, hex);
    }
    mni_json_key(&j, "next_id");
    mni_json_u64(&j, info->next_id);
    mni_json_key(&j, "roots");
    mni_json_array(&j);
    const mann_status s = mann_gallery_roots(g, put_root, &j, &x->c->err);
    mni_json_end(&j);
    mni_json_end(&j);
    mni_text_char(out, '\n');
    return s;
}

static mann_status write_text(mni_cli *c, const char *dir, const char *name,
                              const mni_text *t)
{
    mni_text path = { 0 };
    mni_path_join(&path, dir, name);
    mann_status s = t->failed || path.failed
                        ? mni_fail(&c->err, MANN_E_NOMEM, "%s", name)
                        : mni_replace_file(mni_vfs_posix(), mni_text_get(&path),
                                           mni_text_get(t), t->n_chars, &c->err);
    mni_text_fini(&path);
    return s;
}

/* gallery.json last: it says that the rest is whole. */
static mann_status write_all(export *x, mann_gallery *g, const mann_gallery_info *info,
                             const char *dir, uint64_t *n_removed)
{
    mni_cli *c = x->c;
    const mni_vfs *v = mni_vfs_posix();
    mni_text path = { 0 }, head = { 0 }, removed = { 0 };
    for (size_t i = 0; x->since && i < x->since->n; i++)
        if (!x->kept[i]) {
            mni_text_f(&removed, "%llu\n", (unsigned long long)x->since->items[i].id);
            ++*n_removed;
        }
    mann_status s = v->ops->mkdir(v, dir, &c->err);
    mni_path_join(&path, dir, "vectors.npy");
    if (s == MANN_OK)
        s = mann_vectors_write(mni_text_get(&path),
                               (mann_matrix){ x->vectors, x->n, x->dim, 0 }, &c->err);
    if (s == MANN_OK) s = write_text(c, dir, "records.jsonl", &x->records);
    if (s == MANN_OK) s = write_text(c, dir, "labels.txt", &x->labels);
    if (s == MANN_OK && x->since) s = write_text(c, dir, "removed.txt", &removed);
    mni_text_clear(&path);
    mni_path_join(&path, dir, "model.mann");
    if (s == MANN_OK && !x->since) {
        s = mann_gallery_save_model(g, mni_text_get(&path), &c->err);
        if (s == MANN_E_NOT_FOUND) {    /* nor may one of an earlier export stay */
            v->ops->remove(v, mni_text_get(&path), NULL);
            s = MANN_OK;
        }
    }
    if (s == MANN_OK) s = mni_thumbs_export(c, g, x->ids, x->n, dir);
    if (s == MANN_OK) s = put_head(x, g, info, &head);
    if (s == MANN_OK) s = write_text(c, dir, "gallery.json", &head);
    mni_text_fini(&path);
    mni_text_fini(&head);
    mni_text_fini(&removed);
    return s;
}

static int report(mni_cli *c, const char *dir, const export *x, uint64_t n_removed)
{
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "output");
        mni_json_string(&j, dir);
        mni_json_key(&j, "records");
        mni_json_u64(&j, x->n);
        mni_json_key(&j, "removed");
        mni_json_u64(&j, n_removed);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, dir);
        mni_text_f(&c->out, ": %zu record%s", x->n, mni_s(x->n));
        if (x->since)
            mni_text_f(&c->out, " changed or added, %llu removed",
                       (unsigned long long)n_removed);
        mni_text_char(&c->out, '\n');
    }
    return MNI_EXIT_OK;
}

int mni_cmd_export(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *dir = mni_opt_text(o, MNI_OPT_OUTPUT),
               *since = mni_opt_text(o, MNI_OPT_SINCE);
    mni_known_records known = { 0 };
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_gallery *g = NULL;
    uint64_t n_removed = 0;
    export x = { .c = c };
    if (!dir) return mni_cli_usage(c, "where to? -o DIR is missing");
    mann_status s = since ? mni_known_read(c, since, &known) : MANN_OK;
    if (s == MANN_OK) s = mann_gallery_open(&g, o->files[0], MANN_OPEN_READ, &c->err);
    if (s == MANN_OK) s = mann_gallery_describe(g, &info, &c->err);
    if (s == MANN_OK && since && (known.dim != info.dim ||
                                  known.fingerprint != info.fingerprint))
        s = mni_fail(&c->err, MANN_E_MISMATCH,
                     "%s and %s were made with different models", since, o->files[0]);
    x.dim = info.dim;
    x.since = since ? &known : NULL;
    if (s == MANN_OK && !(x.kept = mni_alloc(known.n + 1, 1)))
        s = mni_fail(&c->err, MANN_E_NOMEM, "%zu records", known.n);
    if (s == MANN_OK) s = mann_gallery_each(g, take, &x, &c->err);
    if (s == MANN_OK && x.failed)
        s = mni_fail(&c->err, MANN_E_NOMEM, "%s: all vectors", o->files[0]);
    int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (code == MNI_EXIT_OK) {
        s = write_all(&x, g, &info, dir, &n_removed);
        code = s == MANN_OK ? report(c, dir, &x, n_removed)
                            : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    mann_gallery_free(g);
    mni_known_fini(&known);
    mni_free(x.kept);
    mni_free(x.vectors);
    mni_free(x.ids);
    mni_text_fini(&x.records);
    mni_text_fini(&x.labels);
    return code;
}
