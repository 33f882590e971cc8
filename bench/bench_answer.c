/* bench_answer.c - the two long ways through the house, by threads: the bytes of a photo
 * file to "which class is this", and a folder of photo files to a gallery on disk.
 *
 * One and two threads run in turn, and with them a loop of arithmetic that shares
 * nothing: what the second thread is worth to that loop is the limit which this machine,
 * in this minute, sets to the lines "threads.speedup". Answers are counted right or wrong
 * beside each rate.
 *
 * The gallery has three drawn pictures of each of 1,000 classes, and, where there are
 * photos (photos.h), one class for each of them: those are asked again and must be found,
 * the drawn ones are asked with a view that the gallery has not.
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/pool.h"
#include "os/vfs.h"
#include "photos.h"

enum {
    CLASSES = 1000, REFS = 3, SIDE = 96, DIM = 768, PATH_BYTES = 2048, NAME_BYTES = 32,
    FOLDER_CLASSES = 64, FOLDER_VIEWS = 8, FOLDER_SIDE = 160, THREADS = 2
};

/* --- a folder for this run ---------------------------------------------------------- */

static void folder_new(char path[PATH_BYTES])
{
    char stem[PATH_BYTES];
    mann_error err;
    const char *tmp = getenv("TMPDIR");
    snprintf(stem, sizeof stem, "%s/metricann-bench", tmp && *tmp ? tmp : "/tmp");
    bench_must(mni_temp_name(stem, path, PATH_BYTES, &err), &err);
    bench_must(mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), path, &err), &err);
}

static int keep_name(void *ctx, const char *name)
{
    snprintf(ctx, PATH_BYTES, "%s", name);
    return 1;                           /* one is enough */
}

/* Takes the first name away until there is none. */
static void folder_remove(const char *path)
{
    const mni_vfs *v = mni_vfs_posix();
    for (;;) {
        char name[PATH_BYTES] = "", child[2 * PATH_BYTES];
        mni_stat st;
        v->ops->list(v, path, keep_name, name, NULL);
        if (!name[0]) break;
        snprintf(child, sizeof child, "%s/%s", path, name);
        if (v->ops->stat(v, child, &st, NULL) == MANN_OK && st.kind == MNI_IS_DIR)
            folder_remove(child);
        else if (v->ops->remove(v, child, NULL) != MANN_OK)
            break;
    }
    remove(path);
}

static mann_gallery *gallery_new(const char *path, const mann_model *model)
{
    mann_gallery *g;
    mann_error err;
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.model = model;
    bench_must(mann_gallery_create(&g, path, &c, &err), &err);
    return g;
}

static mann_model *model_new(void)
{
    mann_model *m;
    mann_error err;
    bench_must(mann_model_new(&m, "pixels", 0, BENCH_SEED, &err), &err);
    return m;
}

static mann_pool *pool_new(void)
{
    mann_pool *pool;
    mann_error err;
    bench_must(mann_pool_new(&pool, THREADS, &err), &err);
    return pool;
}

/* --- one thread and two in turn ----------------------------------------------------- */

enum { SPINS = 64, SPIN_STEPS = 1 << 20 };

typedef struct spinning { mann_pool *pool; uint64_t out[SPINS]; } spinning;

static void spin_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    spinning *s = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        uint64_t x = i;
        for (int j = 0; j < SPIN_STEPS; j++)
            x = x * 6364136223846793005u + 1442695040888963407u;
        s->out[i] = x;
    }
}

static void spin(void *ctx)
{
    spinning *s = ctx;
    mni_parallel_for(s->pool, SPINS, 1, spin_range, s);
    bench_use(s->out);
}

/* Runs fn with its context for one thread and for THREADS, t: those two, and prints the
 * gain, beside it that of the fastest run of each; share: of the gain of the loop. */
static void in_turn(const char *what, void (*fn)(void *ctx), void *one, void *many,
                    mann_pool *pool, double seconds, bench_time t[2])
{
    spinning alone = { .pool = NULL }, both = { .pool = pool };
    const bench_rival rivals[] = {
        { fn, one }, { fn, many }, { spin, &alone }, { spin, &both }
    };
    bench_time all[4];
    char name[96];
    bench_in_turn(rivals, 4, seconds, all);
    const double limit = all[3].speed / all[2].speed;
    t[0] = all[0];
    t[1] = all[1];
    snprintf(name, sizeof name, "threads.speedup %s arithmetic=%.2f fastest=%.2f", what,
             limit, all[0].fastest / all[1].fastest);
    BENCH_LINE(name, mann_simd_name(), THREADS, t[1], t[1].speed, "x",
               t[1].speed / limit);
}

/* --- photo -> answer ---------------------------------------------------------------- */

typedef struct filling { mann_gallery *g; float *vectors; } filling;

static void draw_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const filling *f = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        mann_error err;
        mann_image im = bench_draw(i / REFS, i % REFS, SIDE);
        bench_must(mann_gallery_embed(f->g, &im, 1, NULL, f->vectors + i * DIM, &err),
                   &err);
        mann_image_clear(&im);
    }
}

/* Classes below CLASSES: drawn, REFS rows each; from there on the photos, a row each. */
static void fill(mann_gallery *g, const bench_photos *photos, mann_pool *pool)
{
    const size_t drawn = CLASSES * REFS, n = drawn + photos->n;
    mann_error err;
    filling f = { g, bench_memory(n * DIM * sizeof *f.vectors) };
    char (*names)[NAME_BYTES] = bench_memory(n * sizeof *names);
    const char **classes = bench_memory(n * sizeof *classes);
    mni_parallel_for(pool, drawn, 1, draw_rows, &f);
    for (size_t i = 0; i < photos->n; i++) {
        const bench_file *file = &photos->files[i];
        float *v = f.vectors + (drawn + i) * DIM;
        mann_image im;
        bench_must(mann_image_decode(&im, file->bytes, file->n_bytes, &err), &err);
        bench_must(mann_gallery_embed(g, &im, 1, NULL, v, &err), &err);
        mann_image_clear(&im);
    }
    for (size_t i = 0; i < n; i++) {
        const size_t klass = i < drawn ? i / REFS : CLASSES + i - drawn;
        snprintf(names[i], NAME_BYTES, "%zu", klass);
        classes[i] = names[i];
    }
    const mann_matrix rows = { f.vectors, n, DIM, 0 };
    bench_must(mann_gallery_add(g, classes, NULL, rows, NULL, NULL, &err), &err);
    bench_must(mann_gallery_build(g, NULL, "Flat", pool, NULL, &err), &err);
    mni_free(classes);
    mni_free(names);
    mni_free(f.vectors);
}

typedef struct asking {
    mann_gallery *g;
    const bench_photos *photos;
    mann_pool *pool;                    /* NULL: one thread */
    mann_hit *best;                     /* of each photo */
} asking;

static void ask_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const asking *a = ctx;
    mann_search how;
    (void)chunk;
    mann_search_fill(&how, sizeof how, 1);
    for (size_t i = begin; i < end; i++) {
        const bench_file *f = &a->photos->files[i];
        float v[DIM];
        const mann_matrix query = { v, 1, DIM, 0 };
        mann_error err;
        mann_image im;
        mann_answer answer;
        bench_must(mann_image_decode(&im, f->bytes, f->n_bytes, &err), &err);
        bench_must(mann_gallery_embed(a->g, &im, 1, NULL, v, &err), &err);
        bench_must(mann_gallery_identify(a->g, query, &how, NULL, &a->best[i], &answer,
                                         &err), &err);
        mann_image_clear(&im);
    }
}

static void ask_all(void *ctx)
{
    asking *a = ctx;
    mni_parallel_for(a->pool, a->photos->n, 1, ask_range, a);
    bench_use(a->best);
}

/* Share of the photos i whose first class is named first + i. */
static double right(const asking *a, size_t first)
{
    size_t n = 0;
    for (size_t i = 0; i < a->photos->n; i++) {
        char name[NAME_BYTES], wanted[NAME_BYTES];
        snprintf(wanted, sizeof wanted, "%zu", first + i);
        n += mann_gallery_class_name(a->g, a->best[i].klass, name, sizeof name, NULL) ==
                 MANN_OK && strcmp(name, wanted) == 0;
    }
    return (double)n / (double)a->photos->n;
}

static void ask_in_turn(const char *what, mann_gallery *g, const bench_photos *photos,
                        size_t first_class, mann_pool *pool)
{
    asking a[2] = { { g, photos, NULL, NULL }, { g, photos, pool, NULL } };
    bench_time t[2];
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_error err;
    bench_must(mann_gallery_describe(g, &info, &err), &err);
    for (int i = 0; i < 2; i++) a[i].best = bench_memory(photos->n * sizeof *a[i].best);
    in_turn(what, ask_all, &a[0], &a[1], pool, 1.0, t);
    for (int i = 0; i < 2; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s photos=%zu classes=%u rows=%u top1=%.3f", what,
                 photos->n, (unsigned)info.n_classes, (unsigned)info.n_rows,
                 right(&a[i], first_class));
        BENCH_LINE(name, mann_simd_name(), mni_pool_threads(a[i].pool), t[i],
                   (double)photos->n / t[i].median, "photo/s", t[i].speed);
    }
    for (int i = 0; i < 2; i++) mni_free(a[i].best);
}

void bench_answer(void)
{
    char folder[PATH_BYTES], path[PATH_BYTES + NAME_BYTES];
    bench_photos *photos = bench_memory(sizeof *photos);
    bench_photos *drawn = bench_memory(sizeof *drawn);
    mann_model *model = model_new();
    mann_pool *pool = pool_new();
    folder_new(folder);
    snprintf(path, sizeof path, "%s/gallery.mann", folder);
    mann_gallery *g = gallery_new(path, model);
    bench_photos_read(photos);
    bench_photos_draw(drawn, BENCH_PHOTOS_MAX, REFS, SIDE);
    fill(g, photos, pool);
    if (photos->n) ask_in_turn("answer.jpeg", g, photos, CLASSES, pool);
    ask_in_turn("answer.png", g, drawn, 0, pool);
    mann_gallery_free(g);
    folder_remove(folder);
    mann_pool_free(pool);
    mann_model_free(model);
    bench_photos_free(drawn);
    bench_photos_free(photos);
    mni_free(drawn);
    mni_free(photos);
}

/* --- folder -> gallery -------------------------------------------------------------- */

typedef struct enrolling {
    const mann_dataset *set;
    const mann_model *model;
    const char *folder;
    mann_pool *pool;                    /* NULL: one thread */
    uint64_t n_added;
} enrolling;

static void enrol_all(void *ctx)
{
    enrolling *e = ctx;
    char stem[PATH_BYTES + NAME_BYTES], path[2 * PATH_BYTES];
    mann_error err;
    mann_add_report report = { .struct_size = sizeof report };
    snprintf(stem, sizeof stem, "%s/gallery", e->folder);
    bench_must(mni_temp_name(stem, path, sizeof path, &err), &err);
    mann_gallery *g = gallery_new(path, e->model);
    bench_must(mann_gallery_add_images(g, e->set, e->pool, NULL, &report, &err), &err);
    e->n_added = report.n_added;
    mann_gallery_free(g);
}

static void draw_folder(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const char *folder = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        char path[2 * PATH_BYTES];
        mann_error err;
        mann_image im = bench_draw(i / FOLDER_VIEWS, i % FOLDER_VIEWS, FOLDER_SIDE);
        snprintf(path, sizeof path, "%s/%zu/%zu.png", folder, i / FOLDER_VIEWS,
                 i % FOLDER_VIEWS);
        bench_must(mann_image_write_png(path, &im, &err), &err);
        mann_image_clear(&im);
    }
}

void bench_enrol(void)
{
    char photos[PATH_BYTES], galleries[PATH_BYTES], child[2 * PATH_BYTES];
    const mni_vfs *v = mni_vfs_posix();
    mann_model *model = model_new();
    mann_pool *pool = pool_new();
    mann_dataset *set;
    mann_error err;
    bench_time t[2];
    folder_new(photos);
    folder_new(galleries);
    for (int i = 0; i < FOLDER_CLASSES; i++) {
        snprintf(child, sizeof child, "%s/%d", photos, i);
        bench_must(v->ops->mkdir(v, child, &err), &err);
    }
    mni_parallel_for(pool, FOLDER_CLASSES * FOLDER_VIEWS, 1, draw_folder, photos);
    bench_must(mann_dataset_open(&set, photos, NULL, &err), &err);
    enrolling e[2] = { { set, model, galleries, NULL, 0 },
                       { set, model, galleries, pool, 0 } };
    const int n = FOLDER_CLASSES * FOLDER_VIEWS;
    in_turn("enrol.png", enrol_all, &e[0], &e[1], pool, 1.5, t);
    for (int i = 0; i < 2; i++) {
        char name[96];
        snprintf(name, sizeof name, "enrol.png photos=%d added=%u", n,
                 (unsigned)e[i].n_added);
        BENCH_LINE(name, mann_simd_name(), mni_pool_threads(e[i].pool), t[i],
                   n / t[i].median, "photo/s", t[i].speed);
    }
    mann_dataset_free(set);
    folder_remove(galleries);
    folder_remove(photos);
    mann_pool_free(pool);
    mann_model_free(model);
}
