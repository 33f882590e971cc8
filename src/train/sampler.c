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

uint32_t mni_sampler_n_shown(const mni_sampler *s)
{
    uint32_t n = 0;
    for (uint32_t set = 0; set < (s->list->n_sets ? s->list->n_sets : 1); set++)
        n += mni_sampler_share(s, set);
    return n * s->turns;
}

/* Place `at` of the classes that a pass shows: which class is it, and the how many-th
 * showing of it? A set of n classes that shows w at a time goes round in n / w passes;
 * the few that are left over are others in every round. */
static uint32_t class_at(const mni_sampler *s, uint32_t at, uint64_t pass,
                         uint64_t *showing)
{
    const mni_class_list *l = s->list;
    uint32_t set = 0, shown = mni_sampler_share(s, 0);
    *showing = pass;
    if (l->n_sets == 0 && shown == l->n_classes) return at;
    while (at >= shown) {
        at -= shown;
        shown = mni_sampler_share(s, ++set);
    }
    const uint32_t first = l->n_sets ? l->set_at[set] : 0,
                   n = (l->n_sets ? l->set_at[set + 1] : l->n_classes) - first;
    if (shown == n) return first + at;
    const uint64_t passes = n / shown;
    *showing = pass / passes;
    at += (uint32_t)(pass % passes) * shown;
    return first + mni_permute(key_of(s->seed, 2, *showing, set), n, at);
}

mni_pick mni_sampler_at(const mni_sampler *s, uint64_t step, uint32_t slot)
{
    /* A pass is a whole number of batches, so that no batch holds a class twice; the
     * few classes that are left over are others in every pass. */
    const uint32_t n_shown = mni_sampler_n_shown(s), per_turn = n_shown / s->turns;
    const uint64_t batches = n_shown / s->classes, pass = step / batches;
    const uint32_t at = (uint32_t)(step % batches) * s->classes + slot / s->images;
    const uint32_t place = mni_permute(key_of(s->seed, 0, pass, 0), n_shown, at);
    const uint32_t turn = place / per_turn;
    uint64_t showing;
    const uint32_t klass = class_at(s, place % per_turn, pass, &showing);
    const uint32_t label = klass + turn * s->list->n_classes;

    /* The same for the images of a class: rounds of whole visits. */
    const uint32_t first = s->list->first[klass], n = s->list->first[klass + 1] - first;
    const uint64_t visits = n / s->images ? n / s->images : 1, round = showing / visits;
    const uint32_t i = (uint32_t)(showing % visits) * s->images + slot % s->images;
    const uint32_t image = mni_permute(key_of(s->seed, 1, round, label), n, i % n);
    return (mni_pick){ s->list->images[first + image], label, turn };
}
