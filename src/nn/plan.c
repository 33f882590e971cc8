/* plan.c - see plan.h. SPDX-License-Identifier: MIT */
#include "nn/plan.h"

#include "base/mem.h"

enum { LINE_FLOATS = 16 };

static size_t rounded(size_t floats)
{
    return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

static int meet_in_time(const mni_buffer *a, const mni_buffer *b)
{
    return a->from <= b->until && b->from <= a->until;
}

/* Is [at, at + floats) free of those placed before that live at the same time? If not,
 * the end of one that is in the way. */
static size_t obstacle(const mni_buffer *b, const size_t *order, size_t n_placed,
                       const mni_buffer *one, size_t at)
{
    for (size_t i = 0; i < n_placed; i++) {
        const mni_buffer *o = &b[order[i]];
        size_t end = o->at + rounded(o->floats);
        if (o->floats && meet_in_time(o, one) && o->at < at + rounded(one->floats) &&
            at < end)
            return end;
    }
    return at;
}

size_t mni_buffers_place(mni_buffer *b, size_t n, size_t *order)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) { /* insertion sort: by size, then by number */
        size_t j = i;
        for (; j > 0 && b[order[j - 1]].floats < b[i].floats; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    for (size_t i = 0; i < n; i++) {
        mni_buffer *one = &b[order[i]];
        size_t at = 0, next;
        while ((next = obstacle(b, order, i, one, at)) != at) at = next;
        one->at = at;
        if (one->floats && at + rounded(one->floats) > total)
            total = at + rounded(one->floats);
    }
    return total;
}

/* --- layers ------------------------------------------------------------------------- */

typedef struct collect { mni_plan *p; int fold; } collect;

static void count_layer(void *ctx, const mni_layer *l)
{
    (void)l;
    ((mni_plan *)ctx)->n_layers++;
}

static void take_layer(void *ctx, const mni_layer *l)
{
    const collect *k = ctx;
    mni_plan *p = k->p;
    p->n_tensors = (size_t)l->out + 1;
    if (!k->fold || l->kind != MNI_NORM) {
        p->layers[p->n_layers++] = *l;
        return;
    }
    /* The convolution moves to the place of its norm: only there the residual is
     * ready. */
    size_t at = 0;
    while (p->layers[at].out != l->in) at++;
    mni_layer conv = p->layers[at];
    for (; at + 1 < p->n_layers; at++) p->layers[at] = p->layers[at + 1];
    conv.out = l->out;
    conv.add = l->add;
    conv.relu = l->relu;
    conv.bias = l->bias;
    p->layers[p->n_layers - 1] = conv;
}

/* --- times -------------------------------------------------------------------------- */

static int backward_reads_input(mni_layer_kind k) { return k != MNI_AVGPOOL; }
static int backward_reads_output(mni_layer_kind k)
{
    return k == MNI_NORM || k == MNI_UNIT;
}

static void extend(mni_buffer *b, size_t until)
{
    if (b->until < until) b->until = until;
}

static void set_times(mni_plan *p, int train)
{
    const size_t last = 2 * p->n_layers - 1;
    for (size_t s = 0; s < p->n_layers; s++) {
        const mni_layer *l = &p->layers[s];
        mni_buffer *out = &p->values[l->out];
        *out = (mni_buffer){ (size_t)l->c_out * l->h_out * l->w_out, s, s, 0 };
        p->last_reader[l->in] = s;
        extend(&p->values[l->in], train && backward_reads_input(l->kind) ? last - s : s);
        if (l->add != MNI_NO_TENSOR) {
            p->last_reader[l->add] = s;
            extend(&p->values[l->add], s);
        }
        if (train && backward_reads_output(l->kind)) out->until = last - s;
        if (train && l->kind == MNI_NORM) p->norm_of[l->in] = s;
    }
    mni_buffer *output = &p->values[p->n_tensors - 1];
    output->until = last + 1;                       /* the caller reads it */
    p->values[0].floats = 0;
    if (!train) return;
    for (size_t s = 0; s + 1 < p->n_layers; s++) {
        const size_t t = (size_t)p->layers[s].out;
        p->grads[t] = (mni_buffer){ p->values[t].floats, last - p->last_reader[t],
                                    last - s, 0 };
    }
}

mann_status mni_plan_init(mni_plan *p, const mni_resnet_config *c, int fold,
                          mann_error *err)
{
    *p = (mni_plan){ .n_layers = 0 };
    mni_resnet_each_layer(c, count_layer, p);
    const size_t most = p->n_layers + 1;            /* every layer makes one tensor */
    p->n_layers = 0;
    p->layers = mni_alloc(most, sizeof *p->layers);
    p->values = mni_alloc(2 * most, sizeof *p->values);
    p->last_reader = mni_alloc(most, sizeof *p->last_reader);
    p->norm_of = mni_alloc(most, sizeof *p->norm_of);
    size_t *order = mni_alloc(2 * most, sizeof *order);
    if (!p->layers || !p->values || !p->last_reader || !p->norm_of || !order) {
        mni_free(order);
        mni_plan_fini(p);
        return mni_fail(err, MANN_E_NOMEM, "network: plan of %zu layers", most - 1);
    }
    collect k = { p, fold };
    mni_resnet_each_layer(c, take_layer, &k);
    p->grads = fold ? NULL : p->values + p->n_tensors;
    for (size_t t = 0; t < most; t++) p->norm_of[t] = MNI_NOWHERE;
    set_times(p, !fold);
    p->arena_floats = mni_buffers_place(p->values, (fold ? 1 : 2) * p->n_tensors, order);
    mni_free(order);
    return MANN_OK;
}

void mni_plan_fini(mni_plan *p)
{
    mni_free(p->layers);
    mni_free(p->values);
    mni_free(p->last_reader);
    mni_free(p->norm_of);
    *p = (mni_plan){ .n_layers = 0 };
}
