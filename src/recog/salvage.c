/* salvage.c - a gallery whose header or table is lost, or whose end: read by what META
 * says.
 *
 *   header | META | RECS ... VECS                      cut here: the rows before it
 *      ?      ok    \_ places follow from META
 *   header | META | RECS ... VECS | maps ... | MET2    header and META lost: MET2 is
 *      ?      ?                                 ok     looked for, at every 64th byte
 *
 * What stands behind the vectors has no place that is known; the model is found by its
 * own header, since it is a whole file. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "recog/meta.h"
#include "recog/salvage.h"
#include "store/disk.h"

/* A sound header that says something else than "a gallery of this version" is believed:
 * the file is not damaged but another. */
static int is_another_file(const uint8_t *bytes, size_t n)
{
    mni_disk_header h;
    if (n < sizeof h) return 0;
    memcpy(&h, bytes, sizeof h);
    return memcmp(h.magic, MNI_DISK_MAGIC, sizeof h.magic) == 0 &&
           mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc)) == h.header_crc &&
           (h.version != MNI_DISK_VERSION || h.features & ~MNI_DISK_FEATURES ||
            h.kind != MNI_FILE_GALLERY);
}

static int find_meta(mni_meta *m, const uint8_t *bytes, size_t n, const char *name)
{
    for (size_t at = sizeof(mni_disk_header); at + MNI_META_BYTES <= n;
         at += MNI_ALIGN_SECTION)
        if (mni_meta_sound(bytes + at) &&
            mni_meta_decode(m, bytes + at, name, NULL) == MANN_OK)
            return 1;
    return 0;
}

/* The model inside: a whole file at the begin of a page. */
static int find_model(mni_placed *out, const uint8_t *bytes, size_t n, uint64_t from)
{
    for (uint64_t at = mni_disk_round(from, MNI_ALIGN_PAGE);
         at + sizeof(mni_disk_header) <= n; at += MNI_ALIGN_PAGE) {
        mni_disk_header h;
        mni_reader *r;
        memcpy(&h, bytes + at, sizeof h);
        if (memcmp(h.magic, MNI_DISK_MAGIC, sizeof h.magic) != 0 ||
            h.kind != MNI_FILE_MODEL || h.file_size > n - at ||
            mni_reader_open_bytes(&r, bytes + at, (size_t)h.file_size, "model",
                                  MNI_READ_VERIFY, NULL) != MANN_OK)
            continue;
        mni_reader_free(r);
        *out = (mni_placed){ "MODL", MNI_BYTES, MNI_ALIGN_PAGE, at, h.file_size };
        return 1;
    }
    return 0;
}

/* Only rows whose vector is there as a whole go on; `places` shrink to them. */
static mann_status cut_rows(mni_salvaged *s, mni_placed *places, uint32_t n_places,
                            mann_error *err)
{
    const mni_placed *vectors = &places[n_places - 1];
    const uint64_t n = s->meta.n_rows, row_bytes = n ? vectors->n_bytes / n : 1;
    const uint64_t room = vectors->at < s->n_bytes ? s->n_bytes - vectors->at : 0;
    const uint64_t whole = room / row_bytes < n ? room / row_bytes : n;
    if (s->meta.heap_bytes > s->n_bytes || s->meta.names_bytes > s->n_bytes ||
        (n && !whole) || vectors->at > s->n_bytes)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: ends before its first vector: no record in it is whole, "
                        "restore a snapshot",
                        s->name);
    for (uint32_t i = 0; i < n_places && n; i++)
        if (memcmp(places[i].tag, "RECS", 4) == 0 ||
            memcmp(places[i].tag, "VSCL", 4) == 0 ||
            memcmp(places[i].tag, "VECS", 4) == 0)
            places[i].n_bytes = places[i].n_bytes / n * whole;
    s->n_cut = n - whole;
    s->meta.n_rows = whole;
    return MANN_OK;
}

static mann_status place_all(mni_salvaged *s, mann_error *err)
{
    mni_placed places[MNI_MOST_PLACES + 1];
    uint32_t n = mni_meta_places(&s->meta, places);
    const uint64_t end = places[n - 1].at + places[n - 1].n_bytes;
    MNI_TRY(cut_rows(s, places, n, err));
    if (s->meta.embedded_model && find_model(&places[n], s->bytes, s->n_bytes, end)) n++;
    return mni_reader_place(&s->reader, s->bytes, s->n_bytes, s->name, MNI_FILE_GALLERY,
                            s->meta.uuid, s->meta.generation, places, n, err);
}

mann_status mni_salvage(mni_salvaged *s, const mni_vfs *v, const char *path,
                        mann_error *err)
{
    const mann_error before = *err;
    *s = (mni_salvaged){ .name = path };
    MNI_TRY(mni_read_file(v, path, UINT64_MAX / 2, &s->bytes, &s->n_bytes, err));
    mann_status status;
    if (is_another_file(s->bytes, s->n_bytes) ||
        !find_meta(&s->meta, s->bytes, s->n_bytes, s->name)) {
        *err = before;
        status = before.code;
    } else {
        status = place_all(s, err);
    }
    if (status == MANN_OK) return MANN_OK;
    mni_free(s->bytes);
    s->bytes = NULL;
    return status;
}
