/* dataset_parts.h - what the files of a data set share: dataset.c opens folders and
 * manifests, stored.c holds the list and gets the bytes, packing.c writes packs.
 *
 *   whose photos      bytes come from                    key of an image
 *   folder, manifest  root/path                          -
 *   pack              the mapped file                    its number in the pack
 *   somebody's store  mann_storage.read                  the store's own
 *   part of another   the other one (`whole`, borrowed)  its number there
 *   several as one    one of them (`sets`, borrowed)     its number there; time: which
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_DATASET_PARTS_H
#define MNI_TRAIN_DATASET_PARTS_H

#include "store/pack.h"
#include "train/dataset.h"

typedef struct mni_image_ref {
    const char *path;
    uint64_t key, time;                 /* time: where it is not asked with the bytes */
    uint32_t klass;
} mni_image_ref;

struct mann_dataset {
    const mni_vfs *vfs;
    char *root;                         /* NULL: paths are names in a store */
    mni_image_ref *images;
    size_t n_images, images_cap;
    const char **classes;
    size_t n_classes, classes_cap;
    int views;                          /* 1: paths and names belong to somebody else */
    mni_pack *pack;                     /* owned; NULL: none */
    mann_storage store;                 /* read NULL: none */
    const mni_dataset *whole;           /* borrowed; NULL: this is no part */
    const mni_dataset **sets;           /* joined; NULL: not; the list is owned */
    uint32_t n_sets, *set_end;          /* behind the last class of each */
};

#define MNI_CONTAINER_MAGIC "METRANN"   /* and its NUL: 8 bytes */

mann_status mni_dataset_no_memory(mann_error *err);
/* Copied unless d->views. */
mann_status mni_dataset_add(mni_dataset *d, const char *path, uint32_t klass,
                            uint64_t key, uint64_t time, mann_error *err);
mann_status mni_dataset_add_class(mni_dataset *d, const char *name, uint32_t *klass,
                                  mann_error *err);
/* Photos in any order are sorted by class, and in their class by path or, if not by_path,
 * by key; then added, with their classes. */
typedef struct mni_listed {
    const char *path, *klass;           /* klass NULL: none */
    uint64_t key, time;
} mni_listed;
mann_status mni_dataset_list(mni_dataset *d, mni_listed *list, size_t n, int by_path,
                             mann_error *err);
/* Images without a class go behind all others. */
mann_status mni_dataset_loose_last(mni_dataset *d, mann_error *err);
mann_status mni_dataset_read_pack(mni_dataset *d, const char *path, mann_error *err);

#endif
