/* proxies.h - losses that compare a picture not with other pictures but with one learned
 * point of each class, its proxy.
 *
 *     pairs:     a batch of 96 knows 96 pictures; other classes do not exist
 *     proxies:   every class is there in every step, as one row of a matrix
 *
 *         batch x dim   *   dim x classes   =   cosines, batch x classes
 *
 * With s the cosine of a picture and a proxy, t the picture's own class, z = s / heat:
 *
 *     softmax        cross entropy of z
 *     cosface        the same, but z_t = (s_t - margin) / heat
 *     arcface        the same, but z_t = cos(angle_t + margin) / heat; beyond a half turn
 *                    s_t - margin sin margin, which goes on falling
 *     proxy-anchor   of each proxy with pictures here: log(1 + sum over them of
 *                    exp(-(s - margin) / heat)), mean; of each proxy: log(1 + sum
 *                    over others' pictures of exp((s + margin) / heat)), mean; added
 *
 * 100,000 classes are not multiplied at once. The matrix goes by in shards; of the
 * cosines only one shard's lie in memory, and of the gradient by the proxies too, because
 * a shard's rows take their step before the next shard comes. A softmax needs the sum
 * over all classes first, so its shards go by twice.
 *
 * Where even that is too slow, a step takes the batch's own classes and a seeded sample
 * of the others (An et al., "Killing two birds with one stone: efficient and robust
 * training of face recognition CNNs by Partial FC", CVPR 2022, section 3.3).
 *
 * Rows are kept at unit length: after its step a row is put back on the sphere. Same bits
 * for any number of threads. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_PROXIES_H
#define MNI_NN_PROXIES_H

#include "nn/loss.h"
#include "os/pool.h"

typedef struct mni_proxies mni_proxies;

typedef struct mni_proxy_step {
    float rate, momentum;   /* of the proxies' descent (Nesterov); rate 0: they stay */
    uint64_t seed, step;    /* address of the sample */
} mni_proxy_step;

/* n_classes x dim, for batches of up to max_batch. sample: proxies in a step (all of the
 * batch's classes are among them; more if those are more); 0: all. pool is borrowed. */
mann_status mni_proxies_new(mni_proxies **out, uint32_t n_classes, uint32_t dim,
                            size_t max_batch, uint32_t sample, mni_pool *pool,
                            mann_error *err);
void   mni_proxies_free(mni_proxies *p);
/* What _new takes. */
size_t mni_proxies_bytes(uint32_t n_classes, uint32_t dim, size_t max_batch,
                         uint32_t sample);
/* Random directions; momentum 0. */
void   mni_proxies_init(mni_proxies *p, uint64_t seed);
/* The two blocks that a checkpoint keeps, n_classes x dim floats each. */
float *mni_proxies_rows(mni_proxies *p);
float *mni_proxies_momentum(mni_proxies *p);
size_t mni_proxies_floats(const mni_proxies *p);

/* Loss of n unit vectors of labels < n_classes, its gradient by them (overwritten), and
 * one step of the proxies. Fills loss, active (share of the pictures to which a wrong
 * proxy is nearer than the own one, margin counted) and n_terms of *out; the rest of it
 * stands. Cannot fail. */
void mni_proxies_learn(mni_proxies *p, const mni_loss_config *c, const mni_proxy_step *o,
                       const float *embeddings, const uint32_t *labels, size_t n,
                       mni_loss_result *out, float *d_embeddings);

#endif
