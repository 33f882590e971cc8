/* pack_disk.h - the bytes of a pack, for its writer and its reader.
 *
 *   PACK   u64    layout, photos, classes
 *   DATA   bytes  the photos, one behind the other
 *   PHOT   u64    a mni_disk_photo each
 *   PATH   bytes  their paths, each with a zero behind it, in the same order
 *   SORT   u32    the photos in the order of their paths
 *   CLAS   bytes  the names of the classes, sorted, each with a zero behind it
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_PACK_DISK_H
#define MNI_STORE_PACK_DISK_H

#include <stdint.h>

enum { MNI_PACK_LAYOUT = 1, MNI_PACK_HEAD = 3 };

typedef struct mni_disk_photo {
    uint64_t at, n_bytes;                   /* in DATA; at: where the one before ends */
    uint64_t time, content_hash;            /* seconds since 1970; mni_hash_bytes */
    uint64_t path_at;                       /* in PATH: likewise */
    uint32_t klass, crc;                    /* ~0: no class; CRC32C of the bytes */
} mni_disk_photo;
_Static_assert(sizeof(mni_disk_photo) == 48, "on-disk layout");

#endif
