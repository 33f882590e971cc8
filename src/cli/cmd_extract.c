/* cmd_extract.c - photos -> vectors in a gallery without an index.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/gallery_new.h"
#include "cli/paths.h"
#include "os/vfs.h"

/* --- --npy: one small file per photo, as other tools' scripts expect them ----------- */

typedef struct npy_job {
    mni_cli *c;
    const char *dir;
    uint32_t *n_of_class;       /* files written so far, by class number + 1 */
    uint32_t dim;
    uint64_t done, total;
    mni_text paths;             /* paths.tsv, line by line */
    mann_status status;
} npy_job;

/* A class may come from a manifest and hold anything: what is no folder name is changed.
 */
static void folder_name(mni_text *out, const char *name)
{
    if (!name || !*name) name = "no_class";
    if (name[0] == '.') { mni_text_char(out, '_'); name++; }
    for (; *name; name++) mni_text_char(out, *name == '/' ? '_' : *name);
}

static mann_status write_npy(npy_job *job, const mann_record *r)
{
    const mni_vfs *v = mni_vfs_posix();
    uint32_t *number = &job->n_of_class[r->klass == MANN_NO_CLASS ? 0 : r->klass + 1];
    mni_text class_dir = { 0 }, name = { 0 }, path = { 0 };
    folder_name(&name, r->class_name);
    mni_path_join(&class_dir, job->dir, mni_text_get(&name));
    mni_text_f(&name, "/%03u.npy", ++*number);
    mni_path_join(&path, job->dir, mni_text_get(&name));
    mni_paths_line(&job->paths, mni_text_get(&name), r->source);
    mann_status s = MANN_OK;
    if (class_dir.failed || name.failed || path.failed || job->paths.failed)
        s = mni_fail(&job->c->err, MANN_E_NOMEM, "path");
    if (s == MANN_OK && *number == 1)
        s = v->ops->mkdir(v, mni_text_get(&class_dir), &job->c->err);
    if (s == MANN_OK)
        s = mann_vectors_write(mni_text_get(&path),
                               (mann_matrix){ r->vector, 1, job->dim, 0 }, &job->c->err);
    mni_text_fini(&class_dir);
    mni_text_fini(&name);
    mni_text_fini(&path);
    return s;
}

static int npy_record(void *user, const mann_record *r)
{
    npy_job *job = user;
    if (mni_talk_step(&job->c->talk, "npy", job->done, job->total))
        job->status = MANN_E_CANCELLED;
    else job->status = write_npy(job, r);
    job->done++;
    return job->status != MANN_OK;
}

static mann_status write_paths(npy_job *job)
{
    mni_text path = { 0 };
    mni_path_join(&path, job->dir, MNI_PATHS_NAME);
    mann_status s = path.failed
                        ? mni_fail(&job->c->err, MANN_E_NOMEM, "path")
                        : mni_replace_file(mni_vfs_posix(), mni_text_get(&path),
                                           mni_text_get(&job->paths), job->paths.n_chars,
                                           &job->c->err);
    mni_text_fini(&path);
    return s;
}

static mann_status write_all_npy(mni_cli *c, mann_gallery *g, const char *dir)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    MNI_TRY(mann_gallery_describe(g, &info, &c->err));
    MNI_TRY(mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), dir, &c->err));
    npy_job job = { .c = c, .dir = dir, .dim = info.dim, .total = info.n_rows };
    job.n_of_class = mni_alloc((size_t)info.n_classes + 1, sizeof *job.n_of_class);
    if (!job.n_of_class)
        return mni_fail(&c->err, MANN_E_NOMEM, "%u classes", info.n_classes);
    mann_status s = mann_gallery_each(g, npy_record, &job, &c->err);
    if (s == MANN_OK && job.status == MANN_OK) s = write_paths(&job);
    mni_free(job.n_of_class);
    mni_text_fini(&job.paths);
    return job.status != MANN_OK ? job.status : s;
}

/* --- the command -------------------------------------------------------------------- */

static void report(mni_cli *c, const char *path, const mann_add_report *r,
                   const mann_gallery_info *info)
{
    if (!mni_cli_json(c)) {
        if (mni_cli_quiet(c)) return;
        mni_out_name(&c->out, path);
        mni_text_f(&c->out,
                   ": %llu photo%s of %u class%s, %u numbers each (%llu new, %llu "
                   "already there, "
                   "%llu skipped)\n",
                   (unsigned long long)info->n_rows, mni_s(info->n_rows), info->n_classes,
                   mni_es(info->n_classes), info->dim, (unsigned long long)r->n_added,
                   (unsigned long long)r->n_present, (unsigned long long)r->n_skipped);
        return;
    }
    mni_json j;
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "gallery");
    mni_json_string(&j, path);
    mni_report_added(&j, r);
    mni_json_key(&j, "rows");
    mni_json_u64(&j, info->n_rows);
    mni_json_key(&j, "classes");
    mni_json_u64(&j, info->n_classes);
    mni_json_key(&j, "dim");
    mni_json_u64(&j, info->dim);
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
}

/* One file to carry away, no journal beside it. */
static mann_status fold_journal(mni_cli *c, mann_gallery *g)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_pool *pool = NULL;
    MNI_TRY(mann_gallery_describe(g, &info, &c->err));
    if (!info.n_tail && !info.n_dead) return MANN_OK;
    mann_status s = mni_cli_pool(c, &pool);
    if (s == MANN_OK) s = mann_gallery_compact(g, pool, &c->hooks, &c->err);
    return s;
}

int mni_cmd_extract(mni_cli *c)
{
    const char *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    const char *npy = mni_opt_text(&c->options, MNI_OPT_NPY);
    if (!out) return mni_cli_usage(c, "where to? -o GALLERY is missing");
    mann_gallery *g = NULL;
    mann_add_report added = { .struct_size = sizeof added };
    mann_gallery_info info = { .struct_size = sizeof info };
    int code = mni_gallery_from_photos(c, c->options.files[0], out, &g, &added);
    if (code == MNI_EXIT_OK) {
        mann_status s = fold_journal(c, g);
        if (s != MANN_OK) code = mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    if (code == MNI_EXIT_OK && npy) {
        mann_status s = write_all_npy(c, g, npy);
        if (s != MANN_OK) code = mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    if (code == MNI_EXIT_OK) {
        mann_status s = mann_gallery_describe(g, &info, &c->err);
        if (s == MANN_OK && info.n_rows && !info.n_classes)
            mni_talk_say(&c->talk, MANN_NOTE_WARNING,
                         "no photo has a class: wanted one sub-folder of %s for each",
                         c->options.files[0]);
        if (s == MANN_OK) report(c, out, &added, &info);
        else code = mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    mann_gallery_free(g);
    return code;
}
