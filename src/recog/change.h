/* change.h - the two halves of every change: prepare what may fail, then publish what
 * cannot. Private to change.c, add.c, relabel.c, replay.c, keys.c.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_CHANGE_H
#define MNI_RECOG_CHANGE_H

#include "recog/gallery.h"

/* Journal record types. Part of the file format. */
enum {
    MNI_RECORD_ADD = 1, MNI_RECORD_REMOVE = 2, MNI_RECORD_RELABEL = 3,
    MNI_RECORD_ROOT = 4, MNI_RECORD_KNOB = 5, MNI_RECORD_MOVE = 6,
    MNI_RECORD_THUMB = 7, MNI_RECORD_IDS = 8
};

typedef struct mni_change {
    mni_gallery *g;
    mni_state *next;            /* unpublished; owns references */
    uint32_t n_new_names;       /* classes added behind the tail's n_names */
    uint32_t n_new_thumbs;      /* likewise */
    int own_dead;            /* next->dead belongs to this change alone: may be written */
    uint32_t *killed;           /* classes of rows that die with this change */
    size_t n_killed, killed_cap;
} mni_change;

/* All of these: caller holds `writing`. */
mann_status mni_change_begin(mni_change *c, mni_gallery *g, mann_error *err);
/* The class of a name, made if it is new. */
mann_status mni_change_class(mni_change *c, const char *name, size_t n_chars,
                             uint32_t *klass, mann_error *err);
mann_status mni_change_kill(mni_change *c, uint32_t row, mann_error *err);
/* One more tail row; `vector` is prepared. Texts are copied. */
mann_status mni_change_add(mni_change *c, const mni_record *r, const float *vector,
                           mann_error *err);
/* The row dies and comes back at the end of the tail with its id and vector, in class
 * `klass`; move: also with another source (relabel.c). */
mann_status mni_change_relabel(mni_change *c, uint32_t row, uint32_t klass,
                               mann_error *err);
mann_status mni_change_move(mni_change *c, uint32_t row, uint32_t klass,
                            const char *source, size_t n_chars, mann_error *err);

/* (thumbs.c) A thumbnail, and its journal record; nothing if the content has one. */
mann_status mni_change_add_thumb(mni_change *c, uint64_t content, const void *jpeg,
                                 size_t n_bytes, mann_error *err);
mann_status mni_change_replay_thumb(mni_change *c, mni_cursor *in, mann_error *err);

/* Journal records: text with its length (NULL: none); append one record. */
void mni_change_put_text(mni_buf *b, const char *text);
mann_status mni_change_journal(mni_gallery *g, uint32_t type, const mni_buf *b,
                               mann_error *err);
mann_status mni_gallery_must_write(mni_gallery *g, mann_error *err);

/* Reserves what publishing needs; after it, mni_change_publish cannot fail. */
mann_status mni_change_seal(mni_change *c, mann_error *err);
/* Ends a change: durable first, visible second. `s` is how far it went. */
mann_status mni_change_finish(mni_change *c, mann_status s, mann_error *err);
void mni_change_publish(mni_change *c);
void mni_change_drop(mni_change *c);    /* undo; also after a failed begin */

#endif
