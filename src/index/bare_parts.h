/* bare_parts.h - what a bare index is made of; between bare.c (asking), bare_change.c
 * (writing) and bare_file.c (files). SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_BARE_PARTS_H
#define MNI_INDEX_BARE_PARTS_H

#include "base/idmap.h"
#include "index/ann.h"
#include "index/bare.h"

enum { MNI_BARE_MAX_ROWS = INT32_MAX };

struct mann_index {
    mni_rows rows;              /* the view that is searched: own_rows, or the mapping */
    const uint64_t *ids;        /* likewise */
    mni_ann *ann;
    uint64_t next_id, seed;     /* next_id: one above the largest id ever given */
    uint32_t built_rows;        /* rows that the structure learned from */
    uint64_t came_since;        /* rows that were added after that */
    int taught;                 /* 1: it learned from a sample that the user gave */
    float *own_rows;            /* NULL while mapped; cap_rows x dim */
    uint64_t *own_ids;
    size_t cap_rows;
    mni_idmap map;              /* id -> row; only while own_rows */
    mni_reader *reader;         /* NULL: lives in memory */
    int read_only;
};

/* Makes the index writable: refuses a read-only one, copies a mapped one. On failure
 * nothing changed. */
mann_status mni_bare_own(mni_bare *ix, mann_error *err);

mann_status mni_bare_check_cols(const mni_bare *ix, mann_matrix m, const char *what,
                                mann_error *err);
/* An owned, packed, prepared copy of a matrix. */
mann_status mni_bare_prepared(const mni_bare *ix, mann_matrix m, const char *what,
                              float **out, mann_error *err);

#endif
