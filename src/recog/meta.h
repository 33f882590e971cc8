/* meta.h - limits of a gallery and the fixed block at its head.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_META_H
#define MNI_RECOG_META_H

#include "recog/state.h"

#define MNI_MAX_DIM  65536u
#define MNI_MAX_ROWS 0xFFFFFF00u      /* rows are u32; the last few numbers mean "none" */
enum { MNI_MAX_NAME = 4096, MNI_MAX_SOURCE = 65535, MNI_MAX_KEY = 1024 };

void      mni_meta_encode(const mni_meta *m, uint8_t out[MNI_META_BYTES]);
mni_dtype mni_store_dtype(uint32_t store);
/* The block must have been read whole; every number is checked. */
mann_status mni_meta_decode(mni_meta *m, const uint8_t *p, const char *name,
                            mann_error *err);
/* What a record keeps at its offset MNI_RECORD_CRC: the checksum of the bytes before and
 * of its stored vector (and factor; NULL: none). Repair goes by it where the checksum of
 * a whole chunk says no. */
enum { MNI_RECORD_CRC = 44 };
uint32_t mni_record_crc(const uint8_t *record, const void *vector, size_t n_bytes,
                        const float *scale);
/* VECS and VSCL of b->reader into b->rows. */
mann_status mni_base_view_vectors(mni_base *b, mann_error *err);

#endif
