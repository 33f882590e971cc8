/* sheet.h - contact sheets: what was asked and what was found, for the eye.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_SHEET_H
#define MNI_RECOG_SHEET_H

#include "recog/gallery.h"

enum {
    MNI_THUMB = 112,                    /* pixels a side */
    MNI_SHEET_QUALITY = 90              /* of JPEGs: the least that keeps colours whole,
                                           so that coloured frames stay sharp */
};

mann_status mni_sheet_write(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                            const char *path, mann_error *err);

/* For both kinds of sheet: a picture fitted into MNI_THUMB x MNI_THUMB on white; what
 * cannot be read becomes a grey box. */
mann_status mni_sheet_thumb_file(mni_gallery *g, const char *path, mann_image *out,
                                 mann_error *err);
mann_status mni_sheet_thumb_hit(mni_gallery *g, uint64_t id, mann_image *out,
                                mann_error *err);
/* The same of a file's bytes; NULL: the grey box. */
mann_status mni_sheet_thumb_bytes(const uint8_t *bytes, size_t n_bytes, mann_image *out,
                                  mann_error *err);
const char *mni_verdict_word(mann_verdict v);

/* One picture of all rows: PNG, or JPEG. */
mann_status mni_sheet_picture(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                              int jpeg, mni_buf *out, mann_error *err);
mann_status mni_sheet_html(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                           mni_buf *out, mann_error *err);

#endif
