/* container.h - one file of checked, aligned sections: what models, galleries and indexes
 * are kept in.
 *
 * The format is described byte by byte in src/store/README.md. A writer makes a new file
 * beside the old one and renames it into place; nothing is ever changed in place. A
 * reader maps the file, checks header and section table against the length of the file,
 * and gives out views. SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_CONTAINER_H
#define MNI_STORE_CONTAINER_H

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"
#include "os/vfs.h"

typedef enum mni_file_is {
    MNI_FILE_MODEL = 1,
    MNI_FILE_GALLERY = 2,
    MNI_FILE_INDEX = 3,
    MNI_FILE_DATA = 4
} mni_file_is;

typedef struct mni_uuid { uint8_t bytes[12]; } mni_uuid;
/* A fresh one, from the clock, the process and a counter. Not random, not secret: only
 * unique. */
mni_uuid mni_uuid_new(void);
/* One that is a function of its inputs: reproducible files. */
mni_uuid mni_uuid_from(uint64_t seed, uint64_t content_hash);
int      mni_uuid_same(mni_uuid a, mni_uuid b);
void     mni_uuid_text(mni_uuid u, char out[40]);

/* --- writing ---------------------------------------------------------------------- */
typedef struct mni_writer mni_writer;

/* alignment of a section's first byte */
enum { MNI_ALIGN_SECTION = 64, MNI_ALIGN_PAGE = 4096 };

/* To a temp file beside `path`; nothing is at `path` until finish. */
mann_status mni_writer_new(mni_writer **out, const mni_vfs *v, const char *path,
                           mni_file_is kind, mni_uuid uuid, uint64_t generation,
                           mann_error *err);
/* Into memory (a model inside a gallery): finish appends the whole file to `buf`. */
mann_status mni_writer_new_buf(mni_writer **out, mni_buf *buf, mni_file_is kind,
                               mni_uuid uuid, uint64_t generation, mann_error *err);
/* Sections: tag of 4 printable letters, unique in the file; at most 256. begin, put any
 * number of times, end. A failed put is remembered: later calls do nothing and finish
 * reports it. Memory is constant but for 4 bytes per 64 KiB written. */
void mni_writer_begin(mni_writer *w, const char tag[4], mni_dtype dtype, uint32_t align);
void mni_writer_put(mni_writer *w, const void *bytes, size_t n_bytes);
void mni_writer_end(mni_writer *w);
/* The three in one. */
void mni_writer_section(mni_writer *w, const char tag[4], mni_dtype dtype, uint32_t align,
                        const void *bytes, size_t n_bytes);
/* Another uuid than the one it was begun with: a hash of what was put since. */
void mni_writer_identify(mni_writer *w, mni_uuid uuid);
/* Header, table and checksums; sync, rename, sync of the folder. Frees the writer in
 * every case. On failure the temp file is gone and what stood at `path` still stands; if
 * nothing but the last step failed, the new file stands there, whole, but may not survive
 * a power cut. */
mann_status mni_writer_finish(mni_writer *w, mann_error *err);
void        mni_writer_abort(mni_writer *w);        /* removes the temp file; NULL ok */

/* --- reading ---------------------------------------------------------------------- */
typedef struct mni_reader mni_reader;
typedef struct mni_section {
    const void *data; /* view into the mapping: never written, gone with the reader */
    uint64_t n_bytes, count;    /* count = n_bytes / bytes of dtype */
    mni_dtype dtype;
} mni_section;

/* check every CRC; files under 64 MiB are always checked whole */
enum {
    MNI_READ_VERIFY = 1,
    MNI_READ_DAMAGED = 2,       /* for repair: header and table must be sound, no more */
    MNI_READ_SCATTERED = 4      /* will be read here and there (os/pages.h) */
};

mann_status mni_reader_open(mni_reader **out, const mni_vfs *v, const char *path,
                            unsigned flags, mann_error *err);
/* A container inside borrowed memory, which must outlive the reader and be 8-byte aligned
 * (a section of another container is). `name` is for sentences, copied. */
mann_status mni_reader_open_bytes(mni_reader **out, const void *bytes, size_t n_bytes,
                                  const char *name, unsigned flags, mann_error *err);
/* The same where header or table are lost: the sections lie where the caller says, who
 * knows by other means. Nothing is checked but that they lie within the bytes; for
 * mni_reader_damage every chunk is bad, since nothing vouches for it. */
typedef struct mni_placed {
    char tag[5];
    mni_dtype dtype;
    uint32_t align;
    uint64_t at, n_bytes;
} mni_placed;
mann_status mni_reader_place(mni_reader **out, const void *bytes, size_t n_bytes,
                             const char *name, mni_file_is kind, mni_uuid uuid,
                             uint64_t generation, const mni_placed *sections, uint32_t n,
                             mann_error *err);
void        mni_reader_free(mni_reader *r);
/* Before much of it is read from front to back; takes MNI_READ_SCATTERED back. */
void        mni_reader_in_turn(const mni_reader *r);
/* Is this still the file that stands at `path`? 0: another one took its name since. */
int         mni_reader_is_at(const mni_reader *r, const mni_vfs *v, const char *path);
mni_file_is mni_reader_kind(const mni_reader *r);
mni_uuid    mni_reader_uuid(const mni_reader *r);
uint64_t    mni_reader_generation(const mni_reader *r);
uint64_t    mni_reader_bytes(const mni_reader *r);
const char *mni_reader_name(const mni_reader *r);
/* 1 and the view, or 0 if there is none. */
int         mni_reader_find(const mni_reader *r, const char tag[4], mni_section *out);
/* Must be there, of this dtype, with exactly `count` items (UINT64_MAX: any): else
 * MANN_E_FORMAT. */
mann_status mni_reader_need(const mni_reader *r, const char tag[4], mni_dtype dtype,
                            uint64_t count, mni_section *out, mann_error *err);
/* MANN_E_FORMAT naming both kinds unless the file is of this one. */
mann_status mni_reader_is(const mni_reader *r, mni_file_is kind, mann_error *err);
/* Which chunks of 64 KiB of a section do their checksums not vouch for? *bad (owned,
 * mni_free) has a 1 for each; *n_chunks of them. The section must be there. */
mann_status mni_reader_damage(const mni_reader *r, const char tag[4], uint8_t **bad,
                              uint64_t *n_chunks, mann_error *err);
/* every byte, padding too */
mann_status mni_reader_verify(const mni_reader *r, mann_error *err);
uint32_t    mni_reader_n_sections(const mni_reader *r);
int         mni_reader_at(const mni_reader *r, uint32_t i, char tag[5], mni_section *out);

#endif
