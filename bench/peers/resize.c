/* resize.c - our resize beside Pillow's BILINEAR, in turn: a Python that holds the same
 * pixels waits at the other end of a pipe and shrinks them once for each line it is sent.
 * It times itself, so that the pipe is not counted.
 *
 *     resize PYTHON SCRIPT        the script is resize_pillow.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/resize.h"
#include "photos.h"
#include "rounds.h"

enum { REPEATS = 32, WIDTH = 500, HEIGHT = 375, SIDE = 224 };

typedef struct job { mann_image in; FILE *to, *from; } job;

static void ours(const job *j)
{
    for (int i = 0; i < REPEATS; i++) {
        mann_error err;
        mann_image small;
        bench_must(mni_image_resize(&small, &j->in, SIDE, SIDE, &err), &err);
        mann_image_clear(&small);
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
    char repeats[16];
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) return -1;
    snprintf(repeats, sizeof repeats, "%d", REPEATS);
    const pid_t child = fork();
    if (child == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        execlp(argv[1], argv[1], argv[2], repeats, (char *)NULL);
        _exit(77);
    }
    close(down[0]);
    close(up[1]);
    j->to = fdopen(down[1], "wb");
    j->from = fdopen(up[0], "rb");
    return child;
}

int main(int argc, char **argv)
{
    static rounds r;
    job j;
    mann_error err;
    if (argc != 3) return 2;
    mann_image square = bench_draw(1, 1, WIDTH);
    bench_must(mni_image_resize(&j.in, &square, WIDTH, HEIGHT, &err), &err);
    if (start(&j, argv) < 0 || !j.to || !j.from) return 1;
    fwrite(j.in.pixels, 3, (size_t)WIDTH * HEIGHT, j.to);
    ours(&j);
    int gone = theirs(&j) < 0;
    for (int i = 0; i < ROUNDS && !gone; i++) {
        const double before = mni_clock_seconds();
        ours(&j);
        r.ours[i] = mni_clock_seconds() - before;
        r.theirs[i] = theirs(&j);
        r.ratio[i] = r.theirs[i] / r.ours[i];
        gone = r.theirs[i] < 0;
    }
    fclose(j.to);
    fclose(j.from);
    while (wait(NULL) > 0) continue;
    mann_image_clear(&j.in);
    mann_image_clear(&square);
    if (gone) return 77;
    rounds_sort(&r);
    rounds_print(&r, "pillow", "image.resize 500x375->224x224", REPEATS, "image/s");
    return 0;
}
