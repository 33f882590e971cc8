/* sampler.h - which images make the batch of a step: P classes x K images.
 *
 * Sources are mixed by set, then class, then image. A set that is capped shows as many of
 * its classes in each pass, others the next time, so that ten thousand drawn toys do not
 * drown a hundred photographed things:
 *
 *     pass 1   | A1 A2 A3 A4 A5 A6 | B1 B2 B3 |      B has 9 classes, cap 3
 *     pass 2   | A1 A2 A3 A4 A5 A6 | B4 B5 B6 |      (each pass in an order of its own)
 *
 * A metric loss needs positives and negatives in the same batch, so a batch is drawn by
 * class. Over one pass every class comes at most once, in an order that is new for each
 * pass; over the visits of a class its images go round in the same manner. No list is
 * shuffled and nothing is remembered: an order is a keyed permutation that is computed
 * where it is asked (a small Feistel network; Black and Rogaway, "Ciphers with
 * arbitrary finite domains", CT-RSA 2002), so that the picture in a slot is a function
 * of (seed, step, slot), on any thread and after any resume.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_SAMPLER_H
#define MNI_TRAIN_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

/* Images by class: those of class c are images[first[c] .. first[c + 1]). Borrowed by
 * the sampler. */
typedef struct mni_class_list {
    uint32_t n_classes;
    uint32_t *first;  /* n_classes + 1 */
    uint64_t *images; /* numbers in their data set */
    uint32_t n_sets;  /* sources that were joined; 0: one, and set_at is NULL */
    uint32_t *set_at; /* n_sets + 1; classes of set s: set_at[s] to set_at[s + 1] */
} mni_class_list;

typedef struct mni_sampler {
    const mni_class_list *list;
    uint64_t seed;
    uint32_t classes, images; /* P, K; P <= n_classes * turns */
    uint32_t turns; /* 1; 4: quarter turns are classes too: c + turn * n_classes; 8: and
                     * those of the mirror image */
    uint32_t cap_set; /* a set counts as at most so many classes; 0: as it has */
} mni_sampler;

typedef struct mni_pick {
    uint64_t image;
    uint32_t label;
    uint32_t turn; /* quarter turns to apply, 0..3; 4 more: and mirrored */
} mni_pick;

static inline uint32_t mni_sampler_n_labels(const mni_sampler *s)
{
    return s->list->n_classes * s->turns;
}
/* As how many classes set s counts: so many of it are in every pass. */
static inline uint32_t mni_sampler_share(const mni_sampler *s, uint32_t set)
{
    const mni_class_list *l = s->list;
    const uint32_t n = l->n_sets ? l->set_at[set + 1] - l->set_at[set] : l->n_classes;
    return s->cap_set && n > s->cap_set ? s->cap_set : n;
}
/* Labels that a pass shows, each once: all of them, unless a set is capped. */
uint32_t mni_sampler_n_shown(const mni_sampler *s);
static inline uint32_t mni_sampler_batch(const mni_sampler *s)
{
    return s->classes * s->images;
}

/* slot: 0 .. P * K - 1; slots of one class are neighbours. A class of fewer than K
 * images repeats them: it is the augmentation that makes two different views of one
 * picture. */
mni_pick mni_sampler_at(const mni_sampler *s, uint64_t step, uint32_t slot);

/* Place of i (0..n-1) in the permutation of 0..n-1 that belongs to `key`. */
uint32_t mni_permute(uint64_t key, uint32_t n, uint32_t i);

#endif
