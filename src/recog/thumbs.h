/* thumbs.h - small pictures of what was enrolled, inside the gallery, for the eye of
 * whoever has the gallery but not the photos. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_THUMBS_H
#define MNI_RECOG_THUMBS_H

#include "recog/base_plan.h"
#include "recog/embed.h"

enum { MNI_MAX_THUMB = 65535, MNI_THUMB_BYTES = 24, MNI_THUMB_QUALITY = 80 };

typedef struct mni_thumb { const uint8_t *bytes; uint32_t n_bytes; } mni_thumb;

/* `im` as a JPEG of at most side x side pixels, never enlarged. */
mann_status mni_thumb_make(mni_buf *out, const mann_image *im, uint32_t side,
                           mann_error *err);

/* Thumbnail of this content: 1 and the view, which lives as long as the state; 0: none,
 * or one that its checksum does not vouch for. The caller is a writer, or holds the
 * gallery's mutex. */
int  mni_state_thumb(const mni_state *s, uint64_t content, mni_thumb *out);

/* As mann_gallery_thumb, mann_gallery_put_thumbs. */
mann_status mni_gallery_thumb(mni_gallery *g, uint64_t id, void *out, size_t size,
                              size_t *n_bytes, mann_error *err);
mann_status mni_gallery_put_thumbs(mni_gallery *g, const mann_thumb *thumbs, size_t n,
                                   mann_error *err);

/* For photos that are known: is a thumbnail missing? From any thread. */
int  mni_gallery_lacks_thumb(mni_gallery *g, uint64_t content);
/* Those that were made for known photos, in one durable change. */
mann_status mni_gallery_fill_thumbs(mni_gallery *g, const mni_photo *photos, size_t n,
                                    mann_error *err);

/* Sections of a new base; none if there are no thumbnails. */
mann_status mni_thumbs_write(const mni_base_plan *p, mni_writer *w, mann_error *err);
mann_status mni_thumbs_open(mni_base *b, mann_error *err);
/* Is every one of them sound, and at its place? */
mann_status mni_thumbs_check(const mni_base *b, mann_error *err);
/* Of a damaged base: those that vouch for themselves, in an array to be owned by the
 * caller (NULL: out of memory). *n_lost of them do not. */
void *mni_thumbs_mend(mni_base *b, uint64_t *n_lost);

#endif
