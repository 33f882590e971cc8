/* pack_help.h - a small data set in memory, and what becomes of it when it is packed.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_PACK_HELP_H
#define TESTS_PACK_HELP_H

#include "train/packing.h"

enum { PACK_NAMES = 8 };        /* files of the small data set "set" */

void pack_put_file(const mni_vfs *v, const char *path, const char *bytes, size_t n,
                   uint64_t time);
/* A file system with that data set in it. */
const mni_vfs *pack_world(mni_vfs_mem **m);
mann_status pack_set(const mni_vfs *v, const char *from, const char *to,
                     mann_pack_report *r, mann_error *err);
/* That set, packed: the bytes of the file (mni_free). */
uint8_t *pack_small(size_t *n);

#endif
