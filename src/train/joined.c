/* joined.c - several data sets as one, for training on mixed sources. See dataset.h and
 * dataset_parts.h. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "train/dataset_parts.h"

/* The last part of a set's path; made another one where two are called the same. */
static void set_name(const mni_dataset *const *sets, size_t i, mni_text *out)
{
    const char *name = sets[i]->root ? mni_path_name(sets[i]->root) : "set";
    int again = !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    for (size_t j = 0; j < i && !again; j++)
        again = strcmp(name, sets[j]->root ? mni_path_name(sets[j]->root) : "set") == 0;
    if (again) mni_text_f(out, "%s%zu", name, i + 1);
    else mni_text_add(out, name);
}

static mann_status join_classes(mni_dataset *d, size_t i, mann_error *err)
{
    mni_text name = { 0 };
    mann_status s = MANN_OK;
    for (size_t k = 0; s == MANN_OK && k < d->sets[i]->n_classes; k++) {
        uint32_t number;
        mni_text_clear(&name);
        set_name(d->sets, i, &name);
        mni_text_f(&name, "/%s", d->sets[i]->classes[k]);
        s = name.failed
                ? mni_dataset_no_memory(err)
                : mni_dataset_add_class(d, mni_text_get(&name), &number, err);
    }
    d->set_end[i] = (uint32_t)d->n_classes;
    mni_text_fini(&name);
    return s;
}

static mann_status join_images(mni_dataset *d, size_t number, uint32_t base,
                               mann_error *err)
{
    const mni_dataset *from = d->sets[number];
    mni_text path = { 0 };
    mann_status s = MANN_OK;
    for (size_t i = 0; s == MANN_OK && i < from->n_images; i++) {
        const mni_image_ref *r = &from->images[i];
        mni_text_clear(&path);
        if (r->path[0] == '/') mni_text_add(&path, r->path);
        else mni_path_join(&path, from->root ? from->root : "", r->path);
        const uint32_t klass = r->klass == MANN_NO_CLASS ? r->klass : base + r->klass;
        s = path.failed ? mni_dataset_no_memory(err)
                        : mni_dataset_add(d, mni_text_get(&path), klass, i, number, err);
    }
    mni_text_fini(&path);
    return s;
}

mann_status mni_dataset_join(mni_dataset **out, const mni_dataset *const *sets, size_t n,
                             mann_error *err)
{
    *out = NULL;
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return mni_dataset_no_memory(err);
    d->vfs = sets[0]->vfs;
    d->n_sets = (uint32_t)n;
    d->root = mni_strdup("");
    d->set_end = mni_alloc(n, sizeof *d->set_end);
    d->sets = mni_memdup(sets, n * sizeof *sets);
    mann_status s = d->set_end && d->sets && d->root ? MANN_OK
                                                     : mni_dataset_no_memory(err);
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        const uint32_t base = (uint32_t)d->n_classes;
        s = join_classes(d, i, err);
        if (s == MANN_OK) s = join_images(d, i, base, err);
    }
    if (s == MANN_OK) s = mni_dataset_loose_last(d, err);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}

uint32_t mni_dataset_n_sets(const mni_dataset *d) { return d->sets ? d->n_sets : 1; }

uint32_t mni_dataset_set(const mni_dataset *d, uint32_t klass)
{
    uint32_t low = 0, high = mni_dataset_n_sets(d) - 1;
    while (d->sets && low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (klass < d->set_end[mid]) high = mid;
        else low = mid + 1;
    }
    return low;
}
