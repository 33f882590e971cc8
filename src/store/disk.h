/* disk.h - the bytes of the container and of the journal, as C structs.
 *
 * Read this with README.md of this folder, which draws the same things. All numbers are
 * little-endian and lie at multiples of their size, so on a little-endian machine a
 * struct can be copied from and to the file as it is; other machines are refused by name
 * (mni_disk_machine_ok).
 *
 *   header 64 | section | section | ... | checksums | section table 64 each | end
 *
 * The table stands at the end because a writer that streams knows it only then; its place
 * follows from the file's size. SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_DISK_H
#define MNI_STORE_DISK_H

#include <stdint.h>

#include "base/status.h"

enum {
    MNI_DISK_VERSION = 1,
    MNI_DISK_CHUNK = 64 * 1024,             /* bytes of a section under one CRC32C */
    MNI_DISK_MAX_SECTIONS = 256
};
#define MNI_DISK_MAGIC "METRANN"            /* and its NUL: 8 bytes */
#define MNI_DISK_FEATURES UINT64_C(0)       /* feature bits that this code understands */

typedef struct mni_disk_header {
    uint8_t  magic[8];
    uint32_t version, kind;                 /* kind: mni_file_is */
    uint64_t file_size, features;           /* unknown feature bits: refused by name */
    uint32_t section_count, section_crc;    /* crc of the whole section table */
    uint64_t generation;
    uint8_t  uuid[12];
    uint32_t header_crc;                    /* of the 60 bytes before */
} mni_disk_header;
_Static_assert(sizeof(mni_disk_header) == 64, "on-disk layout");

typedef struct mni_disk_section {
    char     tag[4];
    uint32_t dtype, align;                  /* align: 64 or 4096 */
    uint32_t sums_crc;                      /* crc of this section's checksums */
    uint64_t at, n_bytes;                   /* at: offset of the first byte in the file */
    uint64_t sums_at;                       /* a u32 per begun chunk of 64 KiB */
    uint8_t  zero[24];
} mni_disk_section;
_Static_assert(sizeof(mni_disk_section) == 64, "on-disk layout");

#define MNI_JOURNAL_MAGIC "METRJNL"
enum {
    MNI_JOURNAL_VERSION = 1,
    MNI_JOURNAL_ALIGN = 8,                  /* records begin at multiples of it */
    MNI_JOURNAL_LAST = 1                    /* flag: the record closes its group */
};

typedef struct mni_disk_journal {
    uint8_t  magic[8];
    uint32_t version, zero0;
    uint64_t generation;
    uint8_t  uuid[12];
    uint8_t  zero[24];
    uint32_t header_crc;                    /* of the 60 bytes before */
} mni_disk_journal;
_Static_assert(sizeof(mni_disk_journal) == 64, "on-disk layout");

typedef struct mni_disk_record {
    /* Of the 12 bytes that follow and the padded payload, continuing the crc of the
     * record (or header) before. */
    uint32_t crc;
    uint32_t type;                          /* never 0: a zero-filled end is no record */
    uint32_t n_bytes, flags;
} mni_disk_record;
_Static_assert(sizeof(mni_disk_record) == 16, "on-disk layout");

static inline uint64_t mni_disk_round(uint64_t at, uint64_t align)
{
    return (at + align - 1) / align * align;
}
static inline uint64_t mni_disk_n_sums(uint64_t n_bytes)
{
    return n_bytes / MNI_DISK_CHUNK + (n_bytes % MNI_DISK_CHUNK != 0);
}

/* MANN_E_UNSUPPORTED on a big-endian machine. */
static inline mann_status mni_disk_machine_ok(const char *name, mann_error *err)
{
    const uint16_t probe = 1;
    if (*(const uint8_t *)&probe == 1) return MANN_OK;
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "%s: this machine is big-endian, the format is little-endian", name);
}

#endif
