/* cmd_scan.c - decode every photo of a data set, and tell what is in there.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "os/pool.h"

enum { GROUP = 512, N_SIZES = 9, MOST_NAMES = 20 };

/* Longest side up to so many pixels; the last counts all above. */
static const uint32_t size_limits[N_SIZES] = { 32,   64,   128,  256,       512,
                                               1024, 2048, 4096, UINT32_MAX };

typedef struct one { uint32_t width, height; mann_error problem; } one;

typedef struct scan {
    mni_cli *c;
    const mann_dataset *set;
    one *group;                 /* GROUP results */
    uint64_t first;             /* image of group[0] */
    uint64_t n, n_bad, n_of_size[N_SIZES], n_no_class;
    uint32_t n_classes, *n_of_class;
    uint32_t least_side, most_side;
    mni_json j;
} scan;

static void decode_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    scan *w = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        mann_image im = { 0 };
        w->group[i].problem.code = mann_dataset_read(w->set, w->first + i, &im,
                                                     &w->group[i].problem);
        w->group[i].width = im.width;
        w->group[i].height = im.height;
        mann_image_clear(&im);
    }
}

static void tell_bad(scan *w, uint64_t image, const mann_error *problem)
{
    const char *path = mann_dataset_path(w->set, image, NULL);
    w->n_bad++;
    if (mni_cli_json(w->c)) {
        mni_json_object(&w->j);
        mni_json_key(&w->j, "path");
        mni_json_string(&w->j, path);
        mni_json_key(&w->j, "reason");
        mni_json_string(&w->j, problem->text);
        mni_json_end(&w->j);
        return;
    }
    /* Most sentences begin with the path already. */
    mni_text_add(&w->c->out, "bad  ");
    if (!strstr(problem->text, path)) {
        mni_out_name(&w->c->out, path);
        mni_text_add(&w->c->out, ": ");
    }
    mni_out_name(&w->c->out, problem->text);
    mni_text_char(&w->c->out, '\n');
}

static void count_one(scan *w, uint64_t image, const one *r)
{
    uint32_t klass, side = r->width > r->height ? r->width : r->height, size = 0;
    if (r->problem.code != MANN_OK) { tell_bad(w, image, &r->problem); return; }
    mann_dataset_path(w->set, image, &klass);
    if (klass == MANN_NO_CLASS) w->n_no_class++;
    else w->n_of_class[klass]++;
    while (side > size_limits[size]) size++;
    w->n_of_size[size]++;
    if (!w->least_side || side < w->least_side) w->least_side = side;
    if (side > w->most_side) w->most_side = side;
}

static mann_status decode_all(scan *w)
{
    mann_pool *pool;
    MNI_TRY(mni_cli_pool(w->c, &pool));
    for (w->first = 0; w->first < w->n; w->first += GROUP) {
        size_t n = w->n - w->first < GROUP ? (size_t)(w->n - w->first) : GROUP;
        if (mni_talk_step(&w->c->talk, "decode", w->first, w->n)) return MANN_E_CANCELLED;
        mni_parallel_for(pool, n, 1, decode_range, w);
        for (size_t i = 0; i < n; i++) count_one(w, w->first + i, &w->group[i]);
        if (w->c->out.n_chars) mni_talk_clear(&w->c->talk);
        if (!mni_out_step(w->c)) return MANN_OK;
    }
    mni_talk_step(&w->c->talk, "decode", w->n, w->n);
    return MANN_OK;
}

typedef struct sizes { uint32_t least, median, most; uint64_t n_single, n_empty; } sizes;

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static mann_status class_sizes(const scan *w, sizes *out, mann_error *err)
{
    *out = (sizes){ 0 };
    if (w->n_classes == 0) return MANN_OK;
    uint32_t *sorted = mni_memdup(w->n_of_class, w->n_classes * sizeof *sorted);
    if (!sorted) return mni_fail(err, MANN_E_NOMEM, "%u classes", w->n_classes);
    qsort(sorted, w->n_classes, sizeof *sorted, by_number);
    out->least = sorted[0];
    out->median = sorted[w->n_classes / 2];
    out->most = sorted[w->n_classes - 1];
    for (uint32_t i = 0; i < w->n_classes; i++) {
        out->n_single += sorted[i] == 1;
        out->n_empty += sorted[i] == 0;
    }
    mni_free(sorted);
    return MANN_OK;
}

static void single_names_json(scan *w)
{
    mni_json_array(&w->j);
    for (uint32_t i = 0; i < w->n_classes; i++)
        if (w->n_of_class[i] == 1) mni_json_string(&w->j, mann_dataset_class(w->set, i));
    mni_json_end(&w->j);
}

static void end_json(scan *w, const sizes *s)
{
    const char *const keys[] = {
        "images",       "good",          "bad_images",        "without_class",
        "classes",      "empty_classes", "one_image_classes", "smallest_class",
        "median_class", "largest_class", "smallest_side",     "largest_side"
    };
    const uint64_t values[] = { w->n,          w->n - w->n_bad, w->n_bad,
                                w->n_no_class, w->n_classes,    s->n_empty,
                                s->n_single,   s->least,        s->median,
                                s->most,       w->least_side,   w->most_side };
    mni_json_end(&w->j);                        /* of "bad" */
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        mni_json_key(&w->j, keys[i]);
        mni_json_u64(&w->j, values[i]);
    }
    mni_json_key(&w->j, "one_image_class_names");
    single_names_json(w);
    mni_json_key(&w->j, "longest_side");
    mni_json_array(&w->j);
    for (int i = 0; i < N_SIZES; i++) {
        mni_json_object(&w->j);
        mni_json_key(&w->j, "up_to");
        if (size_limits[i] == UINT32_MAX) mni_json_null(&w->j);
        else mni_json_u64(&w->j, size_limits[i]);
        mni_json_key(&w->j, "images");
        mni_json_u64(&w->j, w->n_of_size[i]);
        mni_json_end(&w->j);
    }
    mni_json_end(&w->j);
    mni_json_end(&w->j);
    mni_text_char(&w->c->out, '\n');
}

static void end_text(scan *w, const sizes *s)
{
    mni_text *out = &w->c->out;
    uint64_t most = 1;
    mni_out_name(out, w->c->options.files[0]);
    mni_text_f(out, ": %llu photos, %llu good, %llu bad\n", (unsigned long long)w->n,
               (unsigned long long)(w->n - w->n_bad), (unsigned long long)w->n_bad);
    mni_text_f(out, "classes: %u; photos in a class: %u to %u, median %u\n", w->n_classes,
               s->least, s->most, s->median);
    if (w->n_no_class)
        mni_text_f(out, "photos without a class: %llu\n",
                   (unsigned long long)w->n_no_class);
    if (s->n_empty)
        mni_text_f(out, "classes without a good photo: %llu\n",
                   (unsigned long long)s->n_empty);
    if (s->n_single) {
        uint32_t shown = 0;
        mni_text_f(out, "classes of one photo: %llu:", (unsigned long long)s->n_single);
        for (uint32_t i = 0; i < w->n_classes && shown < MOST_NAMES; i++) {
            if (w->n_of_class[i] != 1) continue;
            mni_text_add(out, shown++ ? ", " : " ");
            mni_out_name(out, mann_dataset_class(w->set, i));
        }
        mni_text_add(out, s->n_single > MOST_NAMES ? ", ...\n" : "\n");
    }
    mni_text_f(out, "longest side: %u to %u pixels\n", w->least_side, w->most_side);
    for (int i = 0; i < N_SIZES; i++)
        if (w->n_of_size[i] > most) most = w->n_of_size[i];
    for (int i = 0; i < N_SIZES; i++) {
        if (!w->n_of_size[i]) continue;
        if (size_limits[i] == UINT32_MAX) mni_text_add(out, "   > 4096  ");
        else mni_text_f(out, "  <= %4u  ", (unsigned)size_limits[i]);
        mni_text_f(out, "%9llu ", (unsigned long long)w->n_of_size[i]);
        for (uint64_t k = 0; k <= 40 * w->n_of_size[i] / most; k++)
            mni_text_char(out, '#');
        mni_text_char(out, '\n');
    }
}

static int run(scan *w)
{
    mni_cli *c = w->c;
    sizes s = { 0 };
    if (mni_cli_json(c)) {
        mni_out_json(c, &w->j);
        mni_json_object(&w->j);
        mni_json_key(&w->j, "dataset");
        mni_json_string(&w->j, c->options.files[0]);
        mni_json_key(&w->j, "bad");
        mni_json_array(&w->j);
    }
    mann_status st = decode_all(w);
    if (st == MANN_OK) st = class_sizes(w, &s, &c->err);
    if (st != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, st);
    if (mni_cli_json(c)) end_json(w, &s);
    else end_text(w, &s);
    return w->n_bad ? MNI_EXIT_CHECK : MNI_EXIT_OK;
}

int mni_cmd_scan(mni_cli *c)
{
    mann_dataset *set;
    mann_status s = mann_dataset_open(&set, c->options.files[0], &c->hooks, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    scan w = { .c = c,
               .set = set,
               .n = mann_dataset_n_images(set),
               .n_classes = mann_dataset_n_classes(set) };
    w.group = mni_alloc(GROUP, sizeof *w.group);
    w.n_of_class = mni_alloc(w.n_classes, sizeof *w.n_of_class);
    if (!w.group || !w.n_of_class)
        s = mni_fail(&c->err, MANN_E_NOMEM, "%u classes", w.n_classes);
    int code = s == MANN_OK ? run(&w) : mni_cli_fail(c, MNI_FROM_INPUT, s);
    mni_free(w.group);
    mni_free(w.n_of_class);
    mann_dataset_free(set);
    return code;
}
