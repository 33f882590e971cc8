/* spec.h - the name of an index kind with its numbers, as people write it, taken apart.
 *
 *     "HNSW32"                 a graph of 32 links a row
 *     "IVF4096,PQ32x4fs,RFlat" 4096 lists, rows coded in 32 pieces of 4 bits, then exact
 *     "SQ8"                    every row, by 8-bit codes, then exact
 *
 * Every kind takes its numbers from here, so that all spellings are known in one place.
 * 0 in a number: not said, the kind chooses. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_SPEC_H
#define MNI_INDEX_SPEC_H

#include "base/status.h"

enum { MNI_ANN_SPEC = 64 };     /* longest canonical text with its NUL */

typedef enum mni_family {
    MNI_AUTO = 1, MNI_FLAT, MNI_HNSW, MNI_IVF, MNI_IVFPQ
} mni_family;

/* Short codes that are looked at before the rows themselves; answers are exact all the
 * same. */
typedef enum mni_codes { MNI_CODES_NONE = 0, MNI_CODES_SQ8, MNI_CODES_SQ4 } mni_codes;

typedef struct mni_spec {
    mni_family family;
    mni_codes codes;            /* Flat: scanned; HNSW: walked; IVF: kept in the lists */
    uint32_t links, build_ef;   /* HNSW: 1..MNI_MAX_LINKS; ef_construction */
    uint32_t lists;             /* IVF and IVFPQ: number of lists ... */
    uint32_t rows_a_list;       /* ... or n divided by this */
    uint32_t pieces, bits;      /* PQ: sub-vectors; 8, or 4 (the fast-scan layout) */
    int rotate;                 /* OPQ */
    int refine;                 /* ",RFlat" was said */
    uint32_t ef, nprobe;        /* default of the knob; not part of the canonical text */
} mni_spec;

enum {
    MNI_MAX_LINKS = 128, MNI_MAX_BUILD_EF = 4096, MNI_MAX_LISTS = 1 << 20,
    MNI_MAX_PIECES = 4096, MNI_MAX_KNOB = 1 << 20
};

/* Unknown words: MANN_E_UNSUPPORTED with a sentence that names what is known; numbers out
 * of range: MANN_E_ARG. */
mann_status mni_spec_parse(mni_spec *out, const char *text, mann_error *err);
/* The one spelling that all others come down to; parse gives the same struct again
 * (except ef and nprobe). */
void        mni_spec_text(const mni_spec *s, char out[MNI_ANN_SPEC]);
/* 1 if `text` is of this family, and then *out and canonical are set: what most `accepts`
 * of kinds.h are made of. */
int         mni_spec_is(mni_family family, const char *text, mni_spec *out,
                        char canonical[MNI_ANN_SPEC]);
/* Lists for n rows: as said, or about 4 sqrt(n), lowered until lists hold 39 rows. 1..n
 * (1 for n == 0). */
uint32_t    mni_spec_lists(const mni_spec *s, uint32_t n);

#endif
