/* pack.h - a data set in one file: photos as they are, their paths, classes, times and
 * hashes. README.md of this folder has the bytes.
 *
 * Writing streams: a photo is in memory only while it is put; what stays is 56 bytes and
 * the path of each. Reading maps the file: photos, paths and names are views. A photo is
 * checked when it is read; everything else when the file is opened.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_PACK_H
#define MNI_STORE_PACK_H

#include "store/container.h"

#define MNI_PACK_MOST_BYTES (UINT64_C(1) << 30)     /* of one photo */

/* --- writing ------------------------------------------------------------------------ */
typedef struct mni_pack_writer mni_pack_writer;

/* Classes by name, sorted by bytes, each once: borrowed until finish. Nothing is at
 * `path` until finish. */
mann_status mni_pack_new(mni_pack_writer **out, const mni_vfs *v, const char *path,
                         const char *const *classes, uint32_t n_classes, mann_error *err);
/* Photos in order of their classes, those without one last. path is not empty. */
mann_status mni_pack_put(mni_pack_writer *w, const char *path, uint32_t klass,
                         const void *bytes, size_t n_bytes, uint64_t time,
                         mann_error *err);
/* Frees the writer in every case; as mni_writer_finish. */
mann_status mni_pack_finish(mni_pack_writer *w, mann_error *err);
void        mni_pack_abort(mni_pack_writer *w);         /* NULL ok */

/* --- reading ------------------------------------------------------------------------ */
typedef struct mni_pack mni_pack;
typedef struct mni_pack_photo {                         /* views: gone with the pack */
    const char *path;
    const uint8_t *bytes;
    uint64_t n_bytes, time, content_hash;
    uint32_t klass;                                     /* MANN_NO_CLASS: none */
} mni_pack_photo;

/* Header, lists and names are checked; photos are not. */
mann_status mni_pack_open(mni_pack **out, const mni_vfs *v, const char *path,
                          mann_error *err);
/* In borrowed memory, as mni_reader_open_bytes. */
mann_status mni_pack_open_bytes(mni_pack **out, const void *bytes, size_t n_bytes,
                                const char *name, mann_error *err);
void        mni_pack_free(mni_pack *p);
uint64_t    mni_pack_n_photos(const mni_pack *p);
uint32_t    mni_pack_n_classes(const mni_pack *p);
const char *mni_pack_class(const mni_pack *p, uint32_t klass);
mni_pack_photo mni_pack_at(const mni_pack *p, uint64_t i);
const mni_reader *mni_pack_reader(const mni_pack *p);
/* 1 and the first photo of this path; 0: there is none. */
int         mni_pack_find(const mni_pack *p, const char *path, uint64_t *i);
/* Are the bytes of photo i what was put? MANN_E_FORMAT naming it. Many threads. */
mann_status mni_pack_check(const mni_pack *p, uint64_t i, mann_error *err);
/* A copy of them, checked (owned, mni_free; one spare zero byte behind). */
mann_status mni_pack_copy(const mni_pack *p, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                          mann_error *err);
/* Every byte, every hash, and the order of the paths. */
mann_status mni_pack_verify(const mni_pack *p, mann_error *err);

#endif
