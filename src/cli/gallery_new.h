/* gallery_new.h - making and filling galleries: what extract, build and add have in
 * common. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_GALLERY_NEW_H
#define MNI_CLI_GALLERY_NEW_H

#include "cli/cli.h"

/* Opens the gallery at `path`, or makes it with the options' model, metric, store and
 * rate, and adds every photo of the data set that it lacks. Returns the exit status,
 * having told what failed; *g (owned) is set when it is MNI_EXIT_OK. */
int mni_gallery_from_photos(mni_cli *c, const char *dataset, const char *path,
                            mann_gallery **g, mann_add_report *added);

/* Vectors with what belongs to them: a row's class, source, and id or key. */
typedef struct mni_rows {
    mann_matrix m;
    mann_vectors *file;                 /* owned; m lies in it, or in data */
    float *data;                        /* owned */
    size_t cap_data;
    char **classes,
        **sources; /* m.rows each, strings owned, NULL = none; arrays may be NULL */
    size_t n_classes, cap_classes, n_sources, cap_sources;
    uint64_t *ids;                      /* owned, or NULL */
    char **keys;                        /* likewise, m.rows strings */
    size_t n_keys, cap_keys;
} mni_rows;

/* From a vector file, with --labels and --ids; or from a folder of CLASS/001.npy. Prints
 * what fails. */
int  mni_rows_read(mni_cli *c, const char *path, mni_rows *rows);
void mni_rows_fini(mni_rows *rows);
/* Adds all rows in groups, with progress. klass (may be NULL) is for rows that have none.
 */
mann_status mni_rows_add(mni_cli *c, mann_gallery *g, const mni_rows *rows,
                         const char *klass);

/* metric, store, rate and seed of the options. */
void mni_gallery_config(const mni_cli *c, mann_gallery_config *config);
/* A mask of MANN_VIEW_* as --views takes it: "flip,zoom", "none". */
enum { MNI_VIEW_WORDS = 40 };
const char *mni_view_words(uint32_t views, char out[MNI_VIEW_WORDS]);
/* Phases and a warning for skipped photos. */
void mni_talk_added(mni_talk *t, const mann_add_report *r);
/* The fields "added", "present", "skipped" and the seconds, into an open object. */
void mni_report_added(mni_json *j, const mann_add_report *r);

#endif
