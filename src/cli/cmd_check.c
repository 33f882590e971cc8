/* cmd_check.c - verify, selftest: does everything stand as it should?
 * SPDX-License-Identifier: MIT */
#include "cli/cli.h"

/* One shape for every check: what, whether it is good, and the sentence if it is not. */
static int verdict(mni_cli *c, const char *key, const char *name, mann_status s)
{
    int code = mni_exit_of(MNI_FROM_CHECK, s);
    if (mni_cli_json(c) && (code == MNI_EXIT_OK || code == MNI_EXIT_CHECK)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, key);
        mni_json_string(&j, name);
        mni_json_key(&j, "good");
        mni_json_bool(&j, s == MANN_OK);
        mni_json_key(&j, "error");
        mni_json_string(&j, s == MANN_OK ? NULL : c->err.text);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (s == MANN_OK && !mni_cli_quiet(c)) {
        mni_out_name(&c->out, name);
        mni_text_add(&c->out, ": good\n");
    }
    return s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_CHECK, s);
}

static int verify_set(mni_cli *c, const char *path)
{
    mann_dataset *set;
    mann_status s = mann_dataset_open(&set, path, &c->hooks, &c->err);
    if (s == MANN_OK) s = mann_dataset_verify(set, &c->hooks, &c->err);
    mann_dataset_free(set);
    return verdict(c, "dataset", path, s);
}

int mni_cmd_verify(mni_cli *c)
{
    const char *path = c->options.files[0];
    if (mni_is_packed_set(path)) return verify_set(c, path);
    mann_gallery *g;
    mann_status s = mni_cli_gallery(c, path, MANN_OPEN_READ | MANN_OPEN_VERIFY, &g);
    if (s == MANN_OK) s = mann_gallery_verify(g, &c->hooks, &c->err);
    mann_gallery_free(g);
    return verdict(c, "gallery", path, s);
}

int mni_cmd_selftest(mni_cli *c)
{
    return verdict(c, "selftest", mann_simd_name(), mann_selftest(&c->hooks, &c->err));
}
