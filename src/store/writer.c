/* writer.c - makes a container, front to back. See container.h, disk.h and README.md of
 * this folder.
 *
 * Sections stream through: what is kept is one table entry per section and one checksum
 * per 64 KiB. Equal calls give equal bytes: padding is zero and nothing of the clock goes
 * in. SPDX-License-Identifier: MIT */
#include "store/container.h"

#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/sink.h"

struct mni_writer {
    mni_sink sink;
    mni_disk_header header;
    mni_disk_section *sections;
    size_t n_sections, sections_cap;
    uint32_t *sums;             /* of all sections, in order */
    size_t n_sums, sums_cap;
    int in_section;
    uint32_t crc;               /* of the chunk that is being filled ... */
    size_t n_chunk;             /* ... with so many bytes so far */
};

static mann_status new_writer(mni_writer **out, mni_file_is kind, mni_uuid uuid,
                              uint64_t generation, const char *name, mann_error *err)
{
    *out = NULL;
    MNI_TRY(mni_disk_machine_ok(name, err));
    mni_writer *w = mni_alloc(1, sizeof *w);
    if (!w) return mni_fail(err, MANN_E_NOMEM, "%s: writer", name);
    w->header = (mni_disk_header){ .magic = MNI_DISK_MAGIC, .version = MNI_DISK_VERSION,
                                   .kind = (uint32_t)kind, .generation = generation };
    memcpy(w->header.uuid, uuid.bytes, sizeof uuid.bytes);
    *out = w;
    return MANN_OK;
}

/* The header is known last; its place is held by zeros, so that no half-written file
 * looks whole. */
static void hold_header(mni_writer *w)
{
    static const uint8_t zeros[sizeof w->header];
    mni_sink_put(&w->sink, zeros, sizeof zeros);
}

mann_status mni_writer_new(mni_writer **out, const mni_vfs *v, const char *path,
                           mni_file_is kind, mni_uuid uuid, uint64_t generation,
                           mann_error *err)
{
    mni_writer *w;
    *out = NULL;
    MNI_TRY(new_writer(&w, kind, uuid, generation, path, err));
    mann_status s = mni_sink_open(&w->sink, v, path, err);
    if (s != MANN_OK) { mni_free(w); return s; }
    hold_header(w);
    *out = w;
    return MANN_OK;
}

mann_status mni_writer_new_buf(mni_writer **out, mni_buf *buf, mni_file_is kind,
                               mni_uuid uuid, uint64_t generation, mann_error *err)
{
    MNI_TRY(new_writer(out, kind, uuid, generation, "file in memory", err));
    mni_sink_open_buf(&(*out)->sink, buf);
    hold_header(*out);
    return MANN_OK;
}

static int tag_is_printable(const char tag[4])
{
    for (int i = 0; i < 4; i++)
        if (tag[i] < 0x20 || tag[i] > 0x7E) return 0;
    return 1;
}

/* What a reader would refuse is refused here, where the bug is. */
static int may_begin(mni_writer *w, const char tag[4], mni_dtype dtype, uint32_t align)
{
    mni_sink *s = &w->sink;
    if (w->in_section)
        mni_sink_fail(s, MANN_E_ARG, "section %.4s begins inside another", tag);
    else if (!tag_is_printable(tag))
        mni_sink_fail(s, MANN_E_ARG, "tag of a section is not 4 printable letters");
    else if (mni_dtype_bytes(dtype) == 0)
        mni_sink_fail(s, MANN_E_ARG, "section %.4s: unknown dtype %u", tag,
                      (unsigned)dtype);
    else if (align != MNI_ALIGN_SECTION && align != MNI_ALIGN_PAGE)
        mni_sink_fail(s, MANN_E_ARG, "section %.4s: alignment %u, wanted 64 or 4096", tag,
                      (unsigned)align);
    else if (w->n_sections == MNI_DISK_MAX_SECTIONS)
        mni_sink_fail(s, MANN_E_LIMIT, "section %.4s: a file has at most %d", tag,
                      MNI_DISK_MAX_SECTIONS);
    else
        for (size_t i = 0; i < w->n_sections; i++)
            if (memcmp(w->sections[i].tag, tag, 4) == 0)
                mni_sink_fail(s, MANN_E_ARG, "section %.4s is there twice", tag);
    return s->status == MANN_OK;
}

void mni_writer_begin(mni_writer *w, const char tag[4], mni_dtype dtype, uint32_t align)
{
    if (w->sink.status != MANN_OK || !may_begin(w, tag, dtype, align)) return;
    if (!mni_grow((void **)&w->sections, &w->sections_cap, w->n_sections + 1,
                  sizeof *w->sections)) {
        mni_sink_fail(&w->sink, MANN_E_NOMEM, "table of sections");
        return;
    }
    mni_sink_pad(&w->sink, align);
    mni_disk_section *e = &w->sections[w->n_sections++];
    *e = (mni_disk_section){ .dtype = (uint32_t)dtype, .align = align, .at = w->sink.at };
    memcpy(e->tag, tag, 4);
    w->in_section = 1;
    w->crc = 0;
    w->n_chunk = 0;
}

static void end_chunk(mni_writer *w)
{
    if (mni_grow((void **)&w->sums, &w->sums_cap, w->n_sums + 1, sizeof *w->sums))
        w->sums[w->n_sums++] = w->crc;
    else
        mni_sink_fail(&w->sink, MANN_E_NOMEM, "%llu checksums",
                      (unsigned long long)w->n_sums + 1);
    w->crc = 0;
    w->n_chunk = 0;
}

void mni_writer_put(mni_writer *w, const void *bytes, size_t n_bytes)
{
    if (!w->in_section) mni_sink_fail(&w->sink, MANN_E_ARG, "bytes outside of a section");
    if (w->sink.status != MANN_OK) return;
    /* chunk by chunk: what the checksum has just read is still near when it is written */
    for (const uint8_t *p = bytes; n_bytes;) {
        size_t room = MNI_DISK_CHUNK - w->n_chunk, step = n_bytes < room ? n_bytes : room;
        w->crc = mni_crc32c(w->crc, p, step);
        mni_sink_put(&w->sink, p, step);
        w->n_chunk += step;
        if (w->n_chunk == MNI_DISK_CHUNK) end_chunk(w);
        p += step;
        n_bytes -= step;
    }
}

void mni_writer_end(mni_writer *w)
{
    if (!w->in_section)
        mni_sink_fail(&w->sink, MANN_E_ARG, "end of a section that was not begun");
    if (w->sink.status != MANN_OK) return;
    if (w->n_chunk) end_chunk(w);
    mni_disk_section *e = &w->sections[w->n_sections - 1];
    e->n_bytes = w->sink.at - e->at;
    w->in_section = 0;
    if (e->n_bytes % mni_dtype_bytes((mni_dtype)e->dtype) != 0)
        mni_sink_fail(&w->sink, MANN_E_ARG,
                      "section %.4s: %llu bytes are not whole items", e->tag,
                      (unsigned long long)e->n_bytes);
}

void mni_writer_section(mni_writer *w, const char tag[4], mni_dtype dtype, uint32_t align,
                        const void *bytes, size_t n_bytes)
{
    mni_writer_begin(w, tag, dtype, align);
    mni_writer_put(w, bytes, n_bytes);
    mni_writer_end(w);
}

void mni_writer_identify(mni_writer *w, mni_uuid uuid)
{
    memcpy(w->header.uuid, uuid.bytes, sizeof uuid.bytes);
}

/* Checksums, then the table that points to them, then the header that stands before
 * all. */
static void put_tail(mni_writer *w)
{
    mni_sink *s = &w->sink;
    mni_sink_pad(s, MNI_ALIGN_SECTION);
    const uint32_t *sums = w->sums;
    for (size_t i = 0; i < w->n_sections; i++) {
        mni_disk_section *e = &w->sections[i];
        size_t n = (size_t)mni_disk_n_sums(e->n_bytes);
        e->sums_at = s->at;
        e->sums_crc = mni_crc32c(0, sums, n * sizeof *sums);
        mni_sink_put(s, sums, n * sizeof *sums);
        sums = n ? sums + n : sums;
    }
    mni_sink_pad(s, MNI_ALIGN_SECTION);
    size_t table_bytes = w->n_sections * sizeof *w->sections;
    mni_sink_put(s, w->sections, table_bytes);

    mni_disk_header *h = &w->header;
    h->file_size = s->at;
    h->section_count = (uint32_t)w->n_sections;
    h->section_crc = mni_crc32c(0, w->sections, table_bytes);
    h->header_crc = mni_crc32c(0, h, offsetof(mni_disk_header, header_crc));
    mni_sink_patch(s, h, sizeof *h, 0);
}

static void release(mni_writer *w)
{
    mni_free(w->sections);
    mni_free(w->sums);
    mni_free(w);
}

mann_status mni_writer_finish(mni_writer *w, mann_error *err)
{
    if (w->in_section) mni_sink_fail(&w->sink, MANN_E_ARG, "file ends inside a section");
    if (w->sink.status == MANN_OK) put_tail(w);
    mann_status s = mni_sink_finish(&w->sink, err);
    release(w);
    return s;
}

void mni_writer_abort(mni_writer *w)
{
    if (!w) return;
    mni_sink_abort(&w->sink);
    release(w);
}
