/* cmd_change.c - add, remove, relabel, compact. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/changing.h"
#include "cli/gallery_new.h"
#include "cli/inputs.h"
#include "os/vfs.h"

int mni_cli_open_to_write(mni_cli *c, mann_gallery **g)
{
    mann_status s = mni_cli_gallery(c, c->options.files[0], MANN_OPEN_WRITE, g);
    if (s == MANN_OK) return MNI_EXIT_OK;
    return mni_cli_fail(c, MNI_FROM_INPUT, s);
}

void mni_cli_json_counts(mni_cli *c, const char *gallery, const mni_count *counts,
                         size_t n, const mann_gallery_info *info, uint64_t file_bytes)
{
    mni_json j;
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "gallery");
    mni_json_string(&j, gallery);
    for (size_t i = 0; i < n; i++) {
        mni_json_key(&j, counts[i].key);
        mni_json_u64(&j, counts[i].n);
    }
    mni_json_key(&j, "rows");
    mni_json_u64(&j, info->n_rows);
    mni_json_key(&j, "classes");
    mni_json_u64(&j, info->n_classes);
    if (file_bytes) {
        mni_json_key(&j, "file_bytes");
        mni_json_u64(&j, file_bytes);
    }
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
}

int mni_cli_report_change(mni_cli *c, mann_gallery *g, const mni_count *counts, size_t n,
                          const char *sentence)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_status s = mann_gallery_describe(g, &info, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (mni_cli_json(c)) {
        mni_cli_json_counts(c, c->options.files[0], counts, n, &info, 0);
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, c->options.files[0]);
        mni_text_add(&c->out, ": ");
        mni_out_name(&c->out, sentence);
        mni_text_f(&c->out, "; now %llu record%s of %u class%s\n",
                   (unsigned long long)info.n_rows, mni_s(info.n_rows), info.n_classes,
                   mni_es(info.n_classes));
    }
    return MNI_EXIT_OK;
}

/* A long tail or much that is dead slows every search down: then the change ends with a
 * compaction. What was changed is durable before it begins. */
int mni_cli_close_change(mni_cli *c, mann_gallery *g, int code)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_pool *pool;
    mann_status s = MANN_OK;
    if (code == MNI_EXIT_OK) s = mann_gallery_describe(g, &info, &c->err);
    if (code == MNI_EXIT_OK && s == MANN_OK && info.compact_due) {
        mni_talk_say(&c->talk, MANN_NOTE_INFO,
                     "%llu added and %llu removed since it was built: compacting",
                     (unsigned long long)info.n_tail, (unsigned long long)info.n_dead);
        s = mni_cli_pool(c, &pool);
        if (s == MANN_OK) s = mann_gallery_compact(g, pool, &c->hooks, &c->err);
    }
    if (s == MANN_OK) s = mann_gallery_flush(g, &c->err);
    mann_gallery_free(g);
    return s == MANN_OK ? code : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
}

static int report(mni_cli *c, mann_gallery *g, const char *key, uint64_t n,
                  const char *sentence)
{
    const mni_count one = { key, n };
    return mni_cli_report_change(c, g, &one, 1, sentence);
}

/* --- add ---------------------------------------------------------------------------- */

static int add_vectors(mni_cli *c, mann_gallery *g, const char *path)
{
    mni_rows rows;
    if (c->options.n_files > 1)
        return mni_cli_usage(c, "photos and --vectors at once: give one of them");
    int code = mni_rows_read(c, path, &rows);
    if (code != MNI_EXIT_OK) return code;
    size_t n = rows.m.rows;
    mann_status s = mni_rows_add(c, g, &rows, mni_opt_text(&c->options, MNI_OPT_CLASS));
    mni_rows_fini(&rows);
    if (s != MANN_OK)
        return mni_cli_fail(c, s == MANN_E_ARG ? MNI_FROM_INPUT : MNI_FROM_OUTPUT, s);
    char sentence[80];
    snprintf(sentence, sizeof sentence, "added %zu vectors", n);
    return report(c, g, "added", n, sentence);
}

/* Photos and folders whose content is one class, whatever the folders are called. */
static mann_status files_of_class(mni_cli *c, const char *klass, mann_dataset **set)
{
    mni_inputs list = { 0 };
    const char **paths = NULL;
    mann_status s = MANN_OK;
    for (size_t i = 1; i < c->options.n_files && s == MANN_OK; i++)
        s = mni_inputs_add(&list, c->options.files[i], mni_is_image_file, &c->err);
    if (s == MANN_OK && list.n == 0)
        s = mni_fail(&c->err, MANN_E_NOT_FOUND, "no photos for class '%s'", klass);
    if (s == MANN_OK && !(paths = mni_alloc(list.n, sizeof *paths)))
        s = mni_fail(&c->err, MANN_E_NOMEM, "%zu names", list.n);
    for (size_t i = 0; i < list.n && s == MANN_OK; i++) paths[i] = list.items[i].path;
    if (s == MANN_OK) s = mann_dataset_files(set, paths, list.n, klass, &c->err);
    mni_free(paths);
    mni_inputs_fini(&list);
    return s;
}

/* With --class one data set of all that is named, otherwise each argument is one. */
static mann_status open_set(mni_cli *c, size_t i, mann_dataset **set)
{
    const char *klass = mni_opt_text(&c->options, MNI_OPT_CLASS);
    if (klass) return files_of_class(c, klass, set);
    return mann_dataset_open(set, c->options.files[i], &c->hooks, &c->err);
}

static int add_photos(mni_cli *c, mann_gallery *g)
{
    mann_add_report sum = { .struct_size = sizeof sum };
    mann_pool *pool;
    const char *klass = mni_opt_text(&c->options, MNI_OPT_CLASS);
    size_t n_sets = klass ? 2 : c->options.n_files;
    mann_status s = mni_cli_pool(c, &pool);
    for (size_t i = 1; i < n_sets && s == MANN_OK; i++) {
        mann_dataset *set;
        mann_add_report one = { .struct_size = sizeof one };
        if (!klass && mni_is_image_file(c->options.files[i]))
            return mni_cli_usage(c, "which class does %s show? --class NAME is missing",
                                 c->options.files[i]);
        s = open_set(c, i, &set);
        if (s != MANN_OK) break;
        s = mann_gallery_add_images(g, set, pool, &c->hooks, &one, &c->err);
        mann_dataset_free(set);
        mni_talk_added(&c->talk, &one);
        sum.n_added += one.n_added;
        sum.n_present += one.n_present;
        sum.n_skipped += one.n_skipped;
    }
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    char sentence[500];
    int n = snprintf(sentence, sizeof sentence, "added %llu photo%s",
                     (unsigned long long)sum.n_added, sum.n_added == 1 ? "" : "s");
    if (klass)
        n += snprintf(sentence + n, sizeof sentence - (size_t)n, " of '%.300s'", klass);
    if (sum.n_present)
        n += snprintf(sentence + n, sizeof sentence - (size_t)n, ", %llu were there",
                      (unsigned long long)sum.n_present);
    if (sum.n_skipped)
        snprintf(sentence + n, sizeof sentence - (size_t)n, ", %llu skipped",
                 (unsigned long long)sum.n_skipped);
    int code = report(c, g, "added", sum.n_added, sentence);
    int bad = sum.n_added + sum.n_present == 0 || (klass && sum.n_skipped);
    return code == MNI_EXIT_OK && bad ? MNI_EXIT_INPUT : code;
}

int mni_cmd_add(mni_cli *c)
{
    const char *vectors = mni_opt_text(&c->options, MNI_OPT_VECTORS);
    if (!vectors && c->options.n_files < 2)
        return mni_cli_usage(c, "what to add? a DATASET, --class NAME IMAGE..., or "
                                "--vectors FILE is missing");
    mann_gallery *g;
    int code = mni_cli_open_to_write(c, &g);
    if (code != MNI_EXIT_OK) return code;
    mann_gallery_limit(g, mni_opt_u64(&c->options, MNI_OPT_MEM));
    mann_gallery_thumbs(g, mni_opt_u32(&c->options, MNI_OPT_THUMBS), NULL);
    code = vectors ? add_vectors(c, g, vectors) : add_photos(c, g);
    return mni_cli_close_change(c, g, code);
}

/* --- remove, relabel ---------------------------------------------------------------- */

static int records_named(const mni_cli *c)
{
    return mni_opt_given(&c->options, MNI_OPT_ID) ||
           mni_opt_given(&c->options, MNI_OPT_KEY);
}

/* --id and --key as numbers (owned): what is no number is a key. One that is not there is
 * refused if it must be, or becomes MANN_NO_ID, which no record has. */
static mann_status listed_ids(mni_cli *c, mann_gallery *g, int must, uint64_t **ids,
                              size_t *n)
{
    const char *const *items, *const *keys;
    const size_t n_items = mni_opt_list(&c->options, MNI_OPT_ID, &items),
                 n_keys = mni_opt_list(&c->options, MNI_OPT_KEY, &keys);
    *n = n_items + n_keys;
    *ids = mni_alloc(*n + 1, sizeof **ids);
    if (!*ids) return mni_fail(&c->err, MANN_E_NOMEM, "%zu ids", *n);
    for (size_t i = 0; i < *n; i++) {
        const char *word = i < n_items ? items[i] : keys[i - n_items];
        if (i < n_items && mni_parse_u64(word, &(*ids)[i])) continue;
        (*ids)[i] = MANN_NO_ID;
        const mann_status s = mann_gallery_find(g, word, &(*ids)[i], &c->err);
        if (s == MANN_E_NOT_FOUND && !must)
            mni_talk_say(&c->talk, MANN_NOTE_WARNING, "no record has the key '%.200s'",
                         word);
        else if (s != MANN_OK) return s;
    }
    return MANN_OK;
}

static int remove_classes(mni_cli *c, mann_gallery *g, size_t *gone)
{
    const char *const *names;
    size_t n = mni_opt_list(&c->options, MNI_OPT_CLASS, &names), some = 0;
    for (size_t i = 0; i < n; i++)
        if (mni_cli_need_class(c, g, names[i]) != MANN_OK)
            return mni_cli_fail(c, MNI_FROM_USER, c->err.code);
    for (size_t i = 0; i < n; i++) {
        mann_status s = mann_gallery_remove_class(g, names[i], &some, &c->err);
        if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_USER, s);
        *gone += some;
    }
    return MNI_EXIT_OK;
}

static int remove_ids(mni_cli *c, mann_gallery *g, size_t *gone)
{
    uint64_t *ids;
    size_t n, some = 0;
    mann_status s = listed_ids(c, g, 0, &ids, &n);
    if (s == MANN_OK && n) s = mann_gallery_remove(g, ids, n, &some, &c->err);
    mni_free(ids);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_USER, s);
    *gone += some;
    if (some == n) return MNI_EXIT_OK;
    mni_talk_say(&c->talk, MANN_NOTE_WARNING, "%zu of %zu ids are not in the gallery",
                 n - some, n);
    return some ? MNI_EXIT_OK : MNI_EXIT_USAGE;
}

int mni_cmd_remove(mni_cli *c)
{
    const mni_options *o = &c->options;
    if (!mni_opt_given(o, MNI_OPT_CLASS) && !records_named(c))
        return mni_cli_usage(c, "what to remove? --class NAME, --id LIST or --key KEY is "
                                "missing");
    mann_gallery *g;
    size_t gone = 0;
    int code = mni_cli_open_to_write(c, &g);
    if (code != MNI_EXIT_OK) return code;
    if (mni_opt_given(o, MNI_OPT_CLASS)) code = remove_classes(c, g, &gone);
    if (code == MNI_EXIT_OK && records_named(c))
        code = remove_ids(c, g, &gone);
    char sentence[80];
    snprintf(sentence, sizeof sentence, "removed %zu record%s", gone,
             gone == 1 ? "" : "s");
    if (code == MNI_EXIT_OK) code = report(c, g, "removed", gone, sentence);
    return mni_cli_close_change(c, g, code);
}

typedef struct gather {
    const char *klass;
    uint64_t *ids;
    size_t n, cap;
    int failed;
} gather;

static int gather_class(void *user, const mann_record *r)
{
    gather *w = user;
    if (!r->class_name || strcmp(r->class_name, w->klass) != 0) return 0;
    if (!mni_grow((void **)&w->ids, &w->cap, w->n + 1, sizeof *w->ids))
        return w->failed = 1;
    w->ids[w->n++] = r->id;
    return 0;
}

static mann_status ids_of_class(mni_cli *c, mann_gallery *g, const char *klass,
                                uint64_t **ids, size_t *n)
{
    gather w = { .klass = klass };
    mann_status s = mann_gallery_each(g, gather_class, &w, &c->err);
    if (s == MANN_OK && w.failed)
        s = mni_fail(&c->err, MANN_E_NOMEM, "ids of '%s'", klass);
    *ids = w.ids;
    *n = w.n;
    return s;
}

int mni_cmd_relabel(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *to = mni_opt_text(o, MNI_OPT_CLASS),
               *from = mni_opt_text(o, MNI_OPT_FROM);
    if (!to) return mni_cli_usage(c, "the new class is missing: --class NAME");
    if (!from == !records_named(c))
        return mni_cli_usage(c, "which records? give --from NAME, or --id LIST and --key "
                                "KEY");
    mann_gallery *g;
    uint64_t *ids = NULL;
    size_t n = 0;
    int code = mni_cli_open_to_write(c, &g);
    if (code != MNI_EXIT_OK) return code;
    mann_status s = from ? mni_cli_need_class(c, g, from) : MANN_OK;
    if (s == MANN_OK)
        s = from ? ids_of_class(c, g, from, &ids, &n) : listed_ids(c, g, 1, &ids, &n);
    if (s == MANN_OK && n) s = mann_gallery_relabel(g, ids, n, to, &c->err);
    mni_free(ids);
    char sentence[400];
    snprintf(sentence, sizeof sentence, "%zu record%s moved to '%.300s'", n,
             n == 1 ? "" : "s", to);
    code = s == MANN_OK ? report(c, g, "relabelled", n, sentence)
                        : mni_cli_fail(c, MNI_FROM_USER, s);
    return mni_cli_close_change(c, g, code);
}

/* --- compact ------------------------------------------------------------------------ */

int mni_cmd_compact(mni_cli *c)
{
    mann_gallery *g;
    mann_pool *pool;
    mann_gallery_info before = { .struct_size = sizeof before },
                      after = { .struct_size = sizeof after };
    int code = mni_cli_open_to_write(c, &g);
    if (code != MNI_EXIT_OK) return code;
    mann_status s = mni_cli_pool(c, &pool);
    mann_gallery_limit(g, mni_opt_u64(&c->options, MNI_OPT_MEM));
    if (s == MANN_OK) s = mann_gallery_describe(g, &before, &c->err);
    if (s == MANN_OK) s = mann_gallery_compact(g, pool, &c->hooks, &c->err);
    if (s == MANN_OK) s = mann_gallery_describe(g, &after, &c->err);
    mann_gallery_free(g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    uint64_t was = before.file_bytes + before.journal_bytes,
             is = after.file_bytes + after.journal_bytes;
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "gallery");
        mni_json_string(&j, c->options.files[0]);
        mni_json_key(&j, "bytes_before");
        mni_json_u64(&j, was);
        mni_json_key(&j, "bytes_after");
        mni_json_u64(&j, is);
        mni_json_key(&j, "rows");
        mni_json_u64(&j, after.n_rows);
        mni_json_key(&j, "generation");
        mni_json_u64(&j, after.generation);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        char a[24], b[24];
        mni_format_bytes(a, sizeof a, was);
        mni_format_bytes(b, sizeof b, is);
        mni_out_name(&c->out, c->options.files[0]);
        mni_text_f(&c->out, ": %s before, %s after, %llu records\n", a, b,
                   (unsigned long long)after.n_rows);
    }
    return MNI_EXIT_OK;
}
