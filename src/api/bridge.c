/* bridge.c - see bridge.h. SPDX-License-Identifier: MIT */
#include "api/bridge.h"

#include "base/mem.h"

static const char *photo_path(void *ctx, uint64_t i, const char **klass)
{
    const mni_dataset *d = ctx;
    uint32_t k;
    const char *path = mni_dataset_path(d, i, &k);
    *klass = k == MANN_NO_CLASS ? NULL : mni_dataset_class(d, k);
    return path;
}

static mann_status photo_read(void *ctx, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                              uint64_t *mtime, mann_error *err)
{
    return mni_dataset_bytes(ctx, i, bytes, n_bytes, mtime, err);
}

mni_photos mni_photos_of(const mann_dataset *set)
{
    return (mni_photos){ .ctx = (void *)(uintptr_t)set,
                         .n = mni_dataset_n_images(set),
                         .root = mni_dataset_root(set),
                         .path = photo_path,
                         .read = photo_read };
}

mann_status mni_labelled_of(mni_labelled *out, const mann_dataset *set, mann_error *err)
{
    uint32_t n = mni_dataset_n_classes(set);
    *out = (mni_labelled){ .photos = mni_photos_of(set), .n_classes = n };
    const char **names = mni_alloc((size_t)n + 1, sizeof *names);
    uint32_t *labels = mni_alloc((size_t)out->photos.n + 1, sizeof *labels);
    out->names = names;
    out->labels = labels;
    if (!names || !labels) {
        mni_labelled_fini(out);
        return mni_fail(err, MANN_E_NOMEM, "labels of %llu photos",
                        (unsigned long long)out->photos.n);
    }
    for (uint32_t k = 0; k < n; k++) names[k] = mni_dataset_class(set, k);
    for (uint64_t i = 0; i < out->photos.n; i++) mni_dataset_path(set, i, &labels[i]);
    return MANN_OK;
}

void mni_labelled_fini(mni_labelled *l)
{
    mni_free((void *)(uintptr_t)l->names);
    mni_free((void *)(uintptr_t)l->labels);
    *l = (mni_labelled){ .n_classes = 0 };
}
