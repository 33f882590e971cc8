/* reader.c - opens a container and believes nothing. See container.h, disk.h and
 * README.md here.
 *
 * Two depths of checking. Opening checks the frame: header, then table, then every span
 * against the file's length; that touches the first and the last pages only, and after it
 * no view can lead outside the file. Verifying reads every byte: checksums, and that
 * padding is zero, so that no flipped bit goes unseen. The layout is canonical (each
 * section begins at the first aligned place after the one before), hence "no overlap, no
 * hole" is one comparison per section. SPDX-License-Identifier: MIT */
#include "store/container.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "os/pages.h"
#include "store/disk.h"

/* smaller files are checked whole at open */
#define VERIFY_BELOW (UINT64_C(64) << 20)

struct mni_reader {
    const mni_vfs *vfs;             /* NULL: the bytes are borrowed */
    const uint8_t *bytes;
    size_t n_bytes;
    char *name;
    /* Copies: a file that is changed under us cannot change these. */
    mni_disk_header header;
    mni_disk_section *sections;
    int placed;                     /* by a caller: there are no checksums */
};

typedef unsigned long long ull;

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = { "nothing known", "a model", "a gallery",
                                         "an index", "a data set" };
    return names[kind <= MNI_FILE_DATA ? kind : 0];
}

/* --- the frame -------------------------------------------------------------------- */

static mann_status check_features(const char *name, uint64_t unknown, mann_error *err)
{
    char bits[160];
    size_t at = 0;
    for (unsigned b = 0; b < 64 && at + 8 < sizeof bits; b++)
        if (unknown >> b & 1)
            at += (size_t)snprintf(bits + at, sizeof bits - at, "%s%u", at ? ", " : "",
                                   b);
    return mni_fail(err, MANN_E_VERSION,
                    "%s: needs features of a newer version (bits %s)", name, bits);
}

/* Order matters for the sentence: a newer version is told as such before its header is
 * called damaged, a cut file is told as cut before anything in it is looked at. */
static mann_status check_header(mni_reader *r, mann_error *err)
{
    const char *name = r->name;
    mni_disk_header *h = &r->header;
    if (r->n_bytes < sizeof *h)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: %llu bytes are too few for a header of %zu", name,
                        (ull)r->n_bytes, sizeof *h);
    memcpy(h, r->bytes, sizeof *h);
    if (memcmp(h->magic, MNI_DISK_MAGIC, sizeof h->magic) != 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: not a MetricANN file (no \"METRANN\" at its start)", name);
    if (h->version != MNI_DISK_VERSION)
        return mni_fail(err, MANN_E_VERSION,
                        "%s: format version %u, this program reads %u", name,
                        (unsigned)h->version, (unsigned)MNI_DISK_VERSION);
    uint32_t crc = mni_crc32c(0, h, offsetof(mni_disk_header, header_crc));
    if (crc != h->header_crc)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: header is damaged (checksum %08x, wanted %08x)", name,
                        (unsigned)crc, (unsigned)h->header_crc);
    if (h->file_size != r->n_bytes)
        return mni_fail(err, MANN_E_FORMAT, "%s: %llu bytes, its header says %llu: %s",
                        name, (ull)r->n_bytes, (ull)h->file_size,
                        h->file_size > r->n_bytes ? "the file is cut"
                                                  : "something was added");
    if (h->features & ~MNI_DISK_FEATURES)
        return check_features(name, h->features & ~MNI_DISK_FEATURES, err);
    if (h->kind < MNI_FILE_MODEL || h->kind > MNI_FILE_DATA)
        return mni_fail(err, MANN_E_FORMAT, "%s: kind %u, wanted 1..%u", name,
                        (unsigned)h->kind, (unsigned)MNI_FILE_DATA);
    if (h->section_count > MNI_DISK_MAX_SECTIONS)
        return mni_fail(err, MANN_E_LIMIT, "%s: %u sections, at most %d", name,
                        (unsigned)h->section_count, MNI_DISK_MAX_SECTIONS);
    return MANN_OK;
}

static mann_status copy_table(mni_reader *r, uint64_t *table_at, mann_error *err)
{
    const mni_disk_header *h = &r->header;
    size_t table_bytes = h->section_count * sizeof *r->sections;
    if (table_bytes > r->n_bytes - sizeof *h)
        return mni_fail(err, MANN_E_FORMAT, "%s: %u sections do not fit into %llu bytes",
                        r->name, (unsigned)h->section_count, (ull)r->n_bytes);
    *table_at = r->n_bytes - table_bytes;
    r->sections = mni_memdup(r->bytes + *table_at, table_bytes);
    if (!r->sections) return mni_fail(err, MANN_E_NOMEM, "%s: section table", r->name);
    uint32_t crc = mni_crc32c(0, r->sections, table_bytes);
    if (crc != h->section_crc)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section table is damaged (checksum %08x, wanted %08x)",
                        r->name, (unsigned)crc, (unsigned)h->section_crc);
    return MANN_OK;
}

/* Entry i by itself: tag, dtype, alignment, room before `limit`, and exactly where it
 * must begin. */
static mann_status check_entry(const mni_reader *r, uint32_t i, uint64_t end_before,
                               uint64_t limit, mann_error *err)
{
    static const uint8_t zero[sizeof r->sections->zero];
    const mni_disk_section *e = &r->sections[i];
    for (int c = 0; c < 4; c++)
        if (e->tag[c] < 0x20 || e->tag[c] > 0x7E)
            return mni_fail(err, MANN_E_FORMAT, "%s: tag of section %u is not printable",
                            r->name, (unsigned)i);
    for (uint32_t k = 0; k < i; k++)
        if (memcmp(r->sections[k].tag, e->tag, 4) == 0)
            return mni_fail(err, MANN_E_FORMAT, "%s: section %.4s is there twice",
                            r->name, e->tag);
    size_t item = mni_dtype_bytes((mni_dtype)e->dtype);
    if (item == 0)
        return mni_fail(err, MANN_E_FORMAT, "%s: section %.4s: unknown dtype %u", r->name,
                        e->tag, (unsigned)e->dtype);
    if (e->align != MNI_ALIGN_SECTION && e->align != MNI_ALIGN_PAGE)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s: alignment %u, wanted 64 or 4096", r->name,
                        e->tag, (unsigned)e->align);
    uint64_t want = mni_disk_round(end_before, e->align);
    if (e->at != want)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s begins at %llu, wanted %llu", r->name, e->tag,
                        (ull)e->at, (ull)want);
    if (!mni_span_fits(e->at, e->n_bytes, 1, limit))
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s of %llu bytes at %llu runs past %llu", r->name,
                        e->tag, (ull)e->n_bytes, (ull)e->at, (ull)limit);
    if (e->n_bytes % item != 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s: %llu bytes are not whole items of %zu",
                        r->name, e->tag, (ull)e->n_bytes, item);
    if (memcmp(e->zero, zero, sizeof zero) != 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s: reserved bytes are not zero", r->name, e->tag);
    return MANN_OK;
}

static mann_status check_frame(mni_reader *r, mann_error *err)
{
    uint64_t table_at = 0, end = sizeof r->header;
    MNI_TRY(check_header(r, err));
    MNI_TRY(copy_table(r, &table_at, err));
    const uint32_t n = r->header.section_count;
    for (uint32_t i = 0; i < n; i++) {
        MNI_TRY(check_entry(r, i, end, table_at, err));
        end = r->sections[i].at + r->sections[i].n_bytes;
    }
    /* The checksums follow, one section's after the other's. end stays below 2^62: files
     * do. */
    end = mni_disk_round(end, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < n; i++) {
        const mni_disk_section *e = &r->sections[i];
        if (e->sums_at != end)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: checksums of %.4s at %llu, wanted %llu", r->name, e->tag,
                            (ull)e->sums_at, (ull)end);
        end += mni_disk_n_sums(e->n_bytes) * sizeof(uint32_t);
    }
    end = mni_disk_round(end, MNI_ALIGN_SECTION);
    if (end != table_at)
        return mni_fail(err, MANN_E_FORMAT, "%s: section table at %llu, wanted %llu",
                        r->name, (ull)table_at, (ull)end);
    return MANN_OK;
}

/* --- every byte ------------------------------------------------------------------- */

static mann_status check_zero(const mni_reader *r, uint64_t at, uint64_t end,
                              mann_error *err)
{
    for (; at < end; at++)
        if (r->bytes[at])
            return mni_fail(err, MANN_E_FORMAT, "%s: padding at byte %llu is not zero",
                            r->name, (ull)at);
    return MANN_OK;
}

static mann_status check_section(const mni_reader *r, const mni_disk_section *e,
                                 mann_error *err)
{
    const uint64_t n = mni_disk_n_sums(e->n_bytes);
    const uint8_t *sums = r->bytes + e->sums_at;
    if (mni_crc32c(0, sums, (size_t)n * 4) != e->sums_crc)
        return mni_fail(err, MANN_E_FORMAT, "%s: checksums of section %.4s are damaged",
                        r->name, e->tag);
    for (uint64_t c = 0; c < n; c++) {
        uint64_t at = c * MNI_DISK_CHUNK, left = e->n_bytes - at;
        size_t step = left < MNI_DISK_CHUNK ? (size_t)left : MNI_DISK_CHUNK;
        uint32_t crc = mni_crc32c(0, r->bytes + e->at + at, step),
                 want = mni_get32(sums + 4 * c);
        if (crc != want)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: section %.4s is damaged within %zu bytes at %llu "
                            "of the file (checksum %08x, wanted %08x)",
                            r->name, e->tag, step, (ull)(e->at + at), (unsigned)crc,
                            (unsigned)want);
    }
    return MANN_OK;
}

void mni_reader_in_turn(const mni_reader *r)
{
    if (r && r->vfs) mni_pages_in_turn(r->bytes, r->n_bytes);
}

mann_status mni_reader_verify(const mni_reader *r, mann_error *err)
{
    mni_reader_in_turn(r);
    /* The two that were copied at open: what is in the file now must still be what we
     * work with. */
    const size_t table_bytes = r->header.section_count * sizeof *r->sections;
    if (memcmp(r->bytes, &r->header, sizeof r->header) != 0 ||
        mni_crc32c(0, r->bytes + (r->n_bytes - table_bytes), table_bytes) !=
            r->header.section_crc)
        return mni_fail(err, MANN_E_FORMAT, "%s: was changed while it was open", r->name);
    uint64_t end = sizeof r->header;
    for (uint32_t i = 0; i < r->header.section_count; i++) {
        const mni_disk_section *e = &r->sections[i];
        MNI_TRY(check_zero(r, end, e->at, err));
        MNI_TRY(check_section(r, e, err));
        end = e->at + e->n_bytes;
    }
    MNI_TRY(check_zero(r, end, mni_disk_round(end, MNI_ALIGN_SECTION), err));
    end = mni_disk_round(end, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < r->header.section_count; i++)
        end += mni_disk_n_sums(r->sections[i].n_bytes) * sizeof(uint32_t);
    return check_zero(r, end, r->n_bytes - table_bytes, err);
}

/* A chunk whose checksum was damaged itself looks damaged: nothing vouches for it. */
mann_status mni_reader_damage(const mni_reader *r, const char tag[4], uint8_t **bad,
                              uint64_t *n_chunks, mann_error *err)
{
    const mni_disk_section *e = NULL;
    *bad = NULL;
    for (uint32_t i = 0; i < r->header.section_count && !e; i++)
        if (memcmp(r->sections[i].tag, tag, 4) == 0) e = &r->sections[i];
    if (!e)
        return mni_fail(err, MANN_E_NOT_FOUND, "%s: has no section %.4s", r->name, tag);
    *n_chunks = mni_disk_n_sums(e->n_bytes);
    *bad = mni_alloc((size_t)*n_chunks + 1, 1);
    if (!*bad) return mni_fail(err, MANN_E_NOMEM, "%s: list of chunks", r->name);
    for (uint64_t c = 0; c < *n_chunks; c++) {
        const uint64_t at = c * MNI_DISK_CHUNK, left = e->n_bytes - at;
        const size_t step = left < MNI_DISK_CHUNK ? (size_t)left : MNI_DISK_CHUNK;
        (*bad)[c] = r->placed || mni_crc32c(0, r->bytes + e->at + at, step) !=
                                     mni_get32(r->bytes + e->sums_at + 4 * c);
    }
    return MANN_OK;
}

/* --- opening ---------------------------------------------------------------------- */

static mann_status new_reader(mni_reader **out, const char *name, mann_error *err)
{
    *out = NULL;
    MNI_TRY(mni_disk_machine_ok(name, err));
    mni_reader *r = mni_alloc(1, sizeof *r);
    if (r) r->name = mni_strdup(name);
    if (!r || !r->name) {
        mni_free(r);
        return mni_fail(err, MANN_E_NOMEM, "%s: reader", name);
    }
    *out = r;
    return MANN_OK;
}

/* Takes r. */
static mann_status check_all(mni_reader **out, mni_reader *r, unsigned flags,
                             mann_error *err)
{
    mann_status s = check_frame(r, err);
    const int whole = flags & MNI_READ_VERIFY || r->n_bytes < VERIFY_BELOW;
    if (s == MANN_OK && whole && !(flags & MNI_READ_DAMAGED))
        s = mni_reader_verify(r, err);
    if (s == MANN_OK) *out = r;
    else mni_reader_free(r);
    return s;
}

mann_status mni_reader_open(mni_reader **out, const mni_vfs *v, const char *path,
                            unsigned flags, mann_error *err)
{
    mni_reader *r;
    mni_file *f;
    *out = NULL;
    MNI_TRY(new_reader(&r, path, err));
    mann_status s = mni_open(v, path, MNI_OPEN_READ, &f, err);
    if (s == MANN_OK) {
        const void *bytes;
        s = v->ops->map(f, &bytes, &r->n_bytes, err);
        if (s == MANN_OK) {
            r->vfs = v;
            r->bytes = bytes;
            if (flags & MNI_READ_SCATTERED) mni_pages_scattered(bytes, r->n_bytes);
        }
        mni_close(f, NULL); /* the mapping stands by itself; nothing was written */
    }
    if (s != MANN_OK) { mni_reader_free(r); return s; }
    return check_all(out, r, flags, err);
}

mann_status mni_reader_open_bytes(mni_reader **out, const void *bytes, size_t n_bytes,
                                  const char *name, unsigned flags, mann_error *err)
{
    mni_reader *r;
    *out = NULL;
    if ((uintptr_t)bytes % 8 != 0) /* views of u64 and f64 must be readable as they lie */
        return mni_fail(err, MANN_E_ARG, "%s: memory is not 8-byte aligned", name);
    MNI_TRY(new_reader(&r, name, err));
    r->bytes = bytes;
    r->n_bytes = n_bytes;
    return check_all(out, r, flags, err);
}

mann_status mni_reader_place(mni_reader **out, const void *bytes, size_t n_bytes,
                             const char *name, mni_file_is kind, mni_uuid uuid,
                             uint64_t generation, const mni_placed *sections, uint32_t n,
                             mann_error *err)
{
    mni_reader *r;
    MNI_TRY(new_reader(&r, name, err));
    *out = NULL;
    r->bytes = bytes;
    r->n_bytes = n_bytes;
    r->placed = 1;
    r->header = (mni_disk_header){ .kind = (uint32_t)kind, .generation = generation,
                                   .section_count = n };
    memcpy(r->header.uuid, uuid.bytes, sizeof uuid.bytes);
    r->sections = mni_alloc((size_t)n + 1, sizeof *r->sections);
    mann_status s = r->sections ? MANN_OK
                                : mni_fail(err, MANN_E_NOMEM, "%s: section table", name);
    for (uint32_t i = 0; s == MANN_OK && i < n; i++) {
        const mni_placed *p = &sections[i];
        if (!mni_span_fits(p->at, p->n_bytes, 1, n_bytes))
            s = mni_fail(err, MANN_E_FORMAT, "%s: the file ends inside of section %.4s",
                         name, p->tag);
        r->sections[i] = (mni_disk_section){ .dtype = (uint32_t)p->dtype, .at = p->at,
                                             .align = p->align, .n_bytes = p->n_bytes };
        memcpy(r->sections[i].tag, p->tag, 4);
    }
    if (s == MANN_OK) *out = r;
    else mni_reader_free(r);
    return s;
}

void mni_reader_free(mni_reader *r)
{
    if (!r) return;
    if (r->vfs) r->vfs->ops->unmap(r->vfs, r->bytes, r->n_bytes);
    mni_free(r->sections);
    mni_free(r->name);
    mni_free(r);
}

/* The header has the checksum of the table, and that those of all bytes: equal headers,
 * equal files. In doubt (no file, no reading) it is the same. */
int mni_reader_is_at(const mni_reader *r, const mni_vfs *v, const char *path)
{
    mni_disk_header there;
    mni_file *f;
    size_t got = 0;
    if (mni_open(v, path, MNI_OPEN_READ, &f, NULL) != MANN_OK) return 1;
    const mann_status s = mni_read(f, &there, sizeof there, 0, &got, NULL);
    mni_close(f, NULL);
    return s != MANN_OK || got < sizeof there ||
           memcmp(&there, &r->header, sizeof there) == 0;
}

/* --- asking ----------------------------------------------------------------------- */

mni_file_is mni_reader_kind(const mni_reader *r) { return (mni_file_is)r->header.kind; }
uint64_t    mni_reader_generation(const mni_reader *r) { return r->header.generation; }
uint64_t    mni_reader_bytes(const mni_reader *r) { return r->n_bytes; }
const char *mni_reader_name(const mni_reader *r) { return r->name; }
uint32_t    mni_reader_n_sections(const mni_reader *r) { return r->header.section_count; }

mni_uuid mni_reader_uuid(const mni_reader *r)
{
    mni_uuid u;
    memcpy(u.bytes, r->header.uuid, sizeof u.bytes);
    return u;
}

mann_status mni_reader_is(const mni_reader *r, mni_file_is kind, mann_error *err)
{
    if (r->header.kind == (uint32_t)kind) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT, "%s: holds %s, wanted %s", r->name,
                    kind_name(r->header.kind), kind_name((uint32_t)kind));
}

int mni_reader_at(const mni_reader *r, uint32_t i, char tag[5], mni_section *out)
{
    if (i >= r->header.section_count) return 0;
    const mni_disk_section *e = &r->sections[i];
    memcpy(tag, e->tag, 4);
    tag[4] = '\0';
    *out = (mni_section){ r->bytes + e->at, e->n_bytes,
                          e->n_bytes / mni_dtype_bytes((mni_dtype)e->dtype),
                          (mni_dtype)e->dtype };
    return 1;
}

int mni_reader_find(const mni_reader *r, const char tag[4], mni_section *out)
{
    char found[5];
    for (uint32_t i = 0; mni_reader_at(r, i, found, out); i++)
        if (memcmp(found, tag, 4) == 0) return 1;
    *out = (mni_section){ 0 };
    return 0;
}

mann_status mni_reader_need(const mni_reader *r, const char tag[4], mni_dtype dtype,
                            uint64_t count, mni_section *out, mann_error *err)
{
    if (!mni_reader_find(r, tag, out))
        return mni_fail(err, MANN_E_FORMAT, "%s: has no section %.4s", r->name, tag);
    if (out->dtype != dtype)
        return mni_fail(err, MANN_E_FORMAT, "%s: section %.4s has dtype %u, wanted %u",
                        r->name, tag, (unsigned)out->dtype, (unsigned)dtype);
    if (count != UINT64_MAX && out->count != count)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: section %.4s has %llu items, wanted %llu", r->name, tag,
                        (ull)out->count, (ull)count);
    return MANN_OK;
}
