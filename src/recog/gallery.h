/* gallery.h - the gallery inside the house: what api/ calls, and what the files of this
 * room share. Contracts of the calls are those of metricann.h, chapter 6. Arguments have
 * been checked by api/. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_GALLERY_H
#define MNI_RECOG_GALLERY_H

#include "base/text.h"
#include "image/prep.h"
#include "nn/model.h"
#include "os/thread.h"
#include "recog/lockfile.h"
#include "recog/meta.h"
#include "recog/sources.h"
#include "recog/state.h"
#include "store/journal.h"

typedef struct mann_gallery mni_gallery;

enum {
    MNI_MAX_ROOTS = 16,
    MNI_OPEN_MEND = 1 << 8      /* flag of open, beside MANN_OPEN_*: what can be saved */
};

/* (mend.c) A base whose bytes are not all vouched for: rows that are not are dead, what
 * is derived is made anew, class names that are lost are called lost-class-N. */
typedef struct mni_mended {
    mni_dead *dead;                     /* NULL: every row is sound; taken by the state */
    uint64_t rows_lost, paths_lost, names_lost, keys_lost;
    uint64_t thumbs_lost;
    int model_lost, calibration_lost, roots_lost, index_lost, frame_lost;
    char index[64];                     /* what the index was; "": nobody knows */
} mni_mended;
mann_status mni_base_mend(mni_base **out, mni_mended *m, const mni_vfs *v,
                          const char *path, mann_error *err);
/* What can be saved of the gallery at `path`, and of its journal, becomes a new one at
 * `to`. */
mann_status mni_gallery_repair(const mni_vfs *v, const char *path, const char *to,
                               const char *spec, mni_pool *pool, const mann_hooks *h,
                               mann_repair_report *report, mann_error *err);

enum { MNI_GALLERY_IDLE = 16 };

struct mann_gallery {
    const mni_vfs *vfs;                 /* borrowed */
    mni_sources *sources;               /* photos by their paths */
    char *path, *journal_path, *lock_path;
    int writable, lazy, n_sync_objects;         /* lazy: MANN_OPEN_NOSYNC */

    mni_mutex lock;                    /* guards: state, maps of the tail, model, roots,
                                          idle */
    mni_scratch *idle[MNI_GALLERY_IDLE];        /* of searches that are over */
    uint32_t n_idle;
    mni_state *state;
    mni_model *model;                   /* owned; NULL: vectors only, or not given yet */
    mni_recipe recipe;                  /* of the model */
    mni_calib model_calib;              /* n_sizes 0: the model has none */
    char *roots[MNI_MAX_ROOTS];         /* owned: folders that sources are relative to */
    uint32_t n_roots;

    mni_mutex writing;                  /* writers take turns; guards what follows */
    mni_lockfile held;           /* its file goes when the gallery is closed */
    int has_lock;
    mni_journal *journal;
    _Atomic uint64_t next_id;           /* told at any time */
    uint64_t mem_bytes;                 /* limit of building; 0: none */
    uint32_t thumb_side;                /* of what is enrolled; 0: no thumbnails */
    int behind;         /* 1: the file may be a newer one than this handle goes by */
    uint32_t *live;                 /* live rows per class; NULL until the first change */
    size_t live_cap;
    uint64_t journal_bytes;             /* also read under `lock` */
    mni_journal_report replayed;        /* what open found in the journal */
    mni_mended mended;                  /* with MNI_OPEN_MEND: what was lost */
};

mann_status mni_gallery_create(mni_gallery **out, const mni_vfs *v, const char *path,
                               const mann_gallery_config *c, mann_error *err);
mann_status mni_gallery_open(mni_gallery **out, const mni_vfs *v, const char *path,
                             unsigned flags, mann_error *err);
/* What MANN_OPEN_NOSYNC put off. */
mann_status mni_gallery_flush(mni_gallery *g, mann_error *err);
mann_status mni_gallery_refresh(mni_gallery *g, mann_error *err);
void        mni_gallery_free(mni_gallery *g);
mann_status mni_gallery_use_model(mni_gallery *g, const mni_model *m, mann_error *err);
mann_status mni_gallery_describe(mni_gallery *g, mann_gallery_info *info,
                                 mann_error *err);
mann_status mni_gallery_class_name(mni_gallery *g, uint32_t klass, char *out, size_t size,
                                   mann_error *err);
mann_status mni_gallery_source(mni_gallery *g, uint64_t id, char *out, size_t size,
                               mann_error *err);
/* (keys.c) The id of the record with this key. */
mann_status mni_gallery_find_key(mni_gallery *g, const char *key, uint64_t *id,
                                 mann_error *err);
mann_status mni_gallery_key(mni_gallery *g, uint64_t id, char *out, size_t size,
                            mann_error *err);
mann_status mni_base_check_keys(const mni_gallery *g, const mni_state *s,
                                mann_error *err);
/* MANN_E_ARG unless these bytes may be a key. */
mann_status mni_key_check(const char *path, const char *key, size_t n_chars,
                          mann_error *err);
mann_status mni_gallery_each(mni_gallery *g, int (*fn)(void *user, const mann_record *r),
                             void *user, mann_error *err);
mann_status mni_gallery_verify(mni_gallery *g, const mann_hooks *h, mann_error *err);
uint64_t    mni_gallery_fingerprint(mni_gallery *g);            /* 0: no model */
uint32_t    mni_gallery_dim(mni_gallery *g);

/* How this gallery looks at photos: MANN_VIEW_*. */
uint32_t    mni_gallery_views(mni_gallery *g);
/* (ask.c) A record as mann_gallery_each tells it: texts with their NUL, its vector. All
 * of it is good until the next one is told; 0: out of memory. */
typedef struct mni_told { mni_text name, source, key; float *vector; } mni_told;
int  mni_told_init(mni_told *t, uint32_t dim);
void mni_told_fini(mni_told *t);
int  mni_told_record(mni_told *t, const mni_state *s, uint32_t row, mann_record *out);

/* One reference to the present state; give it back with mni_state_release. */
/* Scratch for a search; one that was used before, if there is: what a walk over a large
 * graph needs is not made anew for each query. */
mann_status mni_gallery_take_scratch(mni_gallery *g, mni_scratch **out, mann_error *err);
void mni_gallery_give_scratch(mni_gallery *g, mni_scratch *s);      /* NULL ok */
mni_state *mni_gallery_state(mni_gallery *g);
/* What the model's training measured, where that is of scores of this metric. */
mni_calib mni_gallery_model_calib(mni_gallery *g, mann_metric metric);
/* Thresholds for this state: score for `known`, score for `unsure`; NaN without
 * calibration. */
void mni_gallery_thresholds(mni_gallery *g, const mni_state *s, float false_accept,
                            float *known, float *unsure);

/* --- changes (change.c): durable when they return ----------------------------------- */
enum { MNI_ID_IF_NEW = 2 };
typedef struct mni_new_row {
    const char *klass, *source;         /* klass NULL: none; source NULL: "" */
    const char *key;        /* NULL: that of the row which this replaces; "": none */
    const float *vector;                /* dim floats, not yet prepared */
    uint64_t content_hash, time;
    uint64_t id;                        /* with has_id */
    int has_id;                 /* 1: this id; MNI_ID_IF_NEW: unless given before */
    const void *thumb;                  /* JPEG, n_thumb bytes; 0: none */
    size_t n_thumb;
} mni_new_row;
/* (add.c) A row without an id replaces the record of its key, and takes its id. ids_out
 * may be NULL. */
mann_status mni_gallery_add(mni_gallery *g, const mni_new_row *rows, size_t n,
                            uint64_t *ids_out, mann_error *err);
mann_status mni_gallery_remove(mni_gallery *g, const uint64_t *ids, size_t n,
                               size_t *removed, mann_error *err);
mann_status mni_gallery_remove_class(mni_gallery *g, const char *klass, size_t *removed,
                                     mann_error *err);
mann_status mni_gallery_relabel(mni_gallery *g, const uint64_t *ids, size_t n,
                                const char *klass, mann_error *err);
/* Another class (NULL: none) and another path for each; ids that are not there are passed
 * over. */
typedef struct mni_moved { uint64_t id; const char *klass, *source; } mni_moved;
mann_status mni_gallery_move(mni_gallery *g, const mni_moved *moved, size_t n,
                             mann_error *err);
/* Remembered as an absolute path; older files may have others, as they were typed. */
mann_status mni_gallery_add_root(mni_gallery *g, const char *folder, mann_error *err);
/* The folders as they are now: another thread may add one, or refresh. */
typedef struct mni_roots { char *path[MNI_MAX_ROOTS]; uint32_t n; } mni_roots;
/* No id below this one is given from now on. */
mann_status mni_gallery_reserve(mni_gallery *g, uint64_t next_id, mann_error *err);
mann_status mni_gallery_copy_roots(mni_gallery *g, mni_roots *out, mann_error *err);
void        mni_roots_fini(mni_roots *r);
/* Where a photo of this folder lies; a path that says it all by itself stays. */
void        mni_roots_place(mni_text *out, const char *root, const char *source);
/* Replay of one journal record into g->state, single-threaded (at open). */
mann_status mni_gallery_replay(void *gallery, uint32_t type, const void *bytes,
                               size_t n_bytes, mann_error *err);

/* After a fold that failed half-way: the handle takes the base that stands on the disk,
 * since what is put into the journal of another base is ignored at the next open. Nothing
 * to do otherwise. Under `writing`, before any record is written. */
mann_status mni_gallery_follow(mni_gallery *g, mann_error *err);
/* A name that a whole gallery is about to be written to: locked, so that no writer is at
 * work there. */
typedef struct mni_owned {
    const mni_vfs *vfs;
    char *journal_path, *lock_path;
    mni_lockfile held;
} mni_owned;
mann_status mni_gallery_own(mni_owned *o, const mni_vfs *v, const char *path,
                            mann_error *err);
/* What a gallery left there that was of this name before: uuids are made of seed and
 * content, so its records could come back in the new one. */
mann_status mni_gallery_forget_journal(const mni_owned *o, mann_error *err);
void        mni_gallery_disown(mni_owned *o);

/* The journal starts over for the base of the present state. Under `writing`. */
mann_status mni_gallery_reset_journal(mni_gallery *g, mann_error *err);

/* --- a new base (compact.c) --------------------------------------------------------- */
typedef enum mni_measure {
    MNI_MEASURE_NO,             /* keep the calibration as it is */
    /* measure if there is none, twice as many rows as there were then, or by now enough
     * classes to go by themselves (MNI_CALIB_OWN) */
    MNI_MEASURE_DUE,
    MNI_MEASURE_YES
} mni_measure;
/* spec NULL: as before. path NULL: in place. measure: how near strangers come, on the
 * gallery's own rows. */
mann_status mni_gallery_build(mni_gallery *g, const char *path, const char *spec,
                              mni_measure measure, mni_pool *pool, const mann_hooks *h,
                              mann_error *err);

/* (copy.c) A gallery of the rows that pass (keep NULL: of all), at another name. Classes
 * keep their numbers, also those that have no rows there. */
typedef int (*mni_keep_row_fn)(void *user, const mann_record *r);
mann_status mni_gallery_copy(mni_gallery *g, const char *path, mni_keep_row_fn keep,
                             void *user, mni_pool *pool, const mann_hooks *h,
                             mann_error *err);
mann_status mni_gallery_save_model(mni_gallery *g, const char *path, mann_error *err);
mann_status mni_gallery_merge(mni_gallery *g, mni_gallery *from, const mann_hooks *h,
                              mann_add_report *report, mann_error *err);

/* --- search (search.c, identify.c) -------------------------------------------------- */
mann_status mni_gallery_search(mni_gallery *g, mann_matrix queries, const mann_search *s,
                               mni_pool *pool, mann_hit *hits, mann_answer *answers,
                               mann_error *err);
mann_status mni_gallery_identify(mni_gallery *g, mann_matrix queries,
                                 const mann_search *s, mni_pool *pool, mann_hit *hits,
                                 mann_answer *answers, mann_error *err);

mann_status mni_gallery_within(mni_gallery *g, mann_matrix queries, float distance,
                               const mann_search *s, mni_pool *pool, mann_found_fn fn,
                               void *user, mann_error *err);
/* (knob.c) */
mann_status mni_gallery_tune(mni_gallery *g, mann_matrix queries, double recall,
                             uint32_t k, mni_pool *pool, mann_tuned *out,
                             mann_error *err);
/* (recall.c) */
mann_status mni_gallery_recall(mni_gallery *g, uint64_t n, uint32_t k, mni_pool *pool,
                               mann_recall *out, mann_error *err);
mann_status mni_gallery_facts(mni_gallery *g,
                              void (*fn)(void *user, const char *name, double value),
                              void *user, mann_error *err);

/* --- photos (embed.c, enrol.c) ------------------------------------------------------ */
mann_status mni_gallery_embed(mni_gallery *g, const mann_image *images, size_t n,
                              mni_pool *pool, float *out, mann_error *err);

/* A set of photos that somebody can list and read: a data set, a list of files. */
typedef struct mni_photos {
    void *ctx;
    uint64_t n;
    const char *root;                   /* what paths are relative to; NULL: nothing */
    /* *klass NULL: none */
    const char *(*path)(void *ctx, uint64_t i, const char **klass);
    /* Whole file: bytes owned by the caller (mni_free); *mtime its time. Thread-safe. */
    mann_status (*read)(void *ctx, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                        uint64_t *mtime, mann_error *err);
    uint32_t thumb_side;                /* not 0: thumbnails are made of new ones */
} mni_photos;
mann_status mni_gallery_enrol(mni_gallery *g, const mni_photos *photos, mni_pool *pool,
                              const mann_hooks *h, mann_add_report *report,
                              mann_error *err);
/* (sync.c) The gallery comes to hold what the set holds. */
mann_status mni_gallery_sync(mni_gallery *g, const mni_photos *photos, int gone,
                             mni_pool *pool, const mann_hooks *h,
                             mann_sync_report *report, mann_error *err);

#endif
