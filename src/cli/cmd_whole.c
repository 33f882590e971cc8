/* cmd_whole.c - commands on whole galleries: snapshot, restore, merge, split, repair.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "cli/changing.h"
#include "cli/gallery_new.h"
#include "os/vfs.h"

static int exists(const char *path)
{
    mni_stat st;
    const mni_vfs *v = mni_vfs_posix();
    return v->ops->stat(v, path, &st, NULL) == MANN_OK;
}

/* What is written over is lost: only with --force. */
static int refuse_existing(mni_cli *c, const char *path)
{
    if (!exists(path) || mni_opt_flag(&c->options, MNI_OPT_FORCE)) return MNI_EXIT_OK;
    mni_fail(&c->err, MANN_E_EXISTS, "%s: exists already; --force replaces it", path);
    return mni_cli_fail(c, MNI_FROM_USER, MANN_E_EXISTS);
}

static int need_output(mni_cli *c, const char **out)
{
    *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    if (!*out) return mni_cli_usage(c, "where to? -o FILE is missing");
    return refuse_existing(c, *out);
}

/* Counts of the gallery at `path`, as a sentence or an object. */
static int report_file(mni_cli *c, const char *path, const mni_count *counts, size_t n)
{
    mann_gallery *g;
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_status s = mann_gallery_open(&g, path, MANN_OPEN_READ, &c->err);
    if (s == MANN_OK) s = mann_gallery_describe(g, &info, &c->err);
    mann_gallery_free(g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    if (mni_cli_json(c)) {
        mni_cli_json_counts(c, path, counts, n, &info, info.file_bytes);
    } else if (!mni_cli_quiet(c)) {
        char bytes[24];
        mni_format_bytes(bytes, sizeof bytes, info.file_bytes);
        mni_out_name(&c->out, path);
        mni_text_f(&c->out, ": %llu record%s of %u class%s, %s\n",
                   (unsigned long long)info.n_rows, mni_s(info.n_rows), info.n_classes,
                   mni_es(info.n_classes), bytes);
    }
    return MNI_EXIT_OK;
}

/* --- snapshot, restore -------------------------------------------------------------- */

static int copy_to(mni_cli *c, const char *from, unsigned flags, const char *to)
{
    mann_gallery *g = NULL;
    mann_pool *pool;
    mann_status s = mann_gallery_open(&g, from, flags, &c->err);
    if (s == MANN_OK && flags & MANN_OPEN_VERIFY)
        s = mann_gallery_verify(g, NULL, &c->err);
    if (s != MANN_OK) {
        mann_gallery_free(g);
        return mni_cli_fail(c, MNI_FROM_INPUT, s);
    }
    s = mni_cli_pool(c, &pool);
    if (s == MANN_OK)
        s = mann_gallery_copy(g, to, NULL, NULL, pool, &c->hooks, &c->err);
    mann_gallery_free(g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    return report_file(c, to, NULL, 0);
}

int mni_cmd_snapshot(mni_cli *c)
{
    const char *out;
    const int code = need_output(c, &out);
    if (code != MNI_EXIT_OK) return code;
    return copy_to(c, c->options.files[0], MANN_OPEN_READ, out);
}

int mni_cmd_restore(mni_cli *c)
{
    const char *out;
    const int code = need_output(c, &out);
    if (code != MNI_EXIT_OK) return code;
    return copy_to(c, c->options.files[0], MANN_OPEN_READ | MANN_OPEN_VERIFY, out);
}

/* --- merge -------------------------------------------------------------------------- */

/* Everything that could refuse later is asked before anything is written. */
static mann_status check_inputs(mni_cli *c, const char *out)
{
    const mni_options *o = &c->options;
    mann_gallery_info first = { .struct_size = sizeof first };
    for (size_t i = 0; i < o->n_files; i++) {
        mann_gallery_info info = { .struct_size = sizeof info };
        mann_gallery *g;
        if (mni_cli_same_file(o->files[i], out))
            return mni_fail(&c->err, MANN_E_EXISTS, "%s: is one of those to be merged",
                            out);
        MNI_TRY(mann_gallery_open(&g, o->files[i], MANN_OPEN_READ, &c->err));
        const mann_status s = mann_gallery_describe(g, &info, &c->err);
        mann_gallery_free(g);
        if (s != MANN_OK) return s;
        if (i == 0) first = info;
        char a[MNI_VIEW_WORDS], b[MNI_VIEW_WORDS];
        if (info.fingerprint == first.fingerprint && info.views != first.views)
            return mni_fail(&c->err, MANN_E_MISMATCH,
                            "%s looks at photos by --views %s, %s by %s", o->files[0],
                            mni_view_words(first.views, a), o->files[i],
                            mni_view_words(info.views, b));
        if (info.dim != first.dim || info.metric != first.metric ||
            info.fingerprint != first.fingerprint)
            return mni_fail(&c->err, MANN_E_MISMATCH,
                            "%s and %s were made with different models", o->files[0],
                            o->files[i]);
    }
    return MANN_OK;
}

int mni_cmd_merge(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *out;
    mann_gallery *g = NULL, *from = NULL;
    mann_pool *pool;
    mann_add_report sum = { .n_added = 0 };
    int code = need_output(c, &out);
    if (code != MNI_EXIT_OK) return code;
    mann_status s = check_inputs(c, out);
    if (s != MANN_OK)
        return mni_cli_fail(c, s == MANN_E_EXISTS ? MNI_FROM_USER : MNI_FROM_INPUT, s);
    s = mann_gallery_open(&from, o->files[0], MANN_OPEN_READ, &c->err);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    if (s == MANN_OK)
        s = mann_gallery_copy(from, out, NULL, NULL, pool, &c->hooks, &c->err);
    mann_gallery_free(from);
    if (s == MANN_OK) s = mann_gallery_open(&g, out, MANN_OPEN_WRITE, &c->err);
    for (size_t i = 1; i < o->n_files && s == MANN_OK; i++) {
        mann_add_report one = { .struct_size = sizeof one };
        s = mann_gallery_open(&from, o->files[i], MANN_OPEN_READ, &c->err);
        if (s == MANN_OK) s = mann_gallery_merge(g, from, &c->hooks, &one, &c->err);
        mann_gallery_free(from);
        sum.n_added += one.n_added;
        sum.n_present += one.n_present;
    }
    if (s == MANN_OK) s = mann_gallery_compact(g, pool, &c->hooks, &c->err);
    mann_gallery_free(g);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    const mni_count counts[] = { { "added", sum.n_added }, { "present", sum.n_present } };
    return report_file(c, out, counts, 2);
}

/* --- split -------------------------------------------------------------------------- */

typedef struct shard { uint32_t n, which; } shard;

/* The class decides, so that all photos of a class are in one shard; the hash of its
 * name, so that the shard of a class does not depend on what else there is. */
static int belongs(void *user, const mann_record *r)
{
    const shard *s = user;
    const char *name = r->class_name;
    const uint64_t h = name ? mni_hash_bytes(name, strlen(name), 0)
                            : mni_hash_bytes(&r->id, sizeof r->id, 1);
    return h % s->n == s->which;
}

int mni_cmd_split(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *dir = mni_opt_text(o, MNI_OPT_OUTPUT);
    shard part = { mni_opt_u32(o, MNI_OPT_SHARDS), 0 };
    mann_gallery *g;
    mann_pool *pool;
    const mni_vfs *v = mni_vfs_posix();
    if (!dir) return mni_cli_usage(c, "where to? -o DIR is missing");
    mann_status s = mann_gallery_open(&g, o->files[0], MANN_OPEN_READ, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = v->ops->mkdir(v, dir, &c->err);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    int code = MNI_EXIT_OK;
    for (; s == MANN_OK && code == MNI_EXIT_OK && part.which < part.n; part.which++) {
        mni_text name = { 0 }, path = { 0 };
        mni_text_f(&name, "shard_%03u_of_%03u.mann", (unsigned)part.which + 1,
                   (unsigned)part.n);
        mni_path_join(&path, dir, mni_text_get(&name));
        if (path.failed || name.failed) s = mni_fail(&c->err, MANN_E_NOMEM, "a name");
        if (s == MANN_OK) code = refuse_existing(c, mni_text_get(&path));
        if (s == MANN_OK && code == MNI_EXIT_OK)
            s = mann_gallery_copy(g, mni_text_get(&path), belongs, &part, pool, &c->hooks,
                                  &c->err);
        if (s == MANN_OK && code == MNI_EXIT_OK)
            code = report_file(c, mni_text_get(&path), NULL, 0);
        mni_text_fini(&name);
        mni_text_fini(&path);
    }
    mann_gallery_free(g);
    return s == MANN_OK ? code : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
}

/* --- repair ------------------------------------------------------------------------- */

int mni_cmd_repair(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *out = mni_opt_text(o, MNI_OPT_OUTPUT);
    mann_repair_report r = { .struct_size = sizeof r };
    mann_pool *pool;
    if (!out) return mni_cli_usage(c, "where to? -o FILE is missing; the damaged gallery "
                                      "itself is left as it is");
    mann_status s = mni_cli_pool(c, &pool);
    if (s == MANN_OK)
        s = mann_gallery_repair(o->files[0], out, mni_opt_given(o, MNI_OPT_INDEX)
                                                      ? mni_opt_text(o, MNI_OPT_INDEX)
                                                      : NULL,
                                pool, &c->hooks, &r, &c->err);
    if (s == MANN_E_EXISTS) return mni_cli_fail(c, MNI_FROM_USER, s);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    const mni_count counts[] = {
        { "saved", r.n_saved },           { "lost", r.n_lost },
        { "paths_lost", r.n_paths_lost }, { "names_lost", r.n_names_lost },
        { "keys_lost", r.n_keys_lost },
        { "model_lost", r.model_lost },   { "journal_bytes_cut", r.journal_cut_bytes },
        { "journal_ignored", r.journal_ignored }
    };
    if (r.n_lost || r.n_paths_lost || r.n_names_lost || r.n_keys_lost)
        mni_talk_say(&c->talk, MANN_NOTE_WARNING,
                     "lost: %llu record%s, the paths of %llu more, the keys of %llu, the "
                     "names of %llu class%s",
                     (unsigned long long)r.n_lost, mni_s(r.n_lost),
                     (unsigned long long)r.n_paths_lost,
                     (unsigned long long)r.n_keys_lost,
                     (unsigned long long)r.n_names_lost, mni_es(r.n_names_lost));
    if (r.journal_cut_bytes)
        mni_talk_say(&c->talk, MANN_NOTE_WARNING, "lost: %llu bytes of the journal's end",
                     (unsigned long long)r.journal_cut_bytes);
    const int code = report_file(c, out, counts, sizeof counts / sizeof *counts);
    const int whole = !r.n_lost && !r.n_paths_lost && !r.n_names_lost &&
                      !r.n_keys_lost && !r.model_lost && !r.journal_cut_bytes;
    return code == MNI_EXIT_OK && !whole ? MNI_EXIT_CHECK : code;
}
