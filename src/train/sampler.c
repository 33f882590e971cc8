/* sampler.c - see sampler.h. SPDX-License-Identifier: MIT */
#include "train/sampler.h"

#include "base/rng.h"

enum { ROUNDS = 6 };

/* A Feistel network permutes the numbers of 2h bits whatever its round function is:
 * each round swaps the halves and xors one with a hash of the other. A result outside
 * 0..n-1 is permuted again until it falls inside ("cycle walking"): less than four
 * times on average, as 2^2h < 4n. */
uint32_t mni_permute(uint64_t key, uint32_t n, uint32_t i)
{
    uint32_t half = 1;
    if (n <= 1) return 0;
    while (half < 16 && (uint64_t)1 << 2 * half < n) half++;
    const uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1);
    do {
        uint32_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            const uint32_t f = (uint32_t)mni_mix64(key ^ (round << 40 | right)) & mask;
            const uint32_t swapped = left ^ f;
            left = right;
            right = swapped;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

static uint64_t key_of(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    mni_rng r = mni_rng_at(seed, MNI_FOR_SAMPLER, a, b, c);
    return mni_rng_u64(&r);
}

mni_pick mni_sampler_at(const mni_sampler *s, uint64_t step, uint32_t slot)
{
    /* A pass is a whole number of batches, so that no batch holds a class twice; the
     * few classes that are left over are others in every pass. */
    const uint32_t n_labels = mni_sampler_n_labels(s);
    const uint64_t batches = n_labels / s->classes, pass = step / batches;
    const uint32_t at = (uint32_t)(step % batches) * s->classes + slot / s->images;
    const uint32_t label = mni_permute(key_of(s->seed, 0, pass, 0), n_labels, at);
    const uint32_t klass = label % s->list->n_classes, turn = label / s->list->n_classes;

    /* The same for the images of a class: rounds of whole visits. */
    const uint32_t first = s->list->first[klass], n = s->list->first[klass + 1] - first;
    const uint64_t visits = n / s->images ? n / s->images : 1, round = pass / visits;
    const uint32_t place = (uint32_t)(pass % visits) * s->images + slot % s->images;
    const uint32_t image = mni_permute(key_of(s->seed, 1, round, label), n, place % n);
    return (mni_pick){ s->list->images[first + image], label, turn };
}
