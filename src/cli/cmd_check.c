/* cmd_check.c - verify, selftest: does everything stand as it should?
 * SPDX-License-Identifier: MIT */
#include "cli/cli.h"

static void put_recall(mni_json *j, const mann_recall *r)
{
    const struct { const char *key; double value; } reals[] = {
        { "recall", r->recall }, { "recall_low", r->low }, { "recall_high", r->high }
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        mni_json_key(j, reals[i].key);
        mni_json_real(j, reals[i].value, 6);
    }
    mni_json_key(j, "k");
    mni_json_u64(j, r->k);
    mni_json_key(j, "rows_asked");
    mni_json_u64(j, r->n_rows);
}

/* One shape for every check: what, whether it is good, and the sentence if it is not;
 * measured: NULL, or what the index found. */
static int verdict(mni_cli *c, const char *key, const char *name,
                   const mann_recall *measured, mann_status s)
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
        if (measured) put_recall(&j, measured);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (s == MANN_OK && !mni_cli_quiet(c)) {
        mni_out_name(&c->out, name);
        mni_text_add(&c->out, ": good\n");
        if (measured)
            mni_text_f(&c->out,
                       "  recall@%u %.4f (%.4f to %.4f, 95 %%) of %llu stored rows\n",
                       (unsigned)measured->k, measured->recall, measured->low,
                       measured->high, (unsigned long long)measured->n_rows);
    }
    return s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_CHECK, s);
}

static int verify_set(mni_cli *c, const char *path)
{
    mann_dataset *set;
    mann_status s = mann_dataset_open(&set, path, &c->hooks, &c->err);
    if (s == MANN_OK) s = mann_dataset_verify(set, &c->hooks, &c->err);
    mann_dataset_free(set);
    return verdict(c, "dataset", path, NULL, s);
}

enum { NEAREST = 10 };

int mni_cmd_verify(mni_cli *c)
{
    const mni_options *o = &c->options;
    const char *path = o->files[0];
    const int wants_recall = mni_opt_given(o, MNI_OPT_RECALL);
    mann_recall found = { .struct_size = sizeof found };
    if (mni_is_packed_set(path)) {
        if (wants_recall)
            return mni_cli_usage(c, "%s is a data set: --recall is for galleries", path);
        return verify_set(c, path);
    }
    mann_gallery *g;
    mann_pool *pool;
    int measured = 0;
    mann_status s = mni_cli_gallery(c, path, MANN_OPEN_READ | MANN_OPEN_VERIFY, &g);
    if (s == MANN_OK) s = mann_gallery_verify(g, &c->hooks, &c->err);
    if (s == MANN_OK && wants_recall) {
        s = mni_cli_pool(c, &pool);
        if (s == MANN_OK)
            s = mann_gallery_recall(g, 0, NEAREST, pool, &found, &c->err);
        measured = s == MANN_OK;
    }
    const double wanted = wants_recall ? mni_opt_float(o, MNI_OPT_RECALL) : 0;
    if (measured && found.recall < wanted)
        s = mni_fail(&c->err, MANN_E_FORMAT,
                     "%s: its index finds %.4f of the %u nearest (%.4f to %.4f, 95 %%, "
                     "of %llu stored rows), wanted %.4g: tune it, or build it anew",
                     path, found.recall, (unsigned)found.k, found.low, found.high,
                     (unsigned long long)found.n_rows, wanted);
    mann_gallery_free(g);
    return verdict(c, "gallery", path, measured ? &found : NULL, s);
}

/* --- selftest ----------------------------------------------------------------------- */

/* One model, as a line or an element of "models". */
static void tell_model(mni_cli *c, mni_json *j, const char *path, uint32_t n_golden,
                       mann_status s)
{
    if (mni_cli_json(c)) {
        mni_json_object(j);
        mni_json_key(j, "model");
        mni_json_string(j, path);
        mni_json_key(j, "good");
        mni_json_bool(j, s == MANN_OK);
        mni_json_key(j, "error");
        mni_json_string(j, s == MANN_OK ? NULL : c->err.text);
        mni_json_key(j, "golden_pictures");
        mni_json_u64(j, n_golden);
        mni_json_end(j);
    } else if (s == MANN_OK && !mni_cli_quiet(c)) {
        mni_out_name(&c->out, path);
        if (n_golden)
            mni_text_f(&c->out, ": good, %u golden picture%s\n", (unsigned)n_golden,
                       mni_s(n_golden));
        else
            mni_text_add(&c->out, ": can be read, but has no golden vectors to be "
                                  "compared with\n");
    }
}

/* All of them, also after one that failed; the exit status is that of the first. */
static int selftest_models(mni_cli *c, mni_json *j)
{
    int code = MNI_EXIT_OK;
    for (size_t i = 0; i < c->options.n_files; i++) {
        const char *path = c->options.files[i];
        mann_model *m = NULL;
        mann_model_info info = { .struct_size = sizeof info };
        mann_status s = mni_cli_model(c, path, &m);
        if (s == MANN_OK) s = mann_model_describe(m, &info, &c->err);
        if (s == MANN_OK) {
            s = mann_model_selftest(m, &c->hooks, &c->err);
            if (s != MANN_OK) mni_fail_prefix(&c->err, s, "%s", path);
        }
        mann_model_free(m);
        tell_model(c, j, path, info.n_golden, s);
        const int now = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_CHECK, s);
        if (code == MNI_EXIT_OK) code = now;
    }
    return code;
}

int mni_cmd_selftest(mni_cli *c)
{
    const mann_status s = mann_selftest(&c->hooks, &c->err);
    if (c->options.n_files == 0 || s != MANN_OK)
        return verdict(c, "selftest", mann_simd_name(), NULL, s);
    mni_json j;
    if (!mni_cli_json(c)) {
        verdict(c, "selftest", mann_simd_name(), NULL, s);
        return selftest_models(c, NULL);
    }
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "selftest");
    mni_json_string(&j, mann_simd_name());
    mni_json_key(&j, "good");
    mni_json_bool(&j, 1);
    mni_json_key(&j, "error");
    mni_json_string(&j, NULL);
    mni_json_key(&j, "models");
    mni_json_array(&j);
    const int code = selftest_models(c, &j);
    mni_json_end(&j);
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
    return code;
}
