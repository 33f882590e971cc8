/* split.c - see split.h. SPDX-License-Identifier: MIT */
#include "train/split.h"

#include "base/mem.h"
#include "base/rng.h"

enum { LEAST_OUT = 8, TOO_FEW = 4 };

uint32_t mni_split_size(uint32_t n_classes, double share)
{
    if (n_classes < TOO_FEW || !(share > 0)) return 0;
    uint32_t n = (uint32_t)(share * n_classes + 0.5);
    if (n < LEAST_OUT) n = LEAST_OUT;
    return n > n_classes / 2 ? n_classes / 2 : n;
}

void mni_class_list_fini(mni_class_list *l)
{
    mni_free(l->first);
    mni_free(l->images);
    mni_free(l->set_at);
    *l = (mni_class_list){ 0 };
}

static mann_status list_new(mni_class_list *l, const mni_cache *c, mann_error *err)
{
    const uint32_t n_classes = mni_dataset_n_classes(c->set),
                   n_sets = mni_dataset_n_sets(c->set);
    const uint64_t n_images = c->n_images;
    *l = (mni_class_list){ .n_sets = n_sets > 1 ? n_sets : 0 };
    if (n_images > UINT32_MAX)
        return mni_fail(err, MANN_E_LIMIT, "training: %llu images, at most %u",
                        (unsigned long long)n_images, UINT32_MAX);
    l->first = mni_alloc((size_t)n_classes + 1, sizeof *l->first);
    l->images = mni_alloc((size_t)n_images + 1, sizeof *l->images);
    l->set_at = l->n_sets ? mni_alloc((size_t)n_sets + 1, sizeof *l->set_at) : NULL;
    if (l->first && l->images && (l->set_at || !l->n_sets)) return MANN_OK;
    mni_class_list_fini(l);
    return mni_fail(err, MANN_E_NOMEM, "training: list of %llu images",
                    (unsigned long long)n_images);
}

/* The images of class k that can be read: counted into n[k]. */
static void count_good(const mni_cache *c, uint32_t *n)
{
    for (uint64_t i = 0; i < c->n_images; i++) {
        uint32_t k;
        mni_dataset_path(c->set, i, &k);
        if (k != MANN_NO_CLASS && c->channels[i]) n[k]++;
    }
}

/* Classes whose side[k] is `which`; the images of a data set are sorted by class. */
static void gather(const mni_cache *c, const uint8_t *side, uint8_t which,
                   mni_class_list *l)
{
    uint32_t last = MANN_NO_CLASS, at = 0;
    for (uint64_t i = 0; i < c->n_images; i++) {
        uint32_t k;
        mni_dataset_path(c->set, i, &k);
        if (k == MANN_NO_CLASS || !c->channels[i] || side[k] != which) continue;
        if (k != last) {
            l->first[l->n_classes++] = at;
            if (l->n_sets) l->set_at[mni_dataset_set(c->set, k) + 1] = l->n_classes;
        }
        last = k;
        l->images[at++] = i;
    }
    l->first[l->n_classes] = at;
    for (uint32_t i = 0; i < l->n_sets; i++) /* sets that have nothing here */
        if (l->set_at[i + 1] < l->set_at[i]) l->set_at[i + 1] = l->set_at[i];
}

enum side { NEITHER, IN, OUT };

/* Sides of all classes; `order` is room for as many numbers. Returns how many are IN. */
static uint32_t choose(const uint32_t *n, uint32_t n_classes, double share, uint64_t seed,
                       uint32_t *order, uint8_t *side)
{
    uint32_t n_in = 0, n_able = 0;
    for (uint32_t k = 0; k < n_classes; k++) {
        side[k] = n[k] ? IN : NEITHER;
        n_in += n[k] > 0;
        if (n[k] >= 2) order[n_able++] = k;
    }
    /* Shuffle the able ones; the first go out. */
    uint32_t n_out = mni_split_size(n_in, share);
    if (n_out > n_able) n_out = n_able;
    mni_rng r = mni_rng_at(seed, MNI_FOR_SPLIT, 0, 0, 0);
    for (uint32_t i = 0; i < n_out; i++) {
        const uint32_t j = i + mni_rng_below(&r, n_able - i), k = order[j];
        order[j] = order[i];
        side[k] = OUT;
    }
    return n_in - n_out;
}

mann_status mni_split(const mni_cache *c, double share, uint64_t seed, mni_class_list *in,
                      mni_class_list *out, mann_error *err)
{
    const uint32_t n_classes = mni_dataset_n_classes(c->set);
    *in = (mni_class_list){ 0 };
    if (out) *out = (mni_class_list){ 0 };
    uint32_t *n = mni_alloc(2 * (size_t)n_classes + 1, sizeof *n);
    uint8_t *side = mni_alloc((size_t)n_classes + 1, 1);
    mann_status s = MANN_OK;
    if (!n || !side)
        s = mni_fail(err, MANN_E_NOMEM, "training: %u classes", (unsigned)n_classes);
    if (s == MANN_OK) {
        count_good(c, n);
        const uint32_t n_in =
            choose(n, n_classes, out ? share : 0, seed, n + n_classes, side);
        if (n_in < 2)
            s = mni_fail(err, MANN_E_NOT_FOUND,
                         "training: %u class%s with images, wanted at least 2: a loss of "
                         "alike and unlike needs both",
                         (unsigned)n_in, n_in == 1 ? "" : "es");
    }
    if (s == MANN_OK) s = list_new(in, c, err);
    if (s == MANN_OK) gather(c, side, IN, in);
    if (s == MANN_OK && out) s = list_new(out, c, err);
    if (s == MANN_OK && out) gather(c, side, OUT, out);
    if (s != MANN_OK) mni_class_list_fini(in);
    mni_free(n);
    mni_free(side);
    return s;
}

mann_status mni_examiners(const mni_cache *c, uint64_t most, mni_class_list *out,
                          mann_error *err)
{
    const uint32_t n_classes = mni_dataset_n_classes(c->set);
    *out = (mni_class_list){ 0 };
    uint32_t *n = mni_alloc((size_t)n_classes + 1, sizeof *n);
    uint8_t *side = mni_alloc((size_t)n_classes + 1, 1);
    mann_status s = MANN_OK;
    if (!n || !side)
        s = mni_fail(err, MANN_E_NOMEM, "validation: %u classes", (unsigned)n_classes);
    else
        s = list_new(out, c, err);
    if (s == MANN_OK) {
        count_good(c, n);
        for (uint32_t k = 0; k < n_classes; k++) side[k] = n[k] >= 2 ? IN : NEITHER;
        gather(c, side, IN, out);
        mni_class_list_thin(out, most);
    }
    mni_free(n);
    mni_free(side);
    return s;
}

void mni_class_list_thin(mni_class_list *l, uint64_t most)
{
    if (!l->n_classes || mni_class_list_images(l) <= most) return;
    uint32_t each = (uint32_t)(most / l->n_classes), at = 0;
    if (each < 2) each = 2;
    for (uint32_t k = 0; k < l->n_classes; k++) {
        const uint32_t from = l->first[k], n = l->first[k + 1] - from;
        l->first[k] = at;
        for (uint32_t i = 0; i < n && i < each; i++)
            l->images[at++] = l->images[from + i];
    }
    l->first[l->n_classes] = at;
}
