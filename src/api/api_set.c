/* api_set.c - metricann.h, chapter 4: packs, and stores of others.
 * SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "train/packing.h"

mann_status mann_dataset_from_storage(mann_dataset **out, const mann_storage *storage,
                                      mann_error *err)
{
    mann_storage mine = { .struct_size = sizeof mine };
    MNI_NEED(out, "mann_dataset_from_storage");
    *out = NULL;
    MNI_NEED(storage, "mann_dataset_from_storage");
    MNI_TRY(mni_take_sized(&mine, sizeof mine, storage, "mann_dataset_from_storage",
                           err));
    if (!mine.list || !mine.read)
        return mni_fail(err, MANN_E_ARG,
                        "mann_dataset_from_storage: the table has no list or no read");
    return mni_dataset_from_storage(out, &mine, err);
}

typedef mann_status (*pack_fn)(const mni_dataset *d, const mni_vfs *v, const char *path,
                               const mann_hooks *h, mann_pack_report *report,
                               mann_error *err);

static mann_status with_report(pack_fn fn, const char *call, const mann_dataset *d,
                               const char *path, const mann_hooks *h,
                               mann_pack_report *report, mann_error *err)
{
    mann_pack_report mine = { .struct_size = sizeof mine };
    MNI_NEED(d, call);
    MNI_NEED(path, call);
    if (report) MNI_TRY(mni_give_sized(report, &mine, sizeof mine, call, err));
    const mann_status s = fn(d, mni_vfs_posix(), path, h, &mine, err);
    if (report) mni_give_sized(report, &mine, sizeof mine, call, NULL);
    return s;
}

mann_status mann_dataset_pack(const mann_dataset *d, const char *path,
                              const mann_hooks *h, mann_pack_report *report,
                              mann_error *err)
{
    return with_report(mni_dataset_pack, "mann_dataset_pack", d, path, h, report, err);
}

mann_status mann_dataset_unpack(const mann_dataset *d, const char *dir,
                                const mann_hooks *h, mann_pack_report *report,
                                mann_error *err)
{
    return with_report(mni_dataset_unpack, "mann_dataset_unpack", d, dir, h, report, err);
}

mann_status mann_dataset_verify(const mann_dataset *d, const mann_hooks *h,
                                mann_error *err)
{
    MNI_NEED(d, "mann_dataset_verify");
    return mni_dataset_verify(d, h, err);
}

mann_status mann_dataset_describe(const mann_dataset *d, mann_dataset_info *info,
                                  mann_error *err)
{
    mann_dataset_info mine;
    MNI_NEED(d, "mann_dataset_describe");
    MNI_NEED(info, "mann_dataset_describe");
    mni_dataset_describe(d, &mine);
    return mni_give_sized(info, &mine, sizeof mine, "mann_dataset_describe", err);
}
