/* cmd_synth.c - draws a procedural data set, on all threads. SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "os/pool.h"
#include "os/vfs.h"

enum { GROUP = 256 };           /* pictures between two looks at Ctrl-C */

typedef struct job {
    mni_cli *c;
    const char *dir;
    mann_synth_config config;
    uint64_t first_class, first_view, at, n;
    uint32_t views;
    unsigned digits;            /* of the view numbers */
    uint32_t n_alone, alone[8]; /* --each: conditions that are drawn one by one */
    mann_error *problems;       /* one per picture of the group */
} job;

static const char *const names[] = { "pose", "light",     "background", "scale",
                                     "crop", "occlusion", "blur",       "noise" };

static uint32_t conditions(const mni_options *o)
{
    return mni_opt_mask(o, MNI_OPT_CONDITIONS, names, sizeof names / sizeof *names,
                        MANN_SYNTH_ALL);
}

/* With --each a class has its views once for every condition, in a folder each. */
static mann_status draw_one(const job *w, uint64_t picture, mann_error *err)
{
    const uint32_t per_class = w->views * (w->n_alone ? w->n_alone : 1);
    const uint64_t klass = w->first_class + picture / per_class,
                   at = picture % per_class, view = w->first_view + at % w->views;
    mann_synth_config config = w->config;
    mann_image im = { 0 };
    mni_text folder = { 0 }, path = { 0 }, name = { 0 };
    mni_text_f(&name, "class_%06llu", (unsigned long long)klass);
    mni_path_join(&folder, w->dir, mni_text_get(&name));
    mann_status s = folder.failed || name.failed ? mni_fail(err, MANN_E_NOMEM, "path")
                                                 : MANN_OK;
    if (s == MANN_OK && at == 0)
        s = mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), mni_text_get(&folder), err);
    if (w->n_alone) {
        const uint32_t condition = w->alone[at / w->views];
        mni_text_f(&folder, "/%s", names[condition]);
        config.conditions = 1u << condition;
        if (s == MANN_OK && at % w->views == 0)
            s = mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), mni_text_get(&folder), err);
    }
    mni_text_clear(&name);
    mni_text_f(&name, "view_%0*llu.png", (int)w->digits, (unsigned long long)view);
    mni_path_join(&path, mni_text_get(&folder), mni_text_get(&name));
    if (s == MANN_OK && (folder.failed || path.failed || name.failed))
        s = mni_fail(err, MANN_E_NOMEM, "path");
    if (s == MANN_OK) s = mann_synth_draw(&im, &config, klass, view, err);
    if (s == MANN_OK) s = mann_image_write_png(mni_text_get(&path), &im, err);
    mann_image_clear(&im);
    mni_text_fini(&folder);
    mni_text_fini(&path);
    mni_text_fini(&name);
    return s;
}

static void draw_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    job *w = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        w->problems[i].code = draw_one(w, w->at + i, &w->problems[i]);
}

/* A group is a number of whole classes, and a chunk is one class: the thread that draws a
 * class's first view has made its folder before it draws the others. */
static mann_status draw_all(job *w)
{
    mann_pool *pool;
    const uint32_t each = w->views * (w->n_alone ? w->n_alone : 1);
    uint64_t group = (GROUP / each + 1) * (uint64_t)each;
    MNI_TRY(mni_cli_pool(w->c, &pool));
    w->problems = mni_alloc((size_t)group, sizeof *w->problems);
    if (!w->problems) return mni_fail(&w->c->err, MANN_E_NOMEM, "%u views", w->views);
    for (w->at = 0; w->at < w->n; w->at += group) {
        size_t n = w->n - w->at < group ? (size_t)(w->n - w->at) : (size_t)group;
        if (mni_talk_step(&w->c->talk, "draw", w->at, w->n)) return MANN_E_CANCELLED;
        mni_parallel_for(pool, n, each, draw_range, w);
        for (size_t i = 0; i < n; i++)
            if (w->problems[i].code != MANN_OK) {
                w->c->err = w->problems[i];
                return w->problems[i].code;
            }
    }
    mni_talk_step(&w->c->talk, "draw", w->n, w->n);
    return MANN_OK;
}

static unsigned digits_of(uint64_t n)
{
    unsigned digits = 1;
    while (n >= 10) { n /= 10; digits++; }
    return digits < 2 ? 2 : digits;
}

static void report(const job *w, uint32_t classes)
{
    mni_cli *c = w->c;
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "dataset");
        mni_json_string(&j, w->dir);
        mni_json_key(&j, "classes");
        mni_json_u64(&j, classes);
        mni_json_key(&j, "views");
        mni_json_u64(&j, w->views);
        mni_json_key(&j, "images");
        mni_json_u64(&j, w->n);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, w->dir);
        mni_text_f(&c->out, ": %llu picture%s, %u class%s of %u view%s\n",
                   (unsigned long long)w->n, mni_s(w->n), classes, mni_es(classes),
                   w->views, mni_s(w->views));
    }
}

int mni_cmd_synth(mni_cli *c)
{
    const mni_options *o = &c->options;
    job w = { .c = c, .dir = mni_opt_text(o, MNI_OPT_OUTPUT) };
    uint32_t classes = mni_opt_u32(o, MNI_OPT_CLASSES);
    if (!w.dir) return mni_cli_usage(c, "where to? -o DIR is missing");
    mann_synth_config_fill(&w.config, sizeof w.config);
    w.config.size = mni_opt_u32(o, MNI_OPT_SIZE);
    w.config.conditions = conditions(o);
    w.config.strength = (float)mni_opt_float(o, MNI_OPT_STRENGTH);
    w.config.seed = mni_opt_u64(o, MNI_OPT_SEED);
    w.first_class = mni_opt_u64(o, MNI_OPT_FIRST_CLASS);
    w.first_view = mni_opt_u64(o, MNI_OPT_FIRST_VIEW);
    w.views = mni_opt_u32(o, MNI_OPT_VIEWS);
    for (uint32_t k = 0; k < 8 && mni_opt_flag(o, MNI_OPT_EACH); k++)
        if (w.config.conditions >> k & 1) w.alone[w.n_alone++] = k;
    w.n = (uint64_t)classes * w.views * (w.n_alone ? w.n_alone : 1);
    w.digits = digits_of(w.first_view + w.views - 1);
    mann_status s = mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), w.dir, &c->err);
    if (s == MANN_OK) s = draw_all(&w);
    mni_free(w.problems);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    report(&w, classes);
    return MNI_EXIT_OK;
}
