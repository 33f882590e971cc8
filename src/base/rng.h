/* rng.h - random numbers as a function, not as a state.
 *
 * A generator that is advanced by whoever asks next gives other numbers for every number
 * of threads. Here a number depends on its *address* alone: (seed, purpose, epoch, step,
 * slot) make a key, and (key, i) makes the i-th number of that stream. Any thread may
 * compute any of them at any time, and a resumed training asks the same addresses as an
 * uninterrupted one.
 *
 * The mixing is two rounds of the SplitMix64 finaliser (Steele, Lea, Flood: "Fast
 * splittable pseudorandom number generators", OOPSLA 2014, fig. 17) over key + counter *
 * golden ratio. No libm on the uniform path: the same numbers on every machine.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_RNG_H
#define MNI_BASE_RNG_H

#include <stdint.h>

/* What the numbers are for; two purposes never share a stream. Values are part of what
 * "the same seed" means: append, never renumber. */
typedef enum mni_purpose {
    MNI_FOR_TEST = 1, MNI_FOR_INIT, MNI_FOR_SPLIT, MNI_FOR_SAMPLER, MNI_FOR_AUGMENT,
    MNI_FOR_MINER,
    MNI_FOR_SYNTH_CLASS, MNI_FOR_SYNTH_VIEW, MNI_FOR_EPISODE, MNI_FOR_CALIBRATION,
    MNI_FOR_KMEANS,
    MNI_FOR_HNSW, MNI_FOR_BOOTSTRAP, MNI_FOR_UUID, MNI_FOR_TUNE, MNI_FOR_PROXIES
} mni_purpose;

typedef struct mni_rng { uint64_t key, at; } mni_rng;  /* at: next counter; copy freely */

uint64_t mni_mix64(uint64_t x);                /* the finaliser alone: a good hash of x */
mni_rng mni_rng_at(uint64_t seed, mni_purpose purpose, uint64_t epoch, uint64_t step,
                   uint64_t slot);

uint64_t mni_rng_u64(mni_rng *r);
uint32_t mni_rng_below(mni_rng *r, uint32_t n);  /* uniform in 0..n-1, unbiased; n >= 1 */
float    mni_rng_unit(mni_rng *r);                       /* [0, 1), multiples of 2^-24 */
float    mni_rng_range(mni_rng *r, float low, float high);
/* Approximately N(0,1): sum of 12 uniforms minus 6 (Irwin-Hall); tails end at +-6. No
 * libm. */
float    mni_rng_normal(mni_rng *r);
/* Fisher-Yates: a permutation of 0..n-1 into `out`. */
void     mni_rng_shuffle(mni_rng *r, uint32_t *out, uint32_t n);

#endif
