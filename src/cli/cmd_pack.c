/* cmd_pack.c - a data set into one file, and out of it again.
 * SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "os/vfs.h"

static int report(mni_cli *c, const char *key, const char *to,
                  const mann_pack_report *r, uint64_t file_bytes)
{
    char size[24];
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, key);
        mni_json_string(&j, to);
        mni_json_key(&j, "photos");
        mni_json_u64(&j, r->n_photos);
        mni_json_key(&j, "classes");
        mni_json_u64(&j, r->n_classes);
        mni_json_key(&j, "skipped");
        mni_json_u64(&j, r->n_skipped);
        mni_json_key(&j, "photo_bytes");
        mni_json_u64(&j, r->n_bytes);
        if (file_bytes) {
            mni_json_key(&j, "file_bytes");
            mni_json_u64(&j, file_bytes);
        }
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_format_bytes(size, sizeof size, file_bytes ? file_bytes : r->n_bytes);
        mni_out_name(&c->out, to);
        mni_text_f(&c->out, ": %llu photo%s of %u class%s, %s%s\n",
                   (unsigned long long)r->n_photos, mni_s(r->n_photos), r->n_classes,
                   mni_es(r->n_classes), size,
                   r->manifest ? "; manifest.tsv says their classes" : "");
    }
    if (r->n_skipped)
        mni_talk_say(&c->talk, MANN_NOTE_WARNING,
                     "%llu photo%s could not be read and %s skipped",
                     (unsigned long long)r->n_skipped, mni_s(r->n_skipped),
                     r->n_skipped == 1 ? "was" : "were");
    return r->n_skipped ? MNI_EXIT_CHECK : MNI_EXIT_OK;
}

int mni_cmd_pack(mni_cli *c)
{
    const char *in = c->options.files[0], *to = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    const mni_vfs *v = mni_vfs_posix();
    mann_pack_report r = { .struct_size = sizeof r };
    mann_dataset *set;
    mni_stat st;
    if (!to) return mni_cli_usage(c, "where to? -o FILE is missing");
    if (v->ops->stat(v, to, &st, NULL) == MANN_OK &&
        (st.kind == MNI_IS_DIR || !mni_opt_flag(&c->options, MNI_OPT_FORCE))) {
        mni_fail(&c->err, MANN_E_EXISTS, "%s: exists already; --force replaces %s", to,
                 st.kind == MNI_IS_DIR ? "a file, not a folder" : "it");
        return mni_cli_fail(c, MNI_FROM_USER, MANN_E_EXISTS);
    }
    mann_status s = mann_dataset_open(&set, in, &c->hooks, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = mann_dataset_pack(set, to, &c->hooks, &r, &c->err);
    mann_dataset_free(set);
    if (s == MANN_OK) s = v->ops->stat(v, to, &st, &c->err);
    if (s != MANN_OK)
        return mni_cli_fail(c, s == MANN_E_NOT_FOUND && !r.n_photos ? MNI_FROM_INPUT
                                                                    : MNI_FROM_OUTPUT,
                            s);
    return report(c, "file", to, &r, st.n_bytes);
}

int mni_cmd_unpack(mni_cli *c)
{
    const char *in = c->options.files[0], *to = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    mann_pack_report r = { .struct_size = sizeof r };
    mann_dataset *set;
    if (!to) return mni_cli_usage(c, "where to? -o DIR is missing");
    mann_status s = mann_dataset_open(&set, in, &c->hooks, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = mann_dataset_unpack(set, to, &c->hooks, &r, &c->err);
    mann_dataset_free(set);
    if (s != MANN_OK)
        return mni_cli_fail(c, s == MANN_E_EXISTS ? MNI_FROM_USER
                               : s == MANN_E_FORMAT || s == MANN_E_UNSUPPORTED
                                   ? MNI_FROM_INPUT : MNI_FROM_OUTPUT, s);
    return report(c, "folder", to, &r, 0);
}
