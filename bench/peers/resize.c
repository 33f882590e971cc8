/* resize.c - our resize beside Pillow's BILINEAR, in turn: a Python that holds the same
 * pixels waits at the other end of a pipe (pipe.h) and shrinks them.
 *
 *     resize PYTHON SCRIPT        the script is resize_pillow.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "image/resize.h"
#include "photos.h"
#include "pipe.h"
#include "rounds.h"

enum { REPEATS = 32, WIDTH = 500, HEIGHT = 375, SIDE = 224 };


static void ours(const mann_image *in)
{
    for (int i = 0; i < REPEATS; i++) {
        mann_error err;
        mann_image small;
        bench_must(mni_image_resize(&small, in, SIDE, SIDE, &err), &err);
        mann_image_clear(&small);
    }
}

int main(int argc, char **argv)
{
    static rounds r;
    rival them;
    mann_image in;
    char repeats[16];
    mann_error err;
    if (argc != 3) return 2;
    mann_image square = bench_draw(1, 1, WIDTH);
    bench_must(mni_image_resize(&in, &square, WIDTH, HEIGHT, &err), &err);
    snprintf(repeats, sizeof repeats, "%d", REPEATS);
    if (!rival_start(&them, argv[1], argv[2], repeats)) return 1;
    fwrite(in.pixels, 3, (size_t)WIDTH * HEIGHT, them.to);
    ours(&in);
    int gone = rival_timed(&them, "go\n") < 0;
    for (int i = 0; i < ROUNDS && !gone; i++) {
        const double before = mni_clock_seconds();
        ours(&in);
        r.ours[i] = mni_clock_seconds() - before;
        r.theirs[i] = rival_timed(&them, "go\n");
        r.ratio[i] = r.theirs[i] / r.ours[i];
        gone = r.theirs[i] < 0;
    }
    rival_end(&them);
    mann_image_clear(&in);
    mann_image_clear(&square);
    if (gone) return 77;
    rounds_sort(&r);
    rounds_print(&r, "pillow", "image.resize 500x375->224x224", REPEATS, "image/s");
    return 0;
}
