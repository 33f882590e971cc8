/* model.c - the model object: an architecture, its parameters, its attachments, and how they travel.
 * See model.h. Sections of a model file:
 *
 *   ARCH  bytes   u32 dim, u32 input size, u32 input channels, u32 0, name (64 bytes, zero-padded)
 *   ATTA  bytes   attachments one after another: tag (4 letters), u32 0, u64 length, bytes
 *
 * SPDX-License-Identifier: MIT */
#include "nn/model.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "nn/pixels.h"

enum { ARCH_BYTES = 80, NAME_BYTES = 64, MAX_ATTACHMENTS = 16, MAX_ATTACHED_BYTES = 1 << 24 };

typedef struct attachment {
    char tag[4];
    uint8_t *bytes;
    size_t n_bytes;
} attachment;

struct mann_model {
    char architecture[NAME_BYTES];
    uint32_t dim, input_size, input_channels;
    attachment attached[MAX_ATTACHMENTS];
    uint32_t n_attached;
};

mann_status mni_model_new(mni_model **out, const char *architecture, uint32_t dim, uint64_t seed,
                          mann_error *err)
{
    (void)seed;                                 /* nothing to draw: pixels has no weights */
    *out = NULL;
    if (strcmp(architecture, "pixels") != 0)
        return mni_fail(err, MANN_E_UNSUPPORTED, "model: architecture \"%s\" is not known; known: pixels",
                        architecture);
    if (dim != 0 && dim != MNI_PIXELS_DIM)
        return mni_fail(err, MANN_E_ARG, "model: pixels has %d dimensions, not %u", MNI_PIXELS_DIM,
                        (unsigned)dim);
    mni_model *m = mni_alloc(1, sizeof *m);
    if (!m) return mni_fail(err, MANN_E_NOMEM, "model: %s", architecture);
    memcpy(m->architecture, "pixels", sizeof "pixels");
    m->dim = MNI_PIXELS_DIM;
    m->input_size = MNI_PIXELS_SIDE;
    m->input_channels = 3;
    *out = m;
    return MANN_OK;
}

void mni_model_free(mni_model *m)
{
    if (!m) return;
    for (uint32_t i = 0; i < m->n_attached; i++) mni_free(m->attached[i].bytes);
    mni_free(m);
}

mni_model_shape mni_model_shape_of(const mni_model *m)
{
    return (mni_model_shape){ m->architecture, m->dim, m->input_size, m->input_channels, 0 };
}

mann_status mni_model_forward(const mni_model *m, const float *input, size_t n, mni_pool *pool,
                              float *out, mann_error *err)
{
    (void)m; (void)err;
    mni_pixels_forward(input, n, pool, out);
    return MANN_OK;
}

/* --- attachments --------------------------------------------------------------------------------------- */

static attachment *find_attached(const mni_model *m, const char tag[4])
{
    for (uint32_t i = 0; i < m->n_attached; i++)
        if (memcmp(m->attached[i].tag, tag, 4) == 0) return (attachment *)&m->attached[i];
    return NULL;
}

static void drop_attached(mni_model *m, attachment *a)
{
    mni_free(a->bytes);
    *a = m->attached[--m->n_attached];
}

mann_status mni_model_attach(mni_model *m, const char tag[4], const void *bytes, size_t n_bytes,
                             mann_error *err)
{
    attachment *a = find_attached(m, tag);
    if (n_bytes == 0) {
        if (a) drop_attached(m, a);
        return MANN_OK;
    }
    uint8_t *copy = mni_memdup(bytes, n_bytes);
    if (!copy) return mni_fail(err, MANN_E_NOMEM, "model: attachment of %zu bytes", n_bytes);
    if (!a) {
        if (m->n_attached == MAX_ATTACHMENTS) {
            mni_free(copy);
            return mni_fail(err, MANN_E_LIMIT, "model: more than %d attachments", MAX_ATTACHMENTS);
        }
        a = &m->attached[m->n_attached++];
        memcpy(a->tag, tag, 4);
    }
    mni_free(a->bytes);
    a->bytes = copy;
    a->n_bytes = n_bytes;
    return MANN_OK;
}

const void *mni_model_attached(const mni_model *m, const char tag[4], size_t *n_bytes)
{
    const attachment *a = find_attached(m, tag);
    *n_bytes = a ? a->n_bytes : 0;
    return a ? a->bytes : NULL;
}

/* --- files ------------------------------------------------------------------------------------------------ */

static void encode_arch(const mni_model *m, uint8_t out[ARCH_BYTES])
{
    memset(out, 0, ARCH_BYTES);
    mni_put32(out, m->dim);
    mni_put32(out + 4, m->input_size);
    mni_put32(out + 8, m->input_channels);
    memcpy(out + 16, m->architecture, NAME_BYTES);
}

uint64_t mni_model_fingerprint(const mni_model *m)
{
    uint8_t arch[ARCH_BYTES];
    size_t n_bytes;
    encode_arch(m, arch);
    uint64_t h = mni_hash_bytes(arch, sizeof arch, 0);
    const void *prep = mni_model_attached(m, "PREP", &n_bytes);
    return mni_hash_bytes(prep, n_bytes, h);
}

void mni_model_write(const mni_model *m, mni_writer *w)
{
    uint8_t arch[ARCH_BYTES];
    encode_arch(m, arch);
    mni_writer_section(w, "ARCH", MNI_BYTES, MNI_ALIGN_SECTION, arch, sizeof arch);
    mni_writer_begin(w, "ATTA", MNI_BYTES, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < m->n_attached; i++) {
        uint8_t head[16] = { 0 };
        memcpy(head, m->attached[i].tag, 4);
        mni_put64(head + 8, m->attached[i].n_bytes);
        mni_writer_put(w, head, sizeof head);
        mni_writer_put(w, m->attached[i].bytes, m->attached[i].n_bytes);
    }
    mni_writer_end(w);
}

static mann_status read_attachments(mni_model *m, const mni_reader *r, mann_error *err)
{
    mni_section s;
    MNI_TRY(mni_reader_need(r, "ATTA", MNI_BYTES, UINT64_MAX, &s, err));
    mni_cursor c = mni_cursor_of(s.data, (size_t)s.n_bytes);
    while (mni_cursor_left(&c)) {
        const uint8_t *head = mni_cursor_take(&c, 16);
        uint64_t n = head ? mni_get64(head + 8) : 0;
        const uint8_t *bytes = n <= MAX_ATTACHED_BYTES ? mni_cursor_take(&c, (size_t)n) : NULL;
        if (!bytes || n == 0)
            return mni_fail(err, MANN_E_FORMAT, "%s: model attachment of %llu bytes does not fit",
                            mni_reader_name(r), (unsigned long long)n);
        MNI_TRY(mni_model_attach(m, (const char *)head, bytes, (size_t)n, err));
    }
    return MANN_OK;
}

mann_status mni_model_read(mni_model **out, const mni_reader *r, mann_error *err)
{
    mni_section s;
    char name[NAME_BYTES + 1] = "";
    *out = NULL;
    if (mni_reader_kind(r) != MNI_FILE_MODEL)
        return mni_fail(err, MANN_E_FORMAT, "%s: is not a model", mni_reader_name(r));
    MNI_TRY(mni_reader_need(r, "ARCH", MNI_BYTES, ARCH_BYTES, &s, err));
    memcpy(name, (const uint8_t *)s.data + 16, NAME_BYTES);
    mni_model *m;
    mann_status status = mni_model_new(&m, name, mni_get32(s.data), 0, err);
    if (status != MANN_OK) return mni_fail_prefix(err, status, "%s", mni_reader_name(r));
    uint8_t arch[ARCH_BYTES];
    encode_arch(m, arch);
    if (memcmp(arch, s.data, ARCH_BYTES) != 0)
        status = mni_fail(err, MANN_E_FORMAT, "%s: the sizes of model %s are not its own",
                          mni_reader_name(r), m->architecture);
    if (status == MANN_OK) status = read_attachments(m, r, err);
    if (status != MANN_OK) { mni_model_free(m); return status; }
    *out = m;
    return MANN_OK;
}

mann_status mni_model_save(const mni_model *m, const mni_vfs *v, const char *path, mann_error *err)
{
    mni_writer *w;
    uint64_t print = mni_model_fingerprint(m);
    MNI_TRY(mni_writer_new(&w, v, path, MNI_FILE_MODEL, mni_uuid_from(0, print), 0, err));
    mni_model_write(m, w);
    return mni_writer_finish(w, err);
}

mann_status mni_model_open(mni_model **out, const mni_vfs *v, const char *path, mann_error *err)
{
    mni_reader *r;
    *out = NULL;
    MNI_TRY(mni_reader_open(&r, v, path, 0, err));
    mann_status s = mni_model_read(out, r, err);
    mni_reader_free(r);
    return s;
}
