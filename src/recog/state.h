/* state.h - what a search sees: one published state of a gallery, counted, never changed.
 *
 *      gallery ----> state ----> base   the mapped file: records, vectors, names, index
 *                          ----> tail   rows added since, in memory; the state sees the
 *                          first n_tail ----> dead   bitmap of removed rows (base rows
 *                          first, then tail rows)
 *
 * A reader takes a reference under the gallery's mutex and then needs no lock at all. A
 * writer makes a new state and swaps the pointer; base, tail and bitmap are shared
 * between states and go with their last user. Tail rows are written before the state that
 * shows them is published; the mutex orders the two. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_STATE_H
#define MNI_RECOG_STATE_H

#include <stdatomic.h>

#include "base/idmap.h"
#include "eval/calib.h"
#include "index/ann.h"
#include "recog/stable.h"
#include "store/container.h"

/* --- base: the file ----------------------------------------------------------------- */

enum { MNI_META_BYTES = 128, MNI_RECORD_BYTES = 48 };

typedef struct mni_meta {
    uint32_t metric, dim, store, n_classes, n_live_classes, embedded_model;
    uint64_t n_rows, next_id, fingerprint, stamp, seed;   /* stamp: hash of all records */
    uint32_t n_calibrated_rows;                 /* rows there were when calibration ran */
    float false_accept;
    uint32_t views;                     /* MANN_VIEW_*: how photos become vectors */
    uint64_t heap_bytes, names_bytes;           /* of HEAP and NMHP */
    uint64_t generation;                        /* as the header has them: for repair */
    mni_uuid uuid;
} mni_meta;

typedef struct mni_base {
    atomic_long refs;
    mni_reader *reader;
    mni_meta meta;
    mni_rows rows;
    mni_ann *ann;
    const uint8_t *records;             /* n_rows x MNI_RECORD_BYTES */
    mni_section heap, name_heap;
    const uint64_t *name_at;            /* n_classes + 1 offsets into name_heap */
    const uint32_t *by_name;            /* classes in order of their names */
    const uint32_t *by_id;              /* rows in order of their ids */
    const uint32_t *by_key;             /* n_keys rows that have one, in their order */
    uint32_t n_keys;
    const uint32_t *class_at;           /* n_classes + 1 offsets into class_rows */
    const uint32_t *class_rows;         /* rows in order of class, then row */
    mni_section model;                  /* a whole model file, or empty */
    mni_section thumb_index, thumb_data;        /* (thumbs.c) or empty */
    /* folders that sources are relative to: NUL-terminated, in a row */
    mni_section roots;
    mni_calib calib;                    /* of this gallery's own rows; n_sizes 0: none */
    void *mended[14];                   /* owned: arrays that repair put in (mend.c) */
} mni_base;

mann_status mni_base_open(mni_base **out, const mni_vfs *v, const char *path,
                          unsigned flags, mann_error *err);
void mni_base_release(mni_base *b);     /* NULL ok */

/* --- tail: added rows --------------------------------------------------------------- */

typedef struct mni_tail_row {
    uint64_t id, content_hash, time;
    uint32_t klass;
    char *source;                       /* owned by the tail; "" for none */
    const char *key;                    /* likewise; behind the source */
} mni_tail_row;

typedef struct mni_tail_thumb {
    uint64_t content;
    uint8_t *bytes;                     /* owned by the tail */
    uint32_t n_bytes;
} mni_tail_thumb;

typedef struct mni_tail {
    atomic_long refs;
    uint32_t dim;
    mni_stable rows;                    /* mni_tail_row */
    mni_stable vectors;                 /* dim floats each, prepared */
    mni_stable names;             /* char *: classes that the base does not know, owned */
    mni_stable thumbs;                  /* mni_tail_thumb */
    /* for the writer, and for readers that hold the gallery's mutex: */
    uint32_t n_rows, n_names, n_thumbs;
    mni_idmap by_content;               /* content hash -> thumbnail */
    mni_idmap by_id;                    /* id -> newest tail row */
    mni_idmap by_name;            /* hash of the name -> class, for classes of the tail */
    mni_idmap by_key;             /* hash of the key -> newest tail row (keys.c) */
} mni_tail;

mann_status mni_tail_new(mni_tail **out, uint32_t dim, mann_error *err);
void mni_tail_release(mni_tail *t);     /* NULL ok */

/* --- dead rows ---------------------------------------------------------------------- */

typedef struct mni_dead {
    atomic_long refs;
    uint32_t n_bits, n_dead;
    uint64_t words[];
} mni_dead;
void mni_dead_release(mni_dead *d);     /* NULL ok */

/* --- state -------------------------------------------------------------------------- */

typedef struct mni_state {
    atomic_long refs;
    mni_base *base;
    mni_tail *tail;
    mni_dead *dead;                     /* NULL: none */
    uint32_t n_tail, n_classes, n_live_classes;
    uint32_t knob;                      /* default ef or nprobe; 0: the common rule */
    uint64_t n_live;
} mni_state;

/* Takes over the references to base, tail, dead; NULL when memory ends (references stay
 * the caller's). */
mni_state *mni_state_new(mni_base *base, mni_tail *tail, mni_dead *dead);
void mni_state_release(mni_state *s);   /* NULL ok */

static inline uint32_t mni_state_rows(const mni_state *s)
{
    return s->base->rows.n + s->n_tail;
}

static inline int mni_state_alive(const mni_state *s, uint32_t row)
{
    const mni_dead *d = s->dead;
    return !d || row >= d->n_bits || !(d->words[row / 64] >> row % 64 & 1);
}

/* Is it time to fold the tail in? When looking at it takes about a millisecond, or when a
 * quarter of all rows is dead weight. By counting. */
int mni_state_fold_due(const mni_state *s);

/* One record, by row; strings are borrowed from the state and not NUL-terminated in the
 * base. */
typedef struct mni_record {
    uint64_t id, content_hash, time;
    uint32_t klass;
    const char *source, *key;           /* key: "", or the user's name of the record */
    uint32_t source_chars, key_chars;
} mni_record;
void     mni_state_record(const mni_state *s, uint32_t row, mni_record *out);
uint32_t mni_state_class(const mni_state *s, uint32_t row);
uint64_t mni_state_id(const mni_state *s, uint32_t row);
void     mni_state_vector(const mni_state *s, uint32_t row, float *out);
/* Name of a class < n_classes: borrowed, *n_chars long, not NUL-terminated in the
 * base. */
const char *mni_state_name(const mni_state *s, uint32_t klass, uint32_t *n_chars);
/* Row of a live id: 1 if found. Caller holds the gallery's mutex (the tail's map is
 * read). */
int mni_state_find_id(const mni_state *s, uint64_t id, uint32_t *row);
/* (keys.c) Row of the live record with this key: 1 if found. Caller holds the gallery's
 * mutex. */
int mni_state_find_key(const mni_state *s, const char *key, size_t n_chars,
                       uint32_t *row);
/* For the writer: the tail row with a key is known by it, room having been reserved. */
void mni_tail_know_key(mni_tail *t, uint32_t tail_row);
/* Class of a name: 1 if found. Caller holds the gallery's mutex. */
int mni_state_find_class(const mni_state *s, const char *name, uint32_t *klass);

/* Distances of a prepared query to the tail's rows, into out[0 .. n_tail). */
void mni_state_scan_tail(const mni_state *s, const float *query, float *out);
/* Distances to all rows, base then tail; dead rows are +infinity. out: mni_state_rows
 * floats. */
void mni_state_scan_all(const mni_state *s, const float *query, float *out);

#endif
