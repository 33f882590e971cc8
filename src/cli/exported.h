/* exported.h - what export writes and import reads have in common: the hash of a record,
 * the state of a gallery. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_EXPORTED_H
#define MNI_CLI_EXPORTED_H

#include "base/bytes.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "os/vfs.h"

enum { MNI_EXPORT_FORMAT = 1 };

/* Everything of a record but its row and class number. The sum of these over all records
 * is the state of a gallery: equal states, equal records, in whatever order. */
uint64_t mni_record_hash(const mann_record *r, size_t dim);
/* 16 digits and the NUL; and back: 1 if `text` was such a number. */
void mni_hex64(char out[17], uint64_t v);
int  mni_hex64_parse(const char *text, uint64_t *v);

typedef struct mni_known { uint64_t id, hash; } mni_known;
typedef struct mni_known_records {
    mni_known *items;                   /* owned, in order of their ids */
    size_t n, cap;
    uint64_t state, fingerprint;
    uint32_t dim;
    int failed;
} mni_known_records;
/* The gallery at `path`, record by record. */
mann_status mni_known_read(mni_cli *c, const char *path, mni_known_records *out);
mann_status mni_known_of(mni_cli *c, mann_gallery *g, mni_known_records *out);
/* (exported_thumbs.c) DIR/thumbs/ID.jpg of those of the records that have one; what an
 * earlier export left there goes. */
mann_status mni_thumbs_export(mni_cli *c, mann_gallery *g, const uint64_t *ids, size_t n,
                              const char *dir);
/* Those files as thumbnails of the gallery's records. */
mann_status mni_thumbs_import(mni_cli *c, mann_gallery *g, const char *dir);
int         mni_known_find(const mni_known_records *k, uint64_t id, size_t *at);
void        mni_known_fini(mni_known_records *k);

#endif
