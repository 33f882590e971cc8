/* meta.h - limits of a gallery and the fixed block at its head.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_META_H
#define MNI_RECOG_META_H

#include "recog/state.h"

#define MNI_MAX_DIM  65536u
#define MNI_MAX_ROWS 0xFFFFFF00u      /* rows are u32; the last few numbers mean "none" */
#define MNI_UNIT_BOUND 1e-4             /* squared length of a unit vector, less 1 */
enum { MNI_MAX_NAME = 4096, MNI_MAX_SOURCE = 65535, MNI_MAX_KEY = 1024 };

void      mni_meta_encode(const mni_meta *m, uint8_t out[MNI_META_BYTES]);
mni_dtype mni_store_dtype(uint32_t store);
/* The block must have been read whole; every number is checked. */
mann_status mni_meta_decode(mni_meta *m, const uint8_t *p, const char *name,
                            mann_error *err);
/* Does its own checksum, in its last four bytes, vouch for the block? */
int mni_meta_sound(const uint8_t p[MNI_META_BYTES]);
/* Where META and the sections lie that stand before the first map, by what META counts
 * alone; returns how many there are. VECS is the last. */
enum { MNI_MOST_PLACES = 8 };
uint32_t mni_meta_places(const mni_meta *m, mni_placed out[MNI_MOST_PLACES]);
/* What a record keeps at its offset MNI_RECORD_CRC: the checksum of the bytes before and
 * of its stored vector (and factor; NULL: none). Repair goes by it where the checksum of
 * a whole chunk says no. */
enum { MNI_RECORD_CRC = 44 };
uint32_t mni_record_crc(const uint8_t *record, const void *vector, size_t n_bytes,
                        const float *scale);
/* The checksum behind a path in HEAP (of the record's id and the path), and of a class
 * name in NMCK (of the class's number and the name). A path of no bytes has none. */
enum { MNI_TEXT_CRC = 4 };
uint32_t mni_text_crc(uint64_t number, const char *text, size_t n_bytes);
/* VECS and VSCL of b->reader into b->rows. */
mann_status mni_base_view_vectors(mni_base *b, mann_error *err);

#endif
