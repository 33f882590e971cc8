/* pack.c - reading a data set out of one file. See pack.h, pack_disk.h.
 *
 * The layout is canonical, as that of the container is: each photo begins where the one
 * before it ends, and so do paths. So one walk over the list proves that no photo leads
 * outside, that none overlap, and that nothing hides between them.
 * SPDX-License-Identifier: MIT */
#include "store/pack.h"

#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "store/pack_disk.h"

typedef unsigned long long ull;

struct mni_pack {
    mni_reader *reader;
    const char *name;                       /* of the file: the reader's */
    const uint8_t *data;
    const mni_disk_photo *photos;
    const char *paths;
    const uint32_t *sorted;
    const char **classes;                   /* owned; views */
    uint64_t n_photos;
    uint32_t n_classes;
};

/* --- opening ------------------------------------------------------------------------ */

/* The lists are small beside the photos: they are checked whatever the file's size. */
static mann_status check_lists(const mni_reader *r, mann_error *err)
{
    static const char tags[][5] = { "PACK", "PHOT", "PATH", "SORT", "CLAS" };
    for (size_t t = 0; t < sizeof tags / sizeof *tags; t++) {
        uint8_t *bad;
        uint64_t n, c = 0;
        MNI_TRY(mni_reader_damage(r, tags[t], &bad, &n, err));
        while (c < n && !bad[c]) c++;
        mni_free(bad);
        if (c < n)
            return mni_fail(err, MANN_E_FORMAT, "%s: section %s is damaged",
                            mni_reader_name(r), tags[t]);
    }
    return MANN_OK;
}

static mann_status find_sections(mni_pack *p, mni_section *data, mni_section *paths,
                                 mni_section *names, mann_error *err)
{
    const mni_reader *r = p->reader;
    mni_section head, photos, sorted;
    MNI_TRY(mni_reader_is(r, MNI_FILE_DATA, err));
    MNI_TRY(mni_reader_need(r, "PACK", MNI_U64, MNI_PACK_HEAD, &head, err));
    const uint64_t *h = head.data;
    if (h[0] != MNI_PACK_LAYOUT)
        return mni_fail(err, MANN_E_VERSION, "%s: data set of layout %llu, this program "
                        "reads %d", p->name, (ull)h[0], MNI_PACK_LAYOUT);
    if (h[1] > UINT32_MAX || h[2] >= MANN_NO_CLASS)
        return mni_fail(err, MANN_E_LIMIT, "%s: %llu photos of %llu classes are too many",
                        p->name, (ull)h[1], (ull)h[2]);
    p->n_photos = h[1];
    p->n_classes = (uint32_t)h[2];
    MNI_TRY(mni_reader_need(r, "DATA", MNI_BYTES, UINT64_MAX, data, err));
    MNI_TRY(mni_reader_need(r, "PHOT", MNI_U64,
                            p->n_photos * (sizeof(mni_disk_photo) / sizeof(uint64_t)),
                            &photos, err));
    MNI_TRY(mni_reader_need(r, "PATH", MNI_BYTES, UINT64_MAX, paths, err));
    MNI_TRY(mni_reader_need(r, "SORT", MNI_U32, p->n_photos, &sorted, err));
    MNI_TRY(mni_reader_need(r, "CLAS", MNI_BYTES, UINT64_MAX, names, err));
    MNI_TRY(check_lists(r, err));
    p->data = data->data;
    p->photos = photos.data;
    p->paths = paths->data;
    p->sorted = sorted.data;
    return MANN_OK;
}

/* Length of the text at `at`, which ends before `end`; 0 if it is empty or has no end. */
static uint64_t text_length(const char *text, uint64_t at, uint64_t end)
{
    const char *zero = at < end ? memchr(text + at, '\0', (size_t)(end - at)) : NULL;
    return zero ? (uint64_t)(zero - (text + at)) : 0;
}

static mann_status check_photos(const mni_pack *p, uint64_t data_bytes,
                                uint64_t path_bytes, mann_error *err)
{
    uint64_t at = 0, path_at = 0;
    uint32_t klass = 0;
    for (uint64_t i = 0; i < p->n_photos; i++) {
        const mni_disk_photo *d = &p->photos[i];
        const uint64_t n = text_length(p->paths, path_at, path_bytes);
        if (d->path_at != path_at || n == 0)
            return mni_fail(err, MANN_E_FORMAT, "%s: photo %llu has no path where one "
                            "belongs", p->name, (ull)i);
        if (d->at != at || d->n_bytes > data_bytes - at)
            return mni_fail(err, MANN_E_FORMAT, "%s: photo %llu of %llu bytes at %llu, "
                            "wanted it at %llu and within %llu", p->name, (ull)i,
                            (ull)d->n_bytes, (ull)d->at, (ull)at, (ull)data_bytes);
        if ((d->klass != MANN_NO_CLASS && d->klass >= p->n_classes) || d->klass < klass)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: photo %llu is of class %u of %u, out of order", p->name,
                            (ull)i, (unsigned)d->klass, (unsigned)p->n_classes);
        if (p->sorted[i] >= p->n_photos)
            return mni_fail(err, MANN_E_FORMAT, "%s: there is no photo %u", p->name,
                            (unsigned)p->sorted[i]);
        at += d->n_bytes;
        path_at += n + 1;
        klass = d->klass;
    }
    if (at != data_bytes || path_at != path_bytes)
        return mni_fail(err, MANN_E_FORMAT, "%s: %llu bytes belong to no photo", p->name,
                        (ull)(data_bytes - at + (path_bytes - path_at)));
    return MANN_OK;
}

static mann_status list_classes(mni_pack *p, const mni_section *names, mann_error *err)
{
    uint64_t at = 0;
    if (p->n_classes > names->n_bytes / 2)          /* a letter and a zero at least */
        return mni_fail(err, MANN_E_FORMAT, "%s: %u classes in %llu bytes", p->name,
                        (unsigned)p->n_classes, (ull)names->n_bytes);
    p->classes = mni_alloc((size_t)p->n_classes + 1, sizeof *p->classes);
    if (!p->classes)
        return mni_fail(err, MANN_E_NOMEM, "%s: list of classes", p->name);
    for (uint32_t k = 0; k < p->n_classes; k++) {
        const uint64_t n = text_length(names->data, at, names->n_bytes);
        p->classes[k] = (const char *)names->data + at;
        if (n == 0 || (k && strcmp(p->classes[k - 1], p->classes[k]) >= 0))
            return mni_fail(err, MANN_E_FORMAT, "%s: class %u has no name of its own, or "
                            "is out of order", p->name, (unsigned)k);
        at += n + 1;
    }
    if (at != names->n_bytes)
        return mni_fail(err, MANN_E_FORMAT, "%s: %llu bytes belong to no class", p->name,
                        (ull)(names->n_bytes - at));
    return MANN_OK;
}

/* Takes r. */
static mann_status open_reader(mni_pack **out, mni_reader *r, mann_error *err)
{
    mni_section data, paths, names;
    mni_pack *p = mni_alloc(1, sizeof *p);
    if (!p) {
        mni_fail(err, MANN_E_NOMEM, "%s: data set", mni_reader_name(r));
        mni_reader_free(r);
        return MANN_E_NOMEM;
    }
    p->reader = r;
    p->name = mni_reader_name(r);
    mann_status s = find_sections(p, &data, &paths, &names, err);
    if (s == MANN_OK) s = check_photos(p, data.n_bytes, paths.n_bytes, err);
    if (s == MANN_OK) s = list_classes(p, &names, err);
    if (s != MANN_OK) { mni_pack_free(p); return s; }
    *out = p;
    return MANN_OK;
}

mann_status mni_pack_open(mni_pack **out, const mni_vfs *v, const char *path,
                          mann_error *err)
{
    mni_reader *r;
    *out = NULL;
    MNI_TRY(mni_reader_open(&r, v, path, 0, err));
    return open_reader(out, r, err);
}

mann_status mni_pack_open_bytes(mni_pack **out, const void *bytes, size_t n_bytes,
                                const char *name, mann_error *err)
{
    mni_reader *r;
    *out = NULL;
    MNI_TRY(mni_reader_open_bytes(&r, bytes, n_bytes, name, 0, err));
    return open_reader(out, r, err);
}

void mni_pack_free(mni_pack *p)
{
    if (!p) return;
    mni_free(p->classes);
    mni_reader_free(p->reader);
    mni_free(p);
}

/* --- asking ------------------------------------------------------------------------- */

uint64_t    mni_pack_n_photos(const mni_pack *p) { return p->n_photos; }
uint32_t    mni_pack_n_classes(const mni_pack *p) { return p->n_classes; }
const char *mni_pack_class(const mni_pack *p, uint32_t k) { return p->classes[k]; }
const mni_reader *mni_pack_reader(const mni_pack *p) { return p->reader; }

mni_pack_photo mni_pack_at(const mni_pack *p, uint64_t i)
{
    const mni_disk_photo *d = &p->photos[i];
    return (mni_pack_photo){ .path = p->paths + d->path_at, .bytes = p->data + d->at,
                             .n_bytes = d->n_bytes, .time = d->time,
                             .content_hash = d->content_hash, .klass = d->klass };
}

static const char *sorted_path(const mni_pack *p, uint64_t at)
{
    return p->paths + p->photos[p->sorted[at]].path_at;
}

int mni_pack_find(const mni_pack *p, const char *path, uint64_t *i)
{
    uint64_t low = 0, high = p->n_photos;
    while (low < high) {
        const uint64_t mid = low + (high - low) / 2;
        if (strcmp(sorted_path(p, mid), path) < 0) low = mid + 1;
        else high = mid;
    }
    if (low == p->n_photos || strcmp(sorted_path(p, low), path) != 0) return 0;
    *i = p->sorted[low];
    return 1;
}

mann_status mni_pack_check(const mni_pack *p, uint64_t i, mann_error *err)
{
    const mni_disk_photo *d = &p->photos[i];
    const uint32_t crc = mni_crc32c(0, p->data + d->at, (size_t)d->n_bytes);
    if (crc == d->crc) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT,
                    "%s: photo %s is damaged (checksum %08x, wanted %08x)", p->name,
                    p->paths + d->path_at, (unsigned)crc, (unsigned)d->crc);
}

mann_status mni_pack_copy(const mni_pack *p, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                          mann_error *err)
{
    const mni_disk_photo *d = &p->photos[i];
    *bytes = NULL;
    if (d->n_bytes > MNI_PACK_MOST_BYTES)
        return mni_fail(err, MANN_E_LIMIT, "%s: %llu bytes, at most 1 GiB",
                        p->paths + d->path_at, (ull)d->n_bytes);
    MNI_TRY(mni_pack_check(p, i, err));
    uint8_t *copy = mni_alloc_aligned((size_t)d->n_bytes + 1, 1, 0);
    if (!copy)
        return mni_fail(err, MANN_E_NOMEM, "%s: %llu bytes", p->paths + d->path_at,
                        (ull)d->n_bytes);
    memcpy(copy, p->data + d->at, (size_t)d->n_bytes);
    copy[d->n_bytes] = 0;
    *bytes = copy;
    *n_bytes = (size_t)d->n_bytes;
    return MANN_OK;
}

mann_status mni_pack_verify(const mni_pack *p, mann_error *err)
{
    MNI_TRY(mni_reader_verify(p->reader, err));
    for (uint64_t i = 0; i < p->n_photos; i++) {
        const mni_disk_photo *d = &p->photos[i];
        MNI_TRY(mni_pack_check(p, i, err));
        if (mni_hash_bytes(p->data + d->at, (size_t)d->n_bytes, 0) != d->content_hash)
            return mni_fail(err, MANN_E_FORMAT, "%s: photo %s has another content hash",
                            p->name, p->paths + d->path_at);
        if (i == 0) continue;
        const int c = strcmp(sorted_path(p, i - 1), sorted_path(p, i));
        if (c > 0 || (c == 0 && p->sorted[i - 1] >= p->sorted[i]))
            return mni_fail(err, MANN_E_FORMAT, "%s: paths are not sorted at %llu",
                            p->name, (ull)i);
    }
    return MANN_OK;
}
