/* resnet.h - the ResNet family from one description, and the walk that everything else is
 * made of.
 *
 * He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition" (CVPR 2016),
 * figures 2, 3, 5 and table 1; the stride of a bottleneck sits on its 3x3 convolution, as
 * in the implementations that everybody's weights come from. A network is
 *
 *   stem -> stage 0 -> ... -> stage n-1 -> average pool -> [linear to dim] -> unit length
 *
 * and a description is a few numbers. One function, mni_resnet_each_layer, turns the
 * numbers into layers in the order of the forward pass; sizing, initialising, saving,
 * printing and planning are callbacks of it, so that no two parts of the code can
 * disagree about the layout. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_RESNET_H
#define MNI_NN_RESNET_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { MNI_RESNET_MAX_STAGES = 6, MNI_NAME_CHARS = 48 };

typedef struct mni_resnet_config {
    uint32_t input_size;            /* pixels a side, 8..1024 */
    uint32_t input_channels;        /* 1..16 */
    uint32_t big_stem;   /* 0: 3x3 stride 1; 1: 7x7 stride 2 and 3x3 stride 2 max pool */
    uint32_t bottleneck; /* 0: two 3x3; 1: 1x1, 3x3, 1x1 to four times the width */
    uint32_t n_stages;   /* 1..MNI_RESNET_MAX_STAGES; all but the first halve the map */
    uint32_t widths[MNI_RESNET_MAX_STAGES];     /* 1..2048 */
    uint32_t depths[MNI_RESNET_MAX_STAGES];     /* blocks, 1..64 */
    uint32_t dim; /* of the linear head; 0: none, the pooled features are it */
} mni_resnet_config;

/* "micro" (48x48, 64-d: under 1 MB as f16), "mini" (64x64, 128-d), "small" (96x96, 128-d:
 * one block a stage behind the big stem), "resnet18", "resnet34" (224x224, 512-d),
 * "resnet50" (224x224, no head: 2048-d). 1 if the name is known. The caller may then
 * change input_size and dim. */
int         mni_resnet_preset(mni_resnet_config *c, const char *name);
mann_status mni_resnet_check(const mni_resnet_config *c,
                             mann_error *err); /* are all numbers in range? */
/* The same with unused fields at 0, so that equal networks are equal to memcmp. */
mni_resnet_config mni_resnet_clean(const mni_resnet_config *c);
uint32_t mni_resnet_dim(const mni_resnet_config *c); /* floats of an embedding */

typedef enum mni_layer_kind {
    MNI_CONV = 1,                   /* weight; folded networks: also bias, add, relu */
    MNI_NORM,                       /* weight, bias, mean, var; then + add, then relu */
    MNI_MAXPOOL, MNI_AVGPOOL,       /* avgpool: over the whole map, to 1x1 */
    MNI_LINEAR,                     /* weight, bias */
    MNI_UNIT                        /* to unit length */
} mni_layer_kind;

#define MNI_NOWHERE SIZE_MAX
enum { MNI_NO_TENSOR = -1 };

/* Tensors are numbered: 0 is the input. Offsets are in floats: weight and bias into the
 * parameter block, mean and var into the statistics block (MNI_NOWHERE: the layer has
 * none). */
typedef struct mni_layer {
    mni_layer_kind kind;
    char name[MNI_NAME_CHARS]; /* "layer1.0.conv1": the names of torchvision's files */
    int in, add, out; /* tensors; add: the residual that norm adds, or MNI_NO_TENSOR */
    int relu;
    uint32_t c_in, h_in, w_in, c_out, h_out, w_out;
    uint32_t kernel, stride, pad;
    size_t weight, bias, mean, var;
} mni_layer;

typedef void (*mni_layer_fn)(void *ctx, const mni_layer *layer);
/* Calls fn for every layer in forward order. The config must have passed
 * mni_resnet_check. */
void mni_resnet_each_layer(const mni_resnet_config *c, mni_layer_fn fn, void *ctx);

/* One named array. In the parameter block: convolution [c_out][c_in][k][k], norm weight
 * and bias [c], linear weight [c_out][c_in] and bias [c_out]. In the statistics block:
 * norm running mean and var [c]. */
typedef enum mni_param_role {
    MNI_CONV_WEIGHT = 1,
    MNI_NORM_WEIGHT,
    MNI_NORM_BIAS,
    MNI_LINEAR_WEIGHT,
    MNI_LINEAR_BIAS,
    MNI_NORM_MEAN,
    MNI_NORM_VAR
} mni_param_role;
typedef struct mni_param {
    char name[MNI_NAME_CHARS + 16]; /* "layer1.0.conv1.weight" */
    mni_param_role role;
    uint32_t n_axes, shape[4];
    size_t at, count;               /* floats from the start of its block */
} mni_param;
typedef void (*mni_param_fn)(void *ctx, const mni_param *p);
void mni_resnet_each_param(const mni_resnet_config *c, mni_param_fn fn,
                           void *ctx); /* trained */
void mni_resnet_each_stat(const mni_resnet_config *c, mni_param_fn fn,
                          void *ctx); /* running mean, var */

size_t mni_resnet_n_params(
    const mni_resnet_config *c); /* floats of the parameter block */
size_t mni_resnet_n_stats(const mni_resnet_config *c);

/* He et al., "Delving Deep into Rectifiers" (ICCV 2015): convolutions from N(0, 2 /
 * (c_out k k)); norm weight 1, bias 0; linear uniform in +-1/sqrt(c_in). Running mean 0,
 * var 1. A weight is a function of (seed, its place in the block) alone. */
void mni_resnet_init(const mni_resnet_config *c, uint64_t seed, float *params,
                     float *stats);

#endif
