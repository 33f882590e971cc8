/* train.c - our training step beside PyTorch's, in turn: the same network, weights and
 * images at the other end of a pipe (pipe.h), twice: as PyTorch comes ("default") and
 * with an allocator that keeps its pages ("tuned"), in the faster memory format. The
 * losses of the first step are compared: "loss_off" is how far ours is from theirs.
 *
 *     train PYTHON SCRIPT [default/1|tuned/1|default/2|tuned/2]     train_torch.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <string.h>

#include "nn/network.h"
#include "pipe.h"

enum { SIZE = 64, BATCH = 64, MOST_DIM = 512 };

typedef struct job {
    mni_network *net;
    mann_pool *pool;
    float *input;
    size_t n_input;
    uint32_t labels[BATCH];
    float gradient[BATCH * MOST_DIM];
    rival peer;
} job;

static void must(int fine)
{
    if (!fine) exit(1);
}

static double step(job *j)
{
    mni_loss_config loss = mni_loss_default();
    const mni_sgd sgd = mni_sgd_default();
    mni_loss_result r;
    loss.kind = MNI_LOSS_TRIPLET;
    loss.miner = MNI_MINE_HARD;
    const float *e = mni_network_forward(j->net, j->input, BATCH, MNI_TRAIN);
    must(mni_loss_compute(&loss, e, j->labels, BATCH, mni_network_dim(j->net), &r,
                          j->gradient, NULL) == MANN_OK);
    mni_network_zero_grads(j->net);
    mni_network_backward(j->net, j->gradient);
    mni_network_step(j->net, &sgd);
    return r.loss;
}

static void send_array(void *ctx, const mni_param *p)
{
    const job *j = ctx;
    const float *block = p->role >= MNI_NORM_MEAN ? mni_network_stats(j->net)
                                                  : mni_network_params(j->net);
    fprintf(j->peer.to, "%s %zu\n", p->name, p->count);
    fwrite(block + p->at, sizeof *block, p->count, j->peer.to);
}

static void prepare(job *j, int threads)
{
    mni_resnet_config c;
    must(mni_resnet_preset(&c, "mini"));
    c.input_size = SIZE;
    must(mann_pool_new(&j->pool, (uint32_t)threads, NULL) == MANN_OK);
    must(mni_network_new(&j->net, &c, BATCH, j->pool, NULL) == MANN_OK);
    mni_network_init(j->net, 1);
    j->n_input = (size_t)BATCH * 3 * SIZE * SIZE;
    j->input = malloc(j->n_input * sizeof *j->input);
    must(j->input != NULL && mni_network_dim(j->net) <= MOST_DIM);
    for (size_t i = 0; i < j->n_input; i++)
        j->input[i] = (float)((i * 2654435761u) % 2001) / 1000.0f - 1.0f;
    for (uint32_t i = 0; i < BATCH; i++) j->labels[i] = i / 4;
}

/* Starts the other side with our weights; their first loss, or NaN. */
static double start(job *j, char **argv, int threads, int tuned)
{
    char numbers[3][16], line[64], network[] = "mini";
    const int values[3] = { SIZE, BATCH, threads };
    for (int i = 0; i < 3; i++) snprintf(numbers[i], sizeof numbers[i], "%d", values[i]);
    char *const other[] = { argv[1], argv[2], network, numbers[0], numbers[1], numbers[2],
                            NULL };
    rival_torch_settings(threads);
    if (!tuned) {
        unsetenv("MALLOC_MMAP_MAX_");
        unsetenv("MALLOC_TRIM_THRESHOLD_");
        unsetenv("MALLOC_TOP_PAD_");
    }
    if (!rival_start_with(&j->peer, other)) return NAN;
    const mni_resnet_config *c = mni_network_config(j->net);
    mni_resnet_each_param(c, send_array, j);
    mni_resnet_each_stat(c, send_array, j);
    fprintf(j->peer.to, "input %zu\n", j->n_input);
    fwrite(j->input, sizeof *j->input, j->n_input, j->peer.to);
    return fflush(j->peer.to) == 0 && fgets(line, sizeof line, j->peer.from)
               ? strtod(line, NULL)
               : NAN;
}

static void one_step(void *ctx) { step(ctx); }

static int measure(char **argv, int threads, int tuned)
{
    static rounds r;
    static job j;
    char text[96], who[32];
    memset(&j, 0, sizeof j);
    prepare(&j, threads);
    const double theirs = start(&j, argv, threads, tuned), loss = step(&j);
    const int there =
        !isnan(theirs) && rival_rounds(&r, &j.peer, "go\n", one_step, &j);
    rival_end(&j.peer);
    mni_network_free(j.net);
    mann_pool_free(j.pool);
    free(j.input);
    if (!there) return 77;
    snprintf(text, sizeof text, "nn.train mini %d batch=%d loss_off=%.1e", SIZE, BATCH,
             fabs(loss - theirs) / theirs);
    snprintf(who, sizeof who, "pytorch %s", tuned ? "tuned" : "default");
    r.threads = threads;
    rounds_print(&r, who, text, BATCH, "images/s");
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc < 3) return 2;
    for (int i = 0; i < 4 && status == 0; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "%s/%d", i % 2 ? "tuned" : "default", 1 + i / 2);
        if (argc == 3 || strcmp(argv[3], tag) == 0)
            status = measure(argv, 1 + i / 2, i % 2);
    }
    return status;
}
