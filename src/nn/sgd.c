/* sgd.c - see sgd.h. The blocks have one layout, so a step is one loop per parameter
 * array; only the decay differs between arrays. SPDX-License-Identifier: MIT */
#include "nn/sgd.h"

#include <math.h>

#include "kern/kern_ew.h"

enum { GRAIN = 16384 };

mni_sgd mni_sgd_default(void) { return (mni_sgd){ 0.1f, 0.9f, 1e-4f, 0.0f, 1 }; }

float mni_schedule_rate(const mni_schedule *s, uint64_t step)
{
    const double pi = 3.14159265358979323846;
    if (step < s->n_warmup)
        return (float)(s->rate * (double)(step + 1) / (double)s->n_warmup);
    double done = 1;
    if (step < s->n_steps)
        done = (double)(step - s->n_warmup) / (double)(s->n_steps - s->n_warmup);
    return (float)(s->rate * (s->last + (1.0 - s->last) * 0.5 * (1.0 + cos(pi * done))));
}

/* Sum of squares in chunks of GRAIN, added in order on the calling thread's way through:
 * a small part of a step, so that it need not be shared out. */
static double norm_of(const float *g, size_t n, const mni_kern_ew *k)
{
    double squares = 0;
    for (size_t at = 0; at < n; at += GRAIN)
        squares += k->squares(g + at, n - at < GRAIN ? n - at : GRAIN);
    return sqrt(squares);
}

typedef struct step {
    const mni_sgd *o;
    float *params, *momentum;
    const float *grads;
    float scale, decay;
    size_t at;                  /* of the array at work */
    mni_pool *pool;
    const mni_kern_ew *k;
} step;

static void step_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const step *s = ctx;
    const size_t at = s->at + begin;
    (void)chunk;
    s->k->sgd(s->params + at, s->momentum + at, s->grads + at, s->scale, s->decay,
              s->o->momentum, s->o->rate, s->o->nesterov, end - begin);
}

/* Decay pulls weights to 0; a norm's scale or a bias has no reason to be small. */
static void step_param(void *ctx, const mni_param *p)
{
    step *s = ctx;
    const int decays = p->role == MNI_CONV_WEIGHT || p->role == MNI_LINEAR_WEIGHT;
    s->decay = decays ? s->o->weight_decay : 0.0f;
    s->at = p->at;
    mni_parallel_for(s->pool, p->count, GRAIN, step_range, s);
}

double mni_sgd_step(const mni_sgd *o, const mni_resnet_config *c, float *params,
                    const float *grads, float *momentum, mni_pool *pool)
{
    step s = { o, params, momentum, grads, 1.0f, 0.0f, 0, pool, mni_kern_ew_best() };
    const double norm = norm_of(grads, mni_resnet_n_params(c), s.k);
    if (!isfinite(norm)) return norm;
    if (o->clip > 0 && norm > o->clip) s.scale = (float)(o->clip / norm);
    mni_resnet_each_param(c, step_param, &s);
    return norm;
}
