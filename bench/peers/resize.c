/* resize.c - our shrinking beside Pillow's BILINEAR, in turn: a Python that holds the
 * same pixels, or the same photo files, waits at the other end of a pipe and does its
 * share once for each line it is sent. It times itself, so that the pipe is not counted.
 *
 *     resize PYTHON SCRIPT        the script is resize_pillow.py
 *
 * Two workloads: pixels 500 x 375 to 224 x 224; and files of photos to the input of a
 * network, where ours decodes, shrinks and normalises into planes of floats, and Pillow
 * decodes (JPEGs no larger than they need be: draft) and shrinks.
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/prep.h"
#include "image/resize.h"
#include "photos.h"
#include "rounds.h"

enum { REPEATS = 32, WIDTH = 500, HEIGHT = 375, SIDE = 224, PHOTOS = 32 };

typedef struct job {
    mann_image in;
    bench_photos photos;                /* n is 0: shrink `in` */
    float *planes;
    FILE *to, *from;
} job;

static void ours(job *j)
{
    mann_error err;
    mann_image im;
    mni_recipe recipe;
    mni_decode_opts opts;
    mni_recipe_fill(&recipe, SIDE);
    mni_recipe_decode_opts(&recipe, &opts);
    for (size_t i = 0; i < j->photos.n; i++) {
        const bench_file *f = &j->photos.files[i];
        bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, &opts, &err), &err);
        bench_must(mni_prep_run(&recipe, &im, j->planes, &err), &err);
        mann_image_clear(&im);
    }
    for (int i = 0; i < REPEATS && !j->photos.n; i++) {
        bench_must(mni_image_resize(&im, &j->in, SIDE, SIDE, &err), &err);
        mann_image_clear(&im);
    }
}

/* Seconds of the other side; negative if it has gone. */
static double theirs(const job *j)
{
    char text[64];
    if (fputs("go\n", j->to) < 0 || fflush(j->to) != 0) return -1;
    return fgets(text, sizeof text, j->from) ? strtod(text, NULL) : -1;
}

static pid_t start(job *j, char **argv)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        execlp(argv[1], argv[1], argv[2], j->photos.n ? "photos" : "pixels",
               (char *)NULL);
        _exit(77);
    }
    close(down[0]);
    close(up[1]);
    j->to = fdopen(down[1], "wb");
    j->from = fdopen(up[0], "rb");
    return child;
}

/* Pixels as they are; files with their number and lengths before them, a line each. */
static void hand_over(const job *j)
{
    if (!j->photos.n) fwrite(j->in.pixels, 3, (size_t)WIDTH * HEIGHT, j->to);
    else fprintf(j->to, "%zu\n", j->photos.n);
    for (size_t i = 0; i < j->photos.n; i++) {
        fprintf(j->to, "%zu\n", j->photos.files[i].n_bytes);
        fwrite(j->photos.files[i].bytes, 1, j->photos.files[i].n_bytes, j->to);
    }
}

static int measure(job *j, char **argv)
{
    static rounds r;
    if (start(j, argv) < 0 || !j->to || !j->from) return 1;
    hand_over(j);
    ours(j);
    int gone = theirs(j) < 0;
    for (int i = 0; i < ROUNDS && !gone; i++) {
        const double before = mni_clock_seconds();
        ours(j);
        r.ours[i] = mni_clock_seconds() - before;
        r.theirs[i] = theirs(j);
        r.ratio[i] = r.theirs[i] / r.ours[i];
        gone = r.theirs[i] < 0;
    }
    fclose(j->to);
    fclose(j->from);
    while (wait(NULL) > 0) continue;
    if (gone) return 77;
    rounds_sort(&r);
    if (j->photos.n)
        rounds_print(&r, "pillow", "image.photo file->224x224 input", (int)j->photos.n,
                     "image/s");
    else
        rounds_print(&r, "pillow", "image.resize 500x375->224x224", REPEATS, "image/s");
    return 0;
}

int main(int argc, char **argv)
{
    static job j;
    mann_error err;
    if (argc != 3) return 2;
    mann_image square = bench_draw(1, 1, WIDTH);
    bench_must(mni_image_resize(&j.in, &square, WIDTH, HEIGHT, &err), &err);
    int status = measure(&j, argv);
    bench_photos_read(&j.photos);
    j.planes = malloc((size_t)3 * SIDE * SIDE * sizeof *j.planes);
    if (status == 0 && j.photos.n && j.planes) {
        const size_t all = j.photos.n;
        if (all > PHOTOS) j.photos.n = PHOTOS;
        status = measure(&j, argv);
        j.photos.n = all;
    }
    free(j.planes);
    bench_photos_free(&j.photos);
    mann_image_clear(&j.in);
    mann_image_clear(&square);
    return status;
}
