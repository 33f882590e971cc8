/* derived.h - the lists of a gallery that follow from its records: which class has which
 * name, which row has which id or key, which rows a class has. compact.c writes them,
 * mend.c makes them anew. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_DERIVED_H
#define MNI_RECOG_DERIVED_H

#include <stdint.h>

#include "metricann.h"

/* Numbers 0..n-1 in order of keys; `keys` is sorted too. */
typedef struct mni_id_key { uint64_t id; uint32_t row; } mni_id_key;
/* number: of the class with this name, of the row with this key */
typedef struct mni_name_key { const char *chars; uint32_t n_chars, number; } mni_name_key;
void mni_sort_ids(mni_id_key *keys, uint32_t n);        /* equal ids: by row */
void mni_sort_names(mni_name_key *keys, uint32_t n);    /* byte by byte */

/* Rows by class: those of class k are rows[at[k]] to rows[at[k + 1] - 1], ascending; rows
 * without a class (klass_of >= n_classes) stand behind the last. at: n_classes + 2
 * numbers; rows: n. Returns how many classes have a row. */
uint32_t mni_sort_classes(uint32_t *at, uint32_t *rows, uint32_t n, uint32_t n_classes,
                          uint32_t (*klass_of)(const void *ctx, uint32_t row),
                          const void *ctx);

#endif
