/* memory.c - what a training takes, counted before it begins.
 *
 *     network      weights, gradients, momentum; packed copies; maps of one batch
 *     models       two copies: of now, and of the best epoch
 *     batches      that wait in the loader's ring
 *     first sizes  a second network with its maps, if the first steps see small pictures
 *     proxies      one vector of each class, and its momentum; a shard of cosines
 *     examination  vectors of the held-out photos, and the forward pass that makes them
 *     cache        decoded photos: as much as is left. Those it does not hold are decoded
 *                  anew when their turn comes, so it costs time and changes nothing else
 *
 * The list of the data set's files and what the C library needs come on top.
 * SPDX-License-Identifier: MIT */
#include "train/trainer.h"

enum { AT_ONCE = 64 };          /* photos embedded together: examine.c */
enum { ODDMENTS = 1 << 20 };    /* texts, headers, buffers of files */

/* What examine.c and loader.c take. */
static uint64_t work_bytes(const mni_model *m, uint64_t batch, size_t threads)
{
    const mni_model_shape s = mni_model_shape_of(m);
    const uint64_t side = s.input_size, input = 3 * side * side * sizeof(float),
                   room = 4 * side * side, floats = sizeof(float),
                   places = mni_loader_threads(threads) ? mni_loader_threads(threads) + 2
                                                        : 1;
    const uint64_t ring = places * (batch * (input + 12) + 2 * room),
                   loss = (3 * batch * batch + s.dim + 2 * batch) * sizeof(double) +
                          batch * s.dim * floats,
                   exam = MNI_MOST_VAL_IMAGES * (2 * s.dim + 8 + threads) * floats +
                          (AT_ONCE > batch ? AT_ONCE : batch) * (input + 2 * room);
    return ring + loss + exam + ODDMENTS;
}

mann_status mni_train_cost(const mni_model *m, const mann_train_config *c, size_t threads,
                           mann_train_cost *out, mann_error *err)
{
    const uint64_t batch = (uint64_t)c->classes_per_batch * c->images_per_class;
    mni_network_size net;
    *out = (mann_train_cost){ .struct_size = sizeof *out };
    if (!mni_model_resnet(m))
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "training: model %s has nothing to train",
                        mni_model_shape_of(m).architecture);
    if (batch < 4 || batch > 65536)
        return mni_fail(err, MANN_E_ARG,
                        "training: batch of %u classes x %u images, wanted at least "
                        "2 x 2 and at most 65536 in all",
                        (unsigned)c->classes_per_batch, (unsigned)c->images_per_class);
    MNI_TRY(mni_network_plan(mni_model_resnet(m), batch, threads, &net, err));
    out->batch = (uint32_t)batch;
    out->activation_bytes = net.arena;
    out->weight_bytes = net.all - net.arena + 2 * mni_model_bytes(m, 0, threads) +
                        (c->ema > 0 ? mni_ema_bytes(mni_model_resnet(m)) : 0);
    out->work_bytes = work_bytes(m, batch, threads) +
                      mni_model_bytes(m, AT_ONCE, threads) - mni_model_bytes(m, 0, 0);
    if (mni_loss_has_proxies((mni_loss_kind)c->loss))
        out->proxy_bytes = mni_proxies_bytes(c->n_classes, mni_model_shape_of(m).dim,
                                             (size_t)batch, c->proxies);
    uint64_t small = 0;
    if (c->first_size)
        MNI_TRY(mni_sizes_bytes(mni_model_resnet(m), c->first_size, batch, threads,
                                &small, err));
    out->work_bytes += small;
    if (c->hard_classes > 1)
        out->work_bytes +=
            mni_lookalike_bytes(c->n_classes, mni_model_shape_of(m).dim,
                                (uint64_t)c->steps_per_epoch * c->classes_per_batch,
                                c->hard_classes);
    out->fixed_bytes = out->activation_bytes + out->weight_bytes + out->work_bytes +
                       out->proxy_bytes;
    out->cache_bytes = c->cache_bytes;
    if (c->mem_bytes == 0) return MANN_OK;
    if (out->fixed_bytes > c->mem_bytes) {
        char wanted[32], have[32];
        out->cache_bytes = 0;
        mni_format_bytes(wanted, sizeof wanted, out->fixed_bytes);
        mni_format_bytes(have, sizeof have, c->mem_bytes);
        return mni_fail(err, MANN_E_BUDGET,
                        "training: batches of %u images need %s, %s are allowed; smaller "
                        "batches need less", (unsigned)batch, wanted, have);
    }
    if (out->cache_bytes > c->mem_bytes - out->fixed_bytes)
        out->cache_bytes = c->mem_bytes - out->fixed_bytes;
    return MANN_OK;
}
