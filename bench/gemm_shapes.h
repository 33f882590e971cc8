/* gemm_shapes.h - the products that our benches and our rivals multiply: a large square
 * one and those of a small residual network (forward NN, weight gradient NT, input
 * gradient TN). SPDX-License-Identifier: MIT */
#ifndef BENCH_GEMM_SHAPES_H
#define BENCH_GEMM_SHAPES_H

#include "kern/kern_nn.h"

typedef struct gemm_shape { mni_gemm_kind kind; size_t m, n, k; } gemm_shape;

static const gemm_shape gemm_shapes[] = {
    { MNI_GEMM_NN, 2048, 2048, 2048 }, { MNI_GEMM_NN, 64, 4096, 27 },
    { MNI_GEMM_NN, 64, 4096, 576 },    { MNI_GEMM_NN, 128, 1024, 1152 },
    { MNI_GEMM_NN, 256, 1024, 2304 },  { MNI_GEMM_NN, 256, 4096, 64 },
    { MNI_GEMM_NT, 64, 576, 4096 },    { MNI_GEMM_NT, 256, 2304, 1024 },
    { MNI_GEMM_NT, 64, 128, 256 },     { MNI_GEMM_TN, 576, 4096, 64 },
    { MNI_GEMM_TN, 2304, 1024, 256 }
};
enum { gemm_n_shapes = (int)(sizeof gemm_shapes / sizeof *gemm_shapes) };

static inline mni_gemm_args gemm_shape_args(const gemm_shape *s, const float *a,
                                            const float *b, float *c)
{
    const size_t lda = s->kind == MNI_GEMM_TN ? s->m : s->k,
                 ldb = s->kind == MNI_GEMM_NT ? s->k : s->n;
    return (mni_gemm_args){ s->kind, s->m, s->n, s->k, a, lda, b, ldb, c, s->n, 0 };
}

static inline const char *gemm_kind_name(mni_gemm_kind kind)
{
    return kind == MNI_GEMM_NN ? "nn" : kind == MNI_GEMM_NT ? "nt" : "tn";
}

#endif
