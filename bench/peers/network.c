/* network.c - our forward pass beside PyTorch's, in turn: a Python that holds the same
 * network with the same weights waits at the other end of a pipe (pipe.h). Their
 * embeddings of the same input are compared with ours: "cosine" is the batch's least.
 *
 *     network PYTHON SCRIPT [NAME/BATCH/THREADS]       the script is network_torch.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <string.h>

#include "nn/model.h"
#include "pipe.h"

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
    size_t n_input, dim;
    float *input, *out;
    rival peer;
} job;

static void must(int fine)
{
    if (!fine) exit(1);
}

static void ours(void *ctx)
{
    const job *j = ctx;
    for (int i = 0; i < j->w.repeats; i++)
        must(mni_model_forward(j->model, j->input, (size_t)j->w.batch, j->pool, j->out,
                               NULL) == MANN_OK);
}

static void prepare(job *j)
{
    char name[32];
    snprintf(name, sizeof name, "%s@%d", j->w.network, j->w.size);
    must(mni_model_new(&j->model, name, 0, 1, NULL) == MANN_OK);
    must(mann_pool_new(&j->pool, (uint32_t)j->w.threads, NULL) == MANN_OK);
    j->dim = mni_model_shape_of(j->model).dim;
    j->n_input = (size_t)j->w.batch * 3 * (size_t)j->w.size * (size_t)j->w.size;
    j->input = malloc(j->n_input * sizeof *j->input);
    j->out = malloc((size_t)j->w.batch * j->dim * sizeof *j->out);
    must(j->input && j->out);
    for (size_t i = 0; i < j->n_input; i++)
        j->input[i] = (float)((i * 2654435761u) % 2001) / 1000.0f - 1.0f;
}

/* --- the same network over there --------------------------------------------------- */

static void send_array(void *ctx, const mni_param *p)
{
    const job *j = ctx;
    const float *block = p->role >= MNI_NORM_MEAN ? mni_model_stats(j->model)
                                                  : mni_model_params(j->model);
    fprintf(j->peer.to, "%s %zu\n", p->name, p->count);
    fwrite(block + p->at, sizeof *block, p->count, j->peer.to);
}

static int start(job *j, char **argv)
{
    char number[4][16], line[64];
    const int values[4] = { j->w.size, j->w.batch, j->w.threads, j->w.repeats };
    for (int i = 0; i < 4; i++) snprintf(number[i], sizeof number[i], "%d", values[i]);
    char network[32];
    snprintf(network, sizeof network, "%s", j->w.network);
    char *const other[] = { argv[1], argv[2], network, number[0], number[1], number[2],
                            number[3], NULL };
    rival_torch_settings(j->w.threads);
    if (!rival_start_with(&j->peer, other)) return 0;
    const mni_resnet_config *c = mni_model_resnet(j->model);
    mni_resnet_each_param(c, send_array, j);
    mni_resnet_each_stat(c, send_array, j);
    fprintf(j->peer.to, "input %zu\n", j->n_input);
    fwrite(j->input, sizeof *j->input, j->n_input, j->peer.to);
    return fflush(j->peer.to) == 0 && fgets(line, sizeof line, j->peer.from) &&
           strcmp(line, "ready\n") == 0;
}

/* Reads their embeddings; both are of unit length. */
static double least_cosine(const job *j)
{
    double least = 2;
    float *theirs = malloc(j->dim * sizeof *theirs);
    must(theirs != NULL);
    for (int i = 0; i < j->w.batch; i++) {
        double dot = 0;
        if (fread(theirs, sizeof *theirs, j->dim, j->peer.from) != j->dim) least = -2;
        for (size_t k = 0; k < j->dim; k++)
            dot += (double)theirs[k] * j->out[(size_t)i * j->dim + k];
        if (dot < least) least = dot;
    }
    free(theirs);
    return least;
}

static int measure(const work *w, char **argv)
{
    static rounds r;
    char text[96];
    job j = { .w = *w };
    prepare(&j);
    ours(&j);
    if (!start(&j, argv)) return 77;
    const double cosine = least_cosine(&j);
    int there = rival_timed(&j.peer, "go\n") >= 0;
    ours(&j);
    there = there && rival_rounds(&r, &j.peer, "go\n", ours, &j);
    rival_end(&j.peer);
    mni_model_free(j.model);
    mann_pool_free(j.pool);
    free(j.input);
    free(j.out);
    if (!there) return 77;
    snprintf(text, sizeof text, "nn.embed %s %d batch=%d cosine=%.7f", w->network,
             w->size, w->batch, cosine);
    r.threads = w->threads;
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
