/* scratch.h - as many equal pieces of working memory as threads can run at once. A chunk
 * of parallel work borrows one while it runs; which one it gets changes nothing, as
 * contents do not matter. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_SCRATCH_H
#define MNI_NN_SCRATCH_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct mni_scratch {
    float *floats;
    atomic_uchar *taken;
    size_t n,
        piece; /* pieces, floats of each (a multiple of 16: pieces are 64-byte aligned) */
} mni_scratch;

int mni_scratch_init(mni_scratch *s, size_t n,
                     size_t piece_floats); /* 1, or 0: no memory */
void   mni_scratch_fini(mni_scratch *s);
float *mni_scratch_take(mni_scratch *s); /* never fails when no more than n run at once */
void   mni_scratch_give(mni_scratch *s, float *piece);

#endif
