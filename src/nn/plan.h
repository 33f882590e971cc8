/* plan.h - where every tensor of a network lives, decided before the first image comes.
 *
 * Time is counted in layers: with S layers, layer s runs forward at s and backward at 2 S
 * - 1 - s. A tensor is needed from the layer that makes it to the last that reads it, a
 * gradient from the first that adds to it to the layer that uses it up. Two buffers whose
 * times do not meet may share memory:
 *
 *      forward ->            backward ->
 *      conv1  ############################          values that backward needs
 *      norm1     #######################
 *      ...          ###############
 *      d(...)                   ####                gradients take the room of values
 * that are done with d(conv1)                     #####
 *
 * One arena, allocated once: nothing is allocated, and no fresh page touched, in a step.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_PLAN_H
#define MNI_NN_PLAN_H

#include "nn/resnet.h"

typedef struct mni_buffer {
    size_t floats;              /* of one image; 0: needs no memory */
    size_t from, until;         /* both inclusive */
    size_t at; /* per image too: multiply by the batch the arena is made for */
} mni_buffer;

/* Chooses `at` for all n so that buffers that meet in time do not meet in space; returns
 * the floats of the arena for one image. Sizes are rounded up to 16 floats inside.
 * Greedy: the largest first, each at the lowest place that is free. `order` is room for n
 * numbers. */
size_t mni_buffers_place(mni_buffer *b, size_t n, size_t *order);

typedef struct mni_plan {
    mni_layer *layers;
    size_t n_layers, n_tensors;
    mni_buffer *values;         /* by tensor; the input has none */
    mni_buffer *grads; /* by tensor; training plans only; input and output have none */
    size_t *last_reader;        /* by tensor: the layer that adds to its gradient first */
    size_t *norm_of; /* by tensor: the norm that reads it (training), or MNI_NOWHERE */
    size_t arena_floats;        /* of one image */
} mni_plan;

/* For training; or, with fold, for inference: every norm has become the bias, add and
 * ReLU of its convolution, and values are kept only as long as they are read. */
mann_status mni_plan_init(mni_plan *p, const mni_resnet_config *c, int fold,
                          mann_error *err);
void        mni_plan_fini(mni_plan *p);

#endif
