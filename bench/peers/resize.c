/* resize.c - our resize beside Pillow's BILINEAR, in turn: a Python that holds the same
 * pixels waits at the other end of a pipe (pipe.h).
 *
 *     resize PYTHON SCRIPT        the script is resize_pillow.py
 *
 * SPDX-License-Identifier: MIT */
#include "pipe.h"

#include "image/resize.h"
#include "photos.h"
#include "rounds.h"

enum { REPEATS = 32, WIDTH = 500, HEIGHT = 375, SIDE = 224 };

typedef struct job { mann_image in; peer peer; } job;

static void ours(const job *j)
{
    for (int i = 0; i < REPEATS; i++) {
        mann_error err;
        mann_image small;
        bench_must(mni_image_resize(&small, &j->in, SIDE, SIDE, &err), &err);
        mann_image_clear(&small);
    }
}

int main(int argc, char **argv)
{
    static rounds r;
    job j;
    mann_error err;
    if (argc != 3) return 2;
    mann_image square = bench_draw(1, 1, WIDTH);
    bench_must(mni_image_resize(&j.in, &square, WIDTH, HEIGHT, &err), &err);
    char repeats[16];
    snprintf(repeats, sizeof repeats, "%d", REPEATS);
    char *const other[] = { argv[1], argv[2], repeats, NULL };
    if (!peer_start(&j.peer, other, 1)) return 1;
    fwrite(j.in.pixels, 3, (size_t)WIDTH * HEIGHT, j.peer.to);
    ours(&j);
    int gone = peer_time(&j.peer) < 0;
    for (int i = 0; i < ROUNDS && !gone; i++) {
        const double before = mni_clock_seconds();
        ours(&j);
        r.ours[i] = mni_clock_seconds() - before;
        r.theirs[i] = peer_time(&j.peer);
        r.ratio[i] = r.theirs[i] / r.ours[i];
        gone = r.theirs[i] < 0;
    }
    peer_stop(&j.peer);
    mann_image_clear(&j.in);
    mann_image_clear(&square);
    if (gone) return 77;
    rounds_sort(&r);
    rounds_print(&r, "pillow", "image.resize 500x375->224x224", REPEATS, "image/s");
    return 0;
}
