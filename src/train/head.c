/* head.c - the light head: the body stays, only the last layer learns.
 *
 * A body that has seen a lot sees well enough; what it does not know is which differences
 * matter among the user's own things. That is the last layer's business, and the last
 * layer is small:
 *
 *     photo + its augmented copies --body, once--> features --W f + b--> unit length
 *                                                      ^
 *                                    a table; a step of training is a matter of
 *                                    milliseconds, for the body has not to run again
 *
 * The body is asked for its features through the door that is there: a model of the same
 * weights whose last layer is the identity and one more number that is always 1. What
 * comes out at unit length, divided by its last number, is the features as they are.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/calib.h"
#include "os/clock.h"
#include "os/try.h"
#include "train/augment.h"
#include "train/trainer.h"

enum { AT_ONCE = 64, COPIES = 8 };

typedef struct head {
    mann_train_config c;
    const mni_model *m;
    mni_recipe recipe;
    mni_cache cache;
    mni_class_list in, out;
    mni_model *body;            /* photo -> features and 1 */
    mni_layer last;             /* the linear layer of m */
    uint32_t width, dim, copies;
    float *seen, *asked;        /* features: in.images x copies; out.images */
    uint32_t *place;            /* of an image in in.images */
    float *w, *b, *best;        /* dim x width, dim; both behind each other in best */
    float *momentum, *grad;     /* of both */
    float *e, *de;              /* of a batch, or of what is examined */
    float *rows;                /* embeddings of out.images */
    mni_pool *pool;
    const mann_hooks *hooks;
} head;

static size_t n_head(const head *h) { return ((size_t)h->width + 1) * h->dim; }

/* --- the body ----------------------------------------------------------------------- */

static void find_last(void *ctx, const mni_layer *l)
{
    if (l->kind == MNI_LINEAR) *(mni_layer *)ctx = *l;
}

static mann_status make_body(head *h, mann_error *err)
{
    mni_resnet_config c = *mni_model_resnet(h->m);
    mni_layer wide = { 0 };
    mni_resnet_each_layer(&c, find_last, &h->last);
    if (h->last.kind != MNI_LINEAR)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "training: model %s has no last layer to be trained alone",
                        mni_model_shape_of(h->m).architecture);
    h->width = h->last.c_in;
    h->dim = h->last.c_out;
    c.dim = h->width + 1;
    mni_resnet_each_layer(&c, find_last, &wide);
    float *p = mni_alloc(mni_resnet_n_params(&c), sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "training: the body");
    memcpy(p, mni_model_params(h->m), h->last.weight * sizeof *p);
    for (size_t i = 0; i < h->width; i++) p[wide.weight + i * h->width + i] = 1;
    p[wide.bias + h->width] = 1;
    mann_status s = mni_model_new_resnet(
        &h->body, mni_model_shape_of(h->m).architecture, &c, 0, err);
    if (s == MANN_OK)
        s = mni_model_set_weights(h->body, p, mni_model_stats(h->m), err);
    mni_free(p);
    return s;
}

typedef struct views { /* a stretch of pictures: image i / copies, copy i % copies */
    const head *h;
    const uint64_t *images;
    uint32_t copies;
    size_t at, floats;
    uint8_t *rooms;
    float *input;
} views;

static mann_status prepare(void *ctx, size_t begin, size_t end, size_t chunk,
                           mann_error *err)
{
    const views *v = ctx;
    const mni_cache *c = &v->h->cache;
    const mni_augment none = { 0 }, some = mni_augment_preset(v->h->c.augment);
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const uint64_t image = v->images[(v->at + i) / v->copies],
                       copy = (v->at + i) % v->copies;
        uint8_t *room = v->rooms + 2 * i * mni_cache_room(c);
        mni_picture p;
        MNI_TRY(mni_cache_get(c, image, room, &p, err));
        MNI_TRY(mni_augment_run(copy ? &some : &none, &p, &c->recipe, 0,
                                mni_rng_at(v->h->c.seed, MNI_FOR_AUGMENT, 4, image, copy),
                                room + mni_cache_room(c), v->input + i * v->floats, err));
    }
    return MANN_OK;
}

/* Features of n images, `copies` of each: as it is, then augmented. */
static mann_status features(head *h, const uint64_t *images, size_t n, uint32_t copies,
                            float *out, mann_error *err)
{
    const size_t all = n * copies, wide = h->width + 1;
    views v = { .h = h, .images = images, .copies = copies };
    v.floats = (size_t)3 * h->recipe.size * h->recipe.size;
    v.rooms = mni_alloc(2 * AT_ONCE, mni_cache_room(&h->cache));
    v.input = mni_alloc_aligned(AT_ONCE, v.floats * sizeof *v.input, 0);
    float *y = mni_alloc(AT_ONCE, wide * sizeof *y);
    mann_status s = v.rooms && v.input && y
        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "training: features");
    const double start = mni_clock_seconds();
    for (; s == MANN_OK && v.at < all; v.at += AT_ONCE) {
        const size_t now = all - v.at < AT_ONCE ? all - v.at : AT_ONCE;
        const mann_progress p = { .task = "embed", .done = v.at, .total = all,
                                  .seconds = mni_clock_seconds() - start };
        if (h->hooks && h->hooks->progress && h->hooks->progress(h->hooks->user, &p))
            s = mni_fail(err, MANN_E_CANCELLED, "stopped while embedding");
        if (s == MANN_OK) s = mni_parallel_try(h->pool, now, 1, prepare, &v, err);
        if (s == MANN_OK) s = mni_model_forward(h->body, v.input, now, h->pool, y, err);
        for (size_t i = 0; s == MANN_OK && i < now; i++)
            for (size_t k = 0; k < h->width; k++)
                out[(v.at + i) * h->width + k] = y[i * wide + k] / y[i * wide + h->width];
    }
    mni_free(v.rooms);
    mni_free(v.input);
    mni_free(y);
    return s;
}

/* --- the layer: e = unit(W f + b) --------------------------------------------------- */

static float forward(const head *h, const float *f, float *e)
{
    double sum = 0;
    for (size_t d = 0; d < h->dim; d++) {
        const float *w = h->w + d * h->width;
        float v = h->b[d];
        for (size_t k = 0; k < h->width; k++) v += w[k] * f[k];
        e[d] = v;
        sum += (double)v * v;
    }
    const float length = (float)sqrt(sum > 1e-24 ? sum : 1e-24);
    for (size_t d = 0; d < h->dim; d++) e[d] /= length;
    return length;
}

/* de/dv of v / |v| is (I - e e') / |v|; gradients add up in h->grad. */
static void backward(head *h, const float *f, const float *e, const float *de,
                     float length)
{
    float dot = 0;
    for (size_t d = 0; d < h->dim; d++) dot += e[d] * de[d];
    for (size_t d = 0; d < h->dim; d++) {
        const float dv = (de[d] - dot * e[d]) / length;
        float *g = h->grad + d * h->width;
        for (size_t k = 0; k < h->width; k++) g[k] += dv * f[k];
        h->grad[h->dim * h->width + d] += dv;
    }
}

/* Nesterov's step, as nn/sgd.h has it; the bias does not decay. */
static void step(head *h, float rate)
{
    const size_t n = n_head(h), n_weights = (size_t)h->dim * h->width;
    const float mu = h->c.momentum;
    for (size_t i = 0; i < n; i++) {
        const float g =
            h->grad[i] + (i < n_weights ? h->c.weight_decay * h->w[i] : 0.0f);
        h->momentum[i] = mu * h->momentum[i] + g;
        h->w[i] -= rate * (g + mu * h->momentum[i]);
    }
}

static mann_status learn(head *h, const mni_sampler *s, const mni_schedule *schedule,
                         uint64_t at, mni_loss_result *r, mann_error *err)
{
    const uint32_t n = mni_sampler_batch(s);
    const mni_loss_config loss = { (mni_loss_kind)h->c.loss, (mni_miner)h->c.miner,
                                   h->c.margin, h->c.soft_margin != 0, h->c.temperature,
                                   h->c.seed, at };
    const float **f = mni_alloc(n, sizeof *f);
    float *lengths = mni_alloc(n, sizeof *lengths);
    uint32_t *labels = mni_alloc(n, sizeof *labels);
    mann_status status = f && lengths && labels
        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "training: batch of %u", (unsigned)n);
    for (uint32_t i = 0; status == MANN_OK && i < n; i++) {
        const mni_pick p = mni_sampler_at(s, at, i);
        mni_rng r2 = mni_rng_at(h->c.seed, MNI_FOR_AUGMENT, 5, at, i);
        const size_t row =
            (size_t)h->place[p.image] * h->copies + mni_rng_below(&r2, h->copies);
        f[i] = h->seen + row * h->width;
        labels[i] = p.label;
        lengths[i] = forward(h, f[i], h->e + i * h->dim);
    }
    if (status == MANN_OK)
        status = mni_loss_compute(&loss, h->e, labels, n, h->dim, r, h->de, err);
    if (status == MANN_OK && !isfinite(r->loss))
        status = mni_fail(err, MANN_E_LIMIT, "training: the loss is not a number at step "
                                             "%llu; try a tenth of the rate",
                          (unsigned long long)at + 1);
    if (status == MANN_OK) {
        memset(h->grad, 0, n_head(h) * sizeof *h->grad);
        for (uint32_t i = 0; i < n; i++)
            backward(h, f[i], h->e + i * h->dim, h->de + i * h->dim, lengths[i]);
        step(h, mni_schedule_rate(schedule, at));
    }
    mni_free(f);
    mni_free(lengths);
    mni_free(labels);
    return status;
}

/* --- examination -------------------------------------------------------------------- */

/* Recall@1 of the held-out photos, leave one out; NaN: there are none. */
static double examine(head *h)
{
    const size_t n = (size_t)mni_class_list_images(&h->out);
    uint64_t right = 0;
    for (size_t i = 0; i < n; i++)
        forward(h, h->asked + i * h->width, h->rows + i * h->dim);
    for (uint32_t k = 0; k < h->out.n_classes; k++)
        for (size_t i = h->out.first[k]; i < h->out.first[k + 1]; i++) {
            size_t nearest = n;
            float best = -INFINITY;
            for (size_t j = 0; j < n; j++) {
                float dot = 0;
                for (size_t d = 0; d < h->dim; d++)
                    dot += h->rows[i * h->dim + d] * h->rows[j * h->dim + d];
                if (j != i && dot > best) {
                    best = dot;
                    nearest = j;
                }
            }
            right += nearest >= h->out.first[k] && nearest < h->out.first[k + 1];
        }
    return n ? (double)right / (double)n : (double)NAN;
}

/* --- all of it ---------------------------------------------------------------------- */

static mann_status init(head *h, const mni_dataset *set, mann_error *err)
{
    size_t n;
    const void *prep = mni_model_attached(h->m, MNI_RECIPE_TAG, &n);
    if (!mni_model_resnet(h->m))
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "training: model %s has nothing to train",
                        mni_model_shape_of(h->m).architecture);
    if (mni_loss_has_proxies((mni_loss_kind)h->c.loss) || h->c.validation ||
        h->c.rotations_as_classes || h->c.resume)
        return mni_fail(err, MANN_E_ARG,
                        "training of the last layer alone: takes a loss of pairs, and no "
                        "other validation set, no quarter turns and no checkpoints");
    const mni_model_shape shape = mni_model_shape_of(h->m);
    MNI_TRY(mni_recipe_decode(&h->recipe, prep, n, err));
    MNI_TRY(mni_recipe_fits(&h->recipe, shape.input_channels, shape.input_size, err));
    MNI_TRY(make_body(h, err));
    MNI_TRY(mni_cache_init(&h->cache, set, &h->recipe, h->c.cache_bytes, h->pool,
                           h->hooks, err));
    MNI_TRY(mni_split(&h->cache, h->c.validation_share, h->c.seed, &h->in, &h->out, err));
    mni_class_list_thin(&h->out, MNI_MOST_VAL_IMAGES);
    const uint64_t n_in = mni_class_list_images(&h->in),
                   n_out = mni_class_list_images(&h->out);
    const uint64_t bytes = (n_in * h->copies + n_out) * h->width * sizeof(float);
    if (bytes > h->c.cache_bytes)
        return mni_fail(err, MANN_E_BUDGET,
                        "training: %llu copies of each of %llu photos are %llu MiB of "
                        "features, the cache may hold %llu; fewer copies need less",
                        (unsigned long long)h->copies, (unsigned long long)n_in,
                        (unsigned long long)(bytes >> 20),
                        (unsigned long long)(h->c.cache_bytes >> 20));
    const size_t batch = (size_t)h->c.classes_per_batch * h->c.images_per_class;
    h->seen = mni_alloc((size_t)n_in * h->copies, h->width * sizeof *h->seen);
    h->asked = mni_alloc((size_t)n_out + 1, h->width * sizeof *h->asked);
    h->place = mni_alloc(h->cache.n_images, sizeof *h->place);
    h->w = mni_alloc(4, n_head(h) * sizeof *h->w);
    h->e = mni_alloc(2 * batch, h->dim * sizeof *h->e);
    h->rows = mni_alloc_aligned((size_t)n_out + 1, h->dim * sizeof *h->rows, 0);
    if (!h->seen || !h->asked || !h->place || !h->w || !h->e || !h->rows)
        return mni_fail(err, MANN_E_NOMEM, "training: features of %llu photos",
                        (unsigned long long)n_in);
    h->b = h->w + (size_t)h->dim * h->width;
    h->best = h->w + n_head(h);
    h->momentum = h->best + n_head(h);
    h->grad = h->momentum + n_head(h);
    h->de = h->e + batch * h->dim;
    const float *p = mni_model_params(h->m);
    memcpy(h->w, p + h->last.weight, (size_t)h->dim * h->width * sizeof *p);
    memcpy(h->b, p + h->last.bias, h->dim * sizeof *p);
    for (uint32_t i = 0; i < n_in; i++) h->place[h->in.images[i]] = i;
    MNI_TRY(features(h, h->in.images, (size_t)n_in, h->copies, h->seen, err));
    return features(h, h->out.images, (size_t)n_out, 1, h->asked, err);
}

static void fini(head *h)
{
    mni_model_free(h->body);
    mni_cache_fini(&h->cache);
    mni_class_list_fini(&h->in);
    mni_class_list_fini(&h->out);
    mni_free(h->seen);
    mni_free(h->asked);
    mni_free(h->place);
    mni_free(h->w);
    mni_free(h->e);
    mni_free(h->rows);
}

static void tell(const head *h, uint32_t epoch, double loss, double recall)
{
    const mni_trainer t = { .hooks = h->hooks };
    if (epoch == 0)
        mni_train_note(&t, MANN_NOTE_INFO,
                       "last layer of %u x %u, %u copies of %llu photos; before: "
                       "Recall@1 %.1f %% on %u held-out classes",
                       (unsigned)h->dim, (unsigned)h->width, (unsigned)h->copies,
                       (unsigned long long)mni_class_list_images(&h->in), 100 * recall,
                       (unsigned)h->out.n_classes);
    else
        mni_train_note(&t, MANN_NOTE_INFO, "epoch %u: loss %.4f, Recall@1 %.1f %%",
                       (unsigned)epoch, loss, 100 * recall);
}

/* The weights of the best epoch stay in h->best; none better than those it began with:
 * these. */
static mann_status run(head *h, mann_train_report *r, mann_error *err)
{
    const uint32_t n_labels = h->in.n_classes;
    mni_sampler s = { .list = &h->in, .seed = h->c.seed,
                      .classes = h->c.classes_per_batch, .images = h->c.images_per_class,
                      .turns = 1, .cap_set = h->c.cap_set };
    if (s.classes > n_labels) s.classes = n_labels;
    const uint64_t batch = mni_sampler_batch(&s),
                   seen = mni_class_list_images(&h->in) * h->copies;
    uint64_t steps = h->c.steps_per_epoch;
    if (!steps) steps = (seen + batch - 1) / batch;
    const uint64_t all = steps * h->c.epochs;
    const mni_schedule schedule = { h->c.learning_rate, all / 10 + 1, all, 0.0f };
    double before = examine(h);
    uint32_t stale = 0;
    r->val_recall = before;
    memcpy(h->best, h->w, n_head(h) * sizeof *h->best);
    tell(h, 0, 0, before);
    for (uint32_t epoch = 1; epoch <= h->c.epochs && stale < h->c.patience; epoch++) {
        double sum = 0;
        for (uint64_t i = 0; i < steps; i++) {
            mni_loss_result l;
            MNI_TRY(learn(h, &s, &schedule, r->n_steps, &l, err));
            sum += l.loss;
            r->n_steps++;
        }
        const mann_progress p = { .task = "train", .done = r->n_steps, .total = all };
        const double recall = examine(h);
        r->n_epochs = epoch;
        r->loss = sum / (double)steps;
        tell(h, epoch, r->loss, recall);
        stale++;
        if (!(recall <= r->val_recall)) { /* better, or nobody to ask */
            stale = 0;
            r->best_epoch = epoch;
            r->val_recall = recall;
            memcpy(h->best, h->w, n_head(h) * sizeof *h->best);
        }
        if (h->hooks && h->hooks->progress && h->hooks->progress(h->hooks->user, &p))
            return mni_fail(err, MANN_E_CANCELLED, "training stopped after epoch %u",
                            (unsigned)epoch);
    }
    return MANN_OK;
}

/* What scores do strangers reach now? A new layer, a new calibration. */
static mann_status calibrate(head *h, mni_model *to, mann_error *err)
{
    mni_calib calib;
    const size_t n = (size_t)mni_class_list_images(&h->out);
    if (h->out.n_classes < MNI_CALIB_FEWEST)
        return mni_model_attach(to, MNI_CALIB_TAG, NULL, 0, err);
    uint32_t *labels = mni_alloc(n, sizeof *labels);
    uint8_t *bytes = mni_alloc(mni_calib_bytes(), 1);
    mann_status s = labels && bytes
        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "training: calibration");
    for (uint32_t k = 0; s == MANN_OK && k < h->out.n_classes; k++)
        for (size_t i = h->out.first[k]; i < h->out.first[k + 1]; i++) labels[i] = k;
    if (s == MANN_OK)
        s = mni_calib_measure(&calib, h->rows, labels, n, h->dim, h->out.n_classes,
                              MANN_COSINE, MNI_CALIB_PHOTOS, 0, h->c.seed, h->pool, err);
    if (s == MANN_OK) {
        mni_calib_encode(&calib, bytes);
        s = mni_model_attach(to, MNI_CALIB_TAG, bytes, mni_calib_bytes(), err);
    }
    mni_free(labels);
    mni_free(bytes);
    return s;
}

static mann_status give(head *h, mni_model *m, const mann_train_report *r,
                        mann_error *err)
{
    const size_t n = mni_resnet_n_params(mni_model_resnet(m));
    mni_text text = { 0 };
    float *p = mni_memdup(mni_model_params(m), n * sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "training: weights");
    memcpy(h->w, h->best, n_head(h) * sizeof *h->w);
    examine(h); /* the rows that calibration looks at */
    memcpy(p + h->last.weight, h->w, (size_t)h->dim * h->width * sizeof *p);
    memcpy(p + h->last.bias, h->b, h->dim * sizeof *p);
    if (!isnan(r->val_recall))
        mni_text_f(&text, "{\"recall_at_1\":%.6f,\"classes\":%u,\"images\":%llu,"
                          "\"epoch\":%u}",
                   r->val_recall, (unsigned)h->out.n_classes,
                   (unsigned long long)mni_class_list_images(&h->out),
                   (unsigned)r->best_epoch);
    mann_status s = text.failed ? mni_fail(err, MANN_E_NOMEM, "training: validation")
                                : mni_model_attach(m, "VALI", mni_text_get(&text),
                                                   text.n_chars, err);
    if (s == MANN_OK) s = calibrate(h, m, err);
    if (s == MANN_OK) s = mni_model_set_weights(m, p, mni_model_stats(m), err);
    mni_text_fini(&text);
    mni_free(p);
    return s;
}

mann_status mni_train_head(mni_model *m, const mni_dataset *set,
                           const mann_train_config *c, mni_pool *pool,
                           const mann_hooks *hooks, mann_train_report *out,
                           mann_error *err)
{
    const double start = mni_clock_seconds();
    head h = { .c = *c, .m = m, .copies = 1 + (c->head_copies ? c->head_copies : COPIES),
               .pool = pool, .hooks = hooks };
    mann_train_report r = { .struct_size = sizeof r, .loss = NAN, .val_loss = NAN,
                            .val_recall = NAN };
    if (h.c.margin == 0) h.c.margin = h.c.loss == MANN_LOSS_CONTRASTIVE ? 1.0f : 0.2f;
    if (h.c.temperature == 0) h.c.temperature = 0.1f;
    mann_status s = init(&h, set, err);
    if (s == MANN_OK) s = run(&h, &r, err);
    if (s == MANN_OK) s = give(&h, m, &r, err);
    r.n_classes = h.in.n_classes;
    r.n_val_classes = h.out.n_classes;
    r.n_images = mni_class_list_images(&h.in);
    r.n_val_images = mni_class_list_images(&h.out);
    r.n_bad = h.cache.n_bad;
    r.seconds = mni_clock_seconds() - start;
    const uint64_t batch = (uint64_t)c->classes_per_batch * c->images_per_class;
    r.images_per_second = r.seconds > 0 ? (double)(r.n_steps * batch) / r.seconds : 0;
    if (s == MANN_OK) *out = r;
    fini(&h);
    return s;
}
