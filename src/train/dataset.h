/* dataset.h - which image belongs to which class: a folder of class folders, a manifest,
 * one file that holds all, or somebody's store. See metricann.h, chapter 4.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_DATASET_H
#define MNI_TRAIN_DATASET_H

#include "base/status.h"
#include "os/vfs.h"

typedef struct mann_dataset mni_dataset;

mann_status mni_dataset_open(mni_dataset **out, const mni_vfs *v, const char *path,
                             const mann_hooks *h, mann_error *err);
/* Files as they are named, of one class or (NULL) none. */
mann_status mni_dataset_files(mni_dataset **out, const mni_vfs *v,
                              const char *const *paths, size_t n, const char *klass,
                              mann_error *err);
/* Several as one: their classes one set after the other, called NAME/CLASS, where NAME is
 * the last part of the set's path. Borrowed: they must outlive it. */
mann_status mni_dataset_join(mni_dataset **out, const mni_dataset *const *sets, size_t n,
                             mann_error *err);
/* As mann_dataset_from_storage; *store is complete. */
mann_status mni_dataset_from_storage(mni_dataset **out, const mann_storage *store,
                                     mann_error *err);
/* What lies below the folder `name` of it, classes counted from there; `set` must outlive
 * it. */
mann_status mni_dataset_below(mni_dataset **out, const mni_dataset *set, const char *name,
                              const mann_hooks *h, mann_error *err);
void        mni_dataset_free(mni_dataset *d);
/* 1, or as many as were joined; and to which of them a class belongs. */
uint32_t    mni_dataset_n_sets(const mni_dataset *d);
uint32_t    mni_dataset_set(const mni_dataset *d, uint32_t klass);
uint32_t    mni_dataset_n_classes(const mni_dataset *d);
uint64_t    mni_dataset_n_images(const mni_dataset *d);
const char *mni_dataset_class(const mni_dataset *d, uint32_t klass);
const char *mni_dataset_path(const mni_dataset *d, uint64_t image, uint32_t *klass);
/* What paths are relative to: a folder, or the file of a pack; NULL: nothing that has a
 * path. */
const char *mni_dataset_root(const mni_dataset *d);
/* The file's bytes (owned, mni_free) and its time. Files over 1 GiB are refused.
 * Thread-safe. */
mann_status mni_dataset_bytes(const mni_dataset *d, uint64_t image, uint8_t **bytes,
                              size_t *n_bytes, uint64_t *mtime, mann_error *err);

#endif
