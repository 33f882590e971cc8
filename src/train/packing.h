/* packing.h - data sets into one file and out of it again.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_PACKING_H
#define MNI_TRAIN_PACKING_H

#include "train/dataset.h"

/* As mann_dataset_pack, _unpack, _verify, _describe. v: where files are written. */
mann_status mni_dataset_pack(const mni_dataset *d, const mni_vfs *v, const char *path,
                             const mann_hooks *h, mann_pack_report *report,
                             mann_error *err);
mann_status mni_dataset_unpack(const mni_dataset *d, const mni_vfs *v, const char *dir,
                               const mann_hooks *h, mann_pack_report *report,
                               mann_error *err);
mann_status mni_dataset_verify(const mni_dataset *d, const mann_hooks *h,
                               mann_error *err);
void        mni_dataset_describe(const mni_dataset *d, mann_dataset_info *info);

#endif
