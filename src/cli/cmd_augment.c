/* cmd_augment.c - a data set with seeded copies of every photo beside it, for training
 * programs that do not make their own. The original comes along byte for byte, its copies
 * are called NAME_1, NAME_2, ... SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/bytes.h"
#include "base/idmap.h"
#include "cli/cli.h"
#include "os/pool.h"
#include "os/vfs.h"

enum { GROUP = 8, JPEG_QUALITY = 95, MOST_PARENTS = 64, LEAST_SIDE = 8 };
#define MAX_PHOTO_FILE (1ull << 30)

typedef struct original {
    char *from, *to;        /* paths; owned */
    mann_image image;       /* pixels NULL: could not be read, or is too small */
    int tiny;               /* too small to be changed: goes along without copies */
    mann_error problem;
} original;

typedef struct job {
    mni_cli *c;
    const char *in, *out;
    const mann_dataset *set;
    int in_is_folder;
    mann_augment_config config;
    uint32_t copies, side;      /* most pixels a side; 0: as they are */
    uint64_t first, n, n_bad, n_tiny;
    mni_idmap names;            /* hash of a photo's path in OUT -> 1 */
    original group[GROUP];
    mann_error *problems;       /* of the group's copies */
} job;

static uint32_t changes(const mni_options *o)
{
    static const char *const names[] = { "light", "colour", "occlusion",  "crop",
                                         "scale", "rotation", "blur",     "jpeg",
                                         "background", "flip", "noise" };
    return mni_opt_mask(o, MNI_OPT_CHANGES, names, sizeof names / sizeof *names,
                        MANN_CHANGE_ALL);
}

/* --- names -------------------------------------------------------------------------- */

/* Where photo i lies, and where it goes: as it lay below the data set; what a manifest
 * names elsewhere goes to the folder of its class. */
static mann_status name_photo(const job *w, uint64_t i, mni_text *from, mni_text *to)
{
    uint32_t klass;
    const char *path = mann_dataset_path(w->set, i, &klass);
    mni_text dir = { 0 };
    if (path[0] == '/') {
        mni_text_add(from, path);
    } else {
        if (w->in_is_folder) mni_text_add(&dir, w->in);
        else mni_path_dir(&dir, w->in);
        mni_path_join(from, mni_text_get(&dir), path);
    }
    mni_text_clear(&dir);
    mni_text_add(&dir, w->out);
    if (path[0] == '/' || strstr(path, "..")) {
        if (klass != MANN_NO_CLASS)
            mni_text_f(&dir, "/%s", mann_dataset_class(w->set, klass));
        path = mni_path_name(path);
    }
    mni_path_join(to, mni_text_get(&dir), path);
    const int failed = dir.failed || from->failed || to->failed;
    mni_text_fini(&dir);
    return failed ? mni_fail(&w->c->err, MANN_E_NOMEM, "path") : MANN_OK;
}

static uint64_t hash_of(const char *path)
{
    return mni_hash_bytes(path, strlen(path), 0);
}

/* "cat/a.jpg" -> "cat/a_7.jpg"; what we cannot write keeps its name:
 * "cat/a.webp" -> "cat/a.webp_7.png". */
static void name_copy(const char *to, uint32_t copy, mni_text *out)
{
    const char *dot = strrchr(mni_path_name(to), '.');
    const int jpeg = mni_text_ends(to, ".jpg") || mni_text_ends(to, ".jpeg"),
              ours = jpeg || mni_text_ends(to, ".png");
    const size_t stem = ours ? (size_t)(dot - to) : strlen(to);
    mni_text_f(out, "%.*s_%u%s", (int)stem, to, (unsigned)copy, ours ? dot : ".png");
}

static mann_status make_folders(const job *w, const char *path, mann_error *err)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_text dir = { 0 };
    mann_status s = MANN_OK;
    for (const char *at = path + strlen(w->out); s == MANN_OK && (at = strchr(at, '/'));
         at++) {
        mni_text_clear(&dir);
        mni_text_f(&dir, "%.*s", (int)(at - path), path);
        s = dir.failed ? mni_fail(err, MANN_E_NOMEM, "path")
                       : v->ops->mkdir(v, mni_text_get(&dir), err);
    }
    mni_text_fini(&dir);
    return s;
}

/* All names first: a copy must not be written over a photo that is called so already. */
static mann_status gather_names(job *w)
{
    mann_status s = MANN_OK;
    for (uint64_t i = 0; s == MANN_OK && i < w->n; i++) {
        mni_text from = { 0 }, to = { 0 };
        uint32_t one;
        s = name_photo(w, i, &from, &to);
        if (s == MANN_OK && mni_idmap_get(&w->names, hash_of(mni_text_get(&to)), &one))
            s = mni_fail(&w->c->err, MANN_E_EXISTS, "%s: two photos would get this name",
                         mni_text_get(&to));
        if (s == MANN_OK && !mni_idmap_put(&w->names, hash_of(mni_text_get(&to)), 1))
            s = mni_fail(&w->c->err, MANN_E_NOMEM, "names of photos");
        mni_text_fini(&from);
        mni_text_fini(&to);
    }
    return s;
}

/* --- photos ------------------------------------------------------------------------- */

static mann_status shrink(const job *w, mann_image *im, mann_error *err)
{
    const uint32_t most = im->width > im->height ? im->width : im->height;
    mann_image small;
    if (!w->side || most <= w->side) return MANN_OK;
    const uint64_t a = (uint64_t)im->width * w->side / most,
                   b = (uint64_t)im->height * w->side / most;
    MNI_TRY(mann_image_resize(&small, im, a ? (uint32_t)a : 1, b ? (uint32_t)b : 1, err));
    mann_image_clear(im);
    *im = small;
    return MANN_OK;
}

/* Reads one photo, puts its very bytes into OUT, and decodes it. */
static mann_status load(const job *w, original *p)
{
    const mni_vfs *v = mni_vfs_posix();
    uint8_t *bytes;
    size_t n_bytes;
    mann_decode_options o;
    mann_decode_options_fill(&o, sizeof o);
    o.keep_alpha = 1;
    MNI_TRY(mni_read_file(v, p->from, MAX_PHOTO_FILE, &bytes, &n_bytes, &p->problem));
    mann_status s =
        mann_image_decode_with(&p->image, bytes, n_bytes, &o, &p->problem);
    if (s == MANN_OK) s = shrink(w, &p->image, &p->problem);
    if (s == MANN_OK) s = mni_put_file(v, p->to, bytes, n_bytes, &p->problem);
    mni_free(bytes);
    p->tiny = s == MANN_OK &&
              (p->image.width < LEAST_SIDE || p->image.height < LEAST_SIDE);
    if (!p->tiny) return s;
    s = mni_fail(&p->problem, MANN_E_FORMAT,
                 "%u x %u pixels, wanted %d x %d to change it",
                 (unsigned)p->image.width, (unsigned)p->image.height, LEAST_SIDE,
                 LEAST_SIDE);
    mann_image_clear(&p->image);
    return s;
}

static void load_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    job *w = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        w->group[i].problem.code = load(w, &w->group[i]);
}

static mann_status make_copy(const job *w, const original *p, uint32_t copy,
                             mann_error *err)
{
    const uint64_t key = hash_of(p->to + strlen(w->out));
    uint32_t one;
    mann_image im = { 0 };
    mni_text name = { 0 };
    name_copy(p->to, copy, &name);
    const char *path = mni_text_get(&name);
    mann_status s = name.failed ? mni_fail(err, MANN_E_NOMEM, "path") : MANN_OK;
    if (s == MANN_OK && mni_idmap_get(&w->names, hash_of(path), &one))
        s = mni_fail(err, MANN_E_EXISTS, "%s: a photo of the data set is called so, and "
                                         "a copy would be; rename it", path);
    if (s == MANN_OK) s = mann_augment_image(&im, &p->image, &w->config, key, copy, err);
    if (s == MANN_OK)
        s = mni_text_ends(path, ".png")
                ? mann_image_write_png(path, &im, err)
                : mann_image_write_jpeg(path, &im, JPEG_QUALITY, err);
    mann_image_clear(&im);
    mni_text_fini(&name);
    return s;
}

static void copy_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    job *w = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const original *p = &w->group[i / w->copies];
        w->problems[i].code = MANN_OK;
        if (p->image.pixels)
            w->problems[i].code = make_copy(w, p, (uint32_t)(i % w->copies) + 1,
                                            &w->problems[i]);
    }
}

/* --- all of them -------------------------------------------------------------------- */

static mann_status prepare_group(job *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mni_text from = { 0 }, to = { 0 };
        original *p = &w->group[i];
        mann_status s = name_photo(w, w->first + i, &from, &to);
        if (s == MANN_OK) {
            p->from = mni_strdup(mni_text_get(&from));
            p->to = mni_strdup(mni_text_get(&to));
            if (!p->from || !p->to) s = mni_fail(&w->c->err, MANN_E_NOMEM, "path");
        }
        mni_text_fini(&from);
        mni_text_fini(&to);
        MNI_TRY(s);
        MNI_TRY(make_folders(w, p->to, &w->c->err));
    }
    return MANN_OK;
}

static void clear_group(job *w)
{
    for (size_t i = 0; i < GROUP; i++) {
        mni_free(w->group[i].from);
        mni_free(w->group[i].to);
        mann_image_clear(&w->group[i].image);
        w->group[i] = (original){ 0 };
    }
}

/* A photo that cannot be read is told and left out, a tiny one goes along without copies;
 * a file that cannot be written ends the whole. */
static mann_status run_group(job *w, mann_pool *pool, size_t n)
{
    MNI_TRY(prepare_group(w, n));
    mni_parallel_for(pool, n, 1, load_range, w);
    for (size_t i = 0; i < n; i++) {
        original *p = &w->group[i];
        if (p->problem.code == MANN_OK) continue;
        if (p->image.pixels || p->problem.code == MANN_E_NOMEM) {
            w->c->err = p->problem;
            return p->problem.code;
        }
        *(p->tiny ? &w->n_tiny : &w->n_bad) += 1;
        mni_talk_say(&w->c->talk, MANN_NOTE_WARNING, "%s: %s: %s", p->from,
                     p->tiny ? "no copies" : "left out", p->problem.text);
    }
    mni_parallel_for(pool, n * w->copies, 1, copy_range, w);
    for (size_t i = 0; i < n * w->copies; i++)
        if (w->problems[i].code != MANN_OK) {
            w->c->err = w->problems[i];
            return w->problems[i].code;
        }
    return MANN_OK;
}

static mann_status run_all(job *w)
{
    mann_pool *pool;
    MNI_TRY(mni_cli_pool(w->c, &pool));
    MNI_TRY(gather_names(w));
    w->problems = mni_alloc((size_t)GROUP * w->copies, sizeof *w->problems);
    if (!w->problems) return mni_fail(&w->c->err, MANN_E_NOMEM, "%u copies", w->copies);
    for (w->first = 0; w->first < w->n; w->first += GROUP) {
        const uint64_t left = w->n - w->first;
        if (mni_talk_step(&w->c->talk, "augment", w->first, w->n))
            return MANN_E_CANCELLED;
        const mann_status s = run_group(w, pool, left < GROUP ? (size_t)left : GROUP);
        clear_group(w);
        if (s != MANN_OK) return s;
    }
    mni_talk_step(&w->c->talk, "augment", w->n, w->n);
    return MANN_OK;
}

/* OUT in DIR would be a class of DIR the next time, and copies would have copies. */
static mann_status check_apart(const job *w, mann_error *err)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_stat in, st;
    mni_text at = { 0 }, up = { 0 };
    int inside = 0;
    if (!w->in_is_folder) return MANN_OK;
    MNI_TRY(v->ops->stat(v, w->in, &in, err));
    mni_text_add(&at, w->out);
    for (int i = 0; i < MOST_PARENTS && !inside && !at.failed && !up.failed; i++) {
        const char *path = mni_text_get(&at);
        inside = v->ops->stat(v, path, &st, NULL) == MANN_OK && st.inode == in.inode &&
                 st.device == in.device;
        if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0) break;
        mni_text_clear(&up);
        mni_path_dir(&up, path);
        mni_text_clear(&at);
        mni_text_add(&at, mni_text_get(&up));
    }
    const int failed = at.failed || up.failed;
    mni_text_fini(&at);
    mni_text_fini(&up);
    if (failed) return mni_fail(err, MANN_E_NOMEM, "path");
    return inside ? mni_fail(err, MANN_E_ARG,
                             "%s: lies in the data set itself; copies would get copies. "
                             "Choose a folder outside of it", w->out)
                  : MANN_OK;
}

static void report(const job *w)
{
    mni_cli *c = w->c;
    const uint64_t good = w->n - w->n_bad, copies = (good - w->n_tiny) * w->copies;
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "dataset");
        mni_json_string(&j, w->out);
        mni_json_key(&j, "originals");
        mni_json_u64(&j, good);
        mni_json_key(&j, "copies");
        mni_json_u64(&j, copies);
        mni_json_key(&j, "bad");
        mni_json_u64(&j, w->n_bad);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, w->out);
        mni_text_f(&c->out, ": %llu photo%s and %llu cop%s",
                   (unsigned long long)good, mni_s(good), (unsigned long long)copies,
                   copies == 1 ? "y" : "ies");
        if (w->n_bad)
            mni_text_f(&c->out, ", %llu left out", (unsigned long long)w->n_bad);
        mni_text_char(&c->out, '\n');
    }
}

int mni_cmd_augment(mni_cli *c)
{
    const mni_options *o = &c->options;
    const mni_vfs *v = mni_vfs_posix();
    job w = { .c = c, .in = o->files[0], .out = mni_opt_text(o, MNI_OPT_OUTPUT) };
    mann_dataset *set = NULL;
    mni_stat st;
    if (!w.out) return mni_cli_usage(c, "where to? -o DIR is missing");
    mann_augment_config_fill(&w.config, sizeof w.config);
    w.config.changes = changes(o);
    w.config.strength = (float)mni_opt_float(o, MNI_OPT_STRENGTH);
    w.config.seed = mni_opt_u64(o, MNI_OPT_SEED);
    w.copies = mni_opt_u32(o, MNI_OPT_COPIES);
    w.side = mni_opt_u32(o, MNI_OPT_SIZE);
    mann_status s = mann_dataset_open(&set, w.in, &c->hooks, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    w.set = set;
    w.n = mann_dataset_n_images(set);
    w.in_is_folder =
        v->ops->stat(v, w.in, &st, NULL) == MANN_OK && st.kind == MNI_IS_DIR;
    s = check_apart(&w, &c->err);
    int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_USER, s);
    if (s == MANN_OK) {
        s = v->ops->mkdir(v, w.out, &c->err);
        if (s == MANN_OK) s = run_all(&w);
        if (s != MANN_OK) code = mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    if (code == MNI_EXIT_OK) report(&w);
    mni_free(w.problems);
    mni_idmap_fini(&w.names);
    mann_dataset_free(set);
    return code;
}
