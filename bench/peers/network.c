/* network.c - our forward pass beside PyTorch's, in turn: a Python that holds the same
 * network waits at the other end of a pipe and runs it for each line it is sent. It times
 * itself, so that the pipe is not counted.
 *
 *     network PYTHON SCRIPT [NAME]       the script is network_torch.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nn/model.h"
#include "rounds.h"

typedef struct work { const char *network; int size, batch, threads, repeats; } work;

static const work works[] = {
    { "resnet18", 224, 1, 1, 4 },  { "resnet18", 224, 16, 1, 1 },
    { "resnet50", 224, 1, 1, 2 },  { "mini", 64, 64, 1, 1 },
    { "resnet18", 224, 1, 2, 4 },  { "resnet18", 224, 16, 2, 1 },
    { "mini", 64, 64, 2, 1 },
};

typedef struct job {
    work w;
    mni_model *model;
    mann_pool *pool;
    float *input, *out;
    FILE *to, *from;
} job;

static void must(mann_status s)
{
    if (s != MANN_OK) exit(1);
}

static void ours(const job *j)
{
    for (int i = 0; i < j->w.repeats; i++)
        must(mni_model_forward(j->model, j->input, (size_t)j->w.batch, j->pool, j->out,
                               NULL));
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
    char number[4][16];
    const int values[4] = { j->w.size, j->w.batch, j->w.threads, j->w.repeats };
    int down[2], up[2];
    for (int i = 0; i < 4; i++) snprintf(number[i], sizeof number[i], "%d", values[i]);
    if (pipe(down) != 0 || pipe(up) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        setenv("OMP_NUM_THREADS", number[2], 1);
        setenv("MALLOC_MMAP_MAX_", "0", 1);     /* fresh pages cost it a third */
        setenv("MALLOC_TRIM_THRESHOLD_", "20000000000", 1);
        setenv("MALLOC_TOP_PAD_", "536870912", 1);
        execlp(argv[1], argv[1], argv[2], j->w.network, number[0], number[1], number[2],
               number[3], (char *)NULL);
        _exit(77);
    }
    close(down[0]);
    close(up[1]);
    j->to = fdopen(down[1], "wb");
    j->from = fdopen(up[0], "rb");
    return child;
}

static void prepare(job *j)
{
    char name[32];
    snprintf(name, sizeof name, "%s@%d", j->w.network, j->w.size);
    must(mni_model_new(&j->model, name, 0, 1, NULL));
    must(mann_pool_new(&j->pool, (uint32_t)j->w.threads, NULL));
    const size_t n = (size_t)j->w.batch * 3 * (size_t)j->w.size * (size_t)j->w.size;
    j->input = malloc(n * sizeof *j->input);
    j->out = malloc((size_t)j->w.batch * 4096 * sizeof *j->out);
    if (!j->input || !j->out) exit(1);
    for (size_t i = 0; i < n; i++)
        j->input[i] = (float)((i * 2654435761u) % 2001) / 1000.0f - 1.0f;
}

static int measure(const work *w, char **argv)
{
    static rounds r;
    char text[64];
    job j = { .w = *w };
    prepare(&j);
    if (start(&j, argv) < 0 || !j.to || !j.from) return 1;
    int gone = !fgets(text, sizeof text, j.from) || theirs(&j) < 0;
    ours(&j);
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
    mni_model_free(j.model);
    mann_pool_free(j.pool);
    free(j.input);
    free(j.out);
    if (gone) return 77;
    snprintf(text, sizeof text, "nn.embed %s %d batch=%d threads=%d", w->network, w->size,
             w->batch, w->threads);
    rounds_sort(&r);
    rounds_print(&r, "pytorch", text, w->batch * w->repeats, "image/s");
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc < 3) return 2;
    for (size_t i = 0; i < sizeof works / sizeof *works && status == 0; i++) {
        char tag[64];
        snprintf(tag, sizeof tag, "%s/%d/%d", works[i].network, works[i].batch,
                 works[i].threads);
        if (argc == 3 || strcmp(argv[3], tag) == 0) status = measure(&works[i], argv);
    }
    return status;
}
