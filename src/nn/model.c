/* model.c - the model object: an architecture, its parameters, its attachments, and how
 * they travel. See model.h. Sections of a model file:
 *
 *   ARCH  bytes     u32 dim, u32 input size, u32 input channels, u32 0, name (64 bytes,
 *                   zero-padded)
 *   RNET  u32       a ResNet's description: the fields of mni_resnet_config in order
 *   WGHT  f32|f16   its parameters, in the order of mni_resnet_each_param
 *   STAT  f32       running mean and var of its norms, in the order of
 *                   mni_resnet_each_stat
 *   ATTA  bytes     attachments one after another: tag (4 letters), u32 0, u64 length,
 *                   bytes. Two are the model's own: "PREC", u32 mni_precision (absent:
 *                   f32), and "RANG", u64 hash of the weights that were measured and f32
 *                   of mni_low_n_ranges. The others' are laid out where they are made:
 *                   "PREP" image/prep.c, "CALB" eval/calib_use.c, "VALI" train/loop.c,
 *                   "GOLD" api/golden.c
 *
 * pixels has neither RNET nor WGHT nor STAT.
 *
 * SPDX-License-Identifier: MIT */
#include "nn/model.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "nn/model_parts.h"
#include "nn/pixels.h"

enum { ARCH_BYTES = 80, NAME_BYTES = MNI_MODEL_NAME_BYTES, MAX_ATTACHED_BYTES = 1 << 24 };
enum { MAX_ATTACHMENTS = MNI_MODEL_ATTACHMENTS };
enum { RNET_FIELDS = sizeof(mni_resnet_config) / 4, PIECE = 4096 };

/* --- making ------------------------------------------------------------------------- */

static mann_status new_pixels(mni_model **out, uint32_t dim, mann_error *err)
{
    if (dim != 0 && dim != MNI_PIXELS_DIM)
        return mni_fail(err, MANN_E_ARG, "model: pixels has %d dimensions, not %u",
                        MNI_PIXELS_DIM, (unsigned)dim);
    mni_model *m = mni_alloc(1, sizeof *m);
    if (!m) return mni_fail(err, MANN_E_NOMEM, "model: pixels");
    memcpy(m->architecture, "pixels", sizeof "pixels");
    m->dim = MNI_PIXELS_DIM;
    m->input_size = MNI_PIXELS_SIDE;
    m->input_channels = 3;
    *out = m;
    return MANN_OK;
}

/* Everything but the weights, which are 0. */
static mann_status new_empty_resnet(mni_model **out, const char *name,
                                    const mni_resnet_config *c, mann_error *err)
{
    *out = NULL;
    MNI_TRY(mni_resnet_check(c, err));
    if (strlen(name) >= NAME_BYTES)
        return mni_fail(err, MANN_E_ARG, "model: name of %zu bytes, wanted at most %d",
                        strlen(name), NAME_BYTES - 1);
    mni_model *m = mni_alloc(1, sizeof *m);
    if (!m) return mni_fail(err, MANN_E_NOMEM, "model: %s", name);
    memcpy(m->architecture, name, strlen(name) + 1);
    m->is_resnet = 1;
    m->config = mni_resnet_clean(c);
    m->dim = mni_resnet_dim(c);
    m->input_size = c->input_size;
    m->input_channels = c->input_channels;
    m->n_params = mni_resnet_n_params(c);
    m->n_stats = mni_resnet_n_stats(c);
    m->store = MNI_F32;
    m->params = mni_alloc_aligned(m->n_params, sizeof *m->params, 1);
    m->stats = mni_alloc_aligned(m->n_stats, sizeof *m->stats, 1);
    mann_status s = MANN_OK;
    if (!m->params || !m->stats)
        s = mni_fail(err, MANN_E_NOMEM, "model: %s of %zu parameters", name, m->n_params);
    if (s == MANN_OK) s = mni_infer_init(&m->infer, &m->config, err);
    if (s != MANN_OK) { mni_model_free(m); return s; }
    *out = m;
    return MANN_OK;
}

/* After every change of params or stats. */
static void weights_changed(mni_model *m)
{
    if (m->store == MNI_F16)
        for (size_t i = 0; i < m->n_params; i++)
            m->params[i] = mni_f32_from_f16(mni_f16_from_f32(m->params[i]));
    mni_infer_fold(&m->infer, m->params, m->stats);
    m->weights_hash = mni_hash_bytes(m->params, m->n_params * sizeof *m->params, 0);
    m->weights_hash = mni_hash_bytes(m->stats, m->n_stats * sizeof *m->stats,
                                     m->weights_hash);
}

mann_status mni_model_new_resnet(mni_model **out, const char *name,
                                 const mni_resnet_config *c, uint64_t seed,
                                 mann_error *err)
{
    MNI_TRY(new_empty_resnet(out, name, c, err));
    mni_resnet_init(c, seed, (*out)->params, (*out)->stats);
    weights_changed(*out);
    return MANN_OK;
}

mann_status mni_model_new(mni_model **out, const char *architecture, uint32_t dim,
                          uint64_t seed, mann_error *err)
{
    char name[NAME_BYTES];
    mni_resnet_config c;
    *out = NULL;
    if (strcmp(architecture, "pixels") == 0) return new_pixels(out, dim, err);
    const size_t n = strcspn(architecture, "@");
    if (n < sizeof name) {
        memcpy(name, architecture, n);
        name[n] = '\0';
    }
    if (n >= sizeof name || !mni_resnet_preset(&c, name))
        return mni_fail(
            err, MANN_E_UNSUPPORTED,
            "model: architecture \"%s\" is not known; known: pixels, "
            "micro, mini, small, resnet18, resnet34, resnet50, and mini@32 for another "
            "size",
            architecture);
    uint64_t size = c.input_size;
    if (architecture[n] == '@' &&
        (!mni_parse_u64(architecture + n + 1, &size) || size > UINT32_MAX))
        return mni_fail(err, MANN_E_ARG, "model: \"%s\" has no size behind its @",
                        architecture);
    c.input_size = (uint32_t)size;
    if (dim) c.dim = dim;
    return mni_model_new_resnet(out, name, &c, seed, err);
}

void mni_model_free(mni_model *m)
{
    if (!m) return;
    for (uint32_t i = 0; i < m->n_attached; i++) mni_free(m->attached[i].bytes);
    mni_infer_fini(&m->infer);
    mni_model_drop_low(m);
    mni_free(m->params);
    mni_free(m->stats);
    mni_free(m);
}

mni_model_shape mni_model_shape_of(const mni_model *m)
{
    return (mni_model_shape){ m->architecture, m->dim, m->input_size, m->input_channels,
                              m->n_params };
}

mann_status mni_model_forward(const mni_model *m, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err)
{
    if (m->low) return mni_low_forward(m->low, input, n, pool, out, err);
    return mni_model_forward_f32(m, input, n, pool, out, err);
}

mann_status mni_model_forward_f32(const mni_model *m, const float *input, size_t n,
                                  mni_pool *pool, float *out, mann_error *err)
{
    if (m->is_resnet) return mni_infer_forward(&m->infer, input, n, pool, out, err);
    mni_pixels_forward(input, n, pool, out);
    return MANN_OK;
}

size_t mni_model_bytes(const mni_model *m, size_t n, size_t threads)
{
    if (!m->is_resnet) return 0;
    return (m->n_params + m->n_stats + m->infer.packed_floats) * sizeof(float) +
           (n ? mni_infer_work_bytes(&m->infer, n, threads) : 0);
}

/* --- weights ------------------------------------------------------------------------ */

const mni_resnet_config *mni_model_resnet(const mni_model *m)
{
    return m->is_resnet ? &m->config : NULL;
}
const float *mni_model_params(const mni_model *m) { return m->params; }
const float *mni_model_stats(const mni_model *m) { return m->stats; }

/* Weights that are to be kept as f16 must not become infinite by it. */
static mann_status fits(const mni_model *m, const float *params, mni_dtype dtype,
                        mann_error *err)
{
    if (!m->is_resnet)
        return mni_fail(err, MANN_E_ARG, "model: %s has no weights", m->architecture);
    for (size_t i = 0; dtype == MNI_F16 && i < m->n_params; i++)
        if (!(fabsf(params[i]) <= 65504.0f))
            return mni_fail(err, MANN_E_LIMIT,
                            "model: weight %zu is %g, an f16 ends at 65504", i,
                            (double)params[i]);
    return MANN_OK;
}

mann_status mni_model_set_weights(mni_model *m, const float *params, const float *stats,
                                  mann_error *err)
{
    MNI_TRY(fits(m, params, m->store, err));
    memcpy(m->params, params, m->n_params * sizeof *params);
    memcpy(m->stats, stats, m->n_stats * sizeof *stats);
    weights_changed(m);
    return mni_model_set_precision(m, MNI_PRECISION_F32, err);
}

mann_status mni_model_store_as(mni_model *m, mni_dtype dtype, mann_error *err)
{
    if (dtype != MNI_F32 && dtype != MNI_F16)
        return mni_fail(err, MANN_E_ARG, "model: weights as dtype %d, wanted f32 or f16",
                        (int)dtype);
    MNI_TRY(fits(m, m->params, dtype, err));
    const int measured = mni_model_measured(m);
    m->store = dtype;
    weights_changed(m);
    if (measured) mni_model_keep_ranges(m);
    return mni_model_set_precision(m, mni_model_precision(m), err); /* packs them anew */
}

/* --- attachments -------------------------------------------------------------------- */

static mni_attachment *find_attached(const mni_model *m, const char tag[4])
{
    for (uint32_t i = 0; i < m->n_attached; i++)
        if (memcmp(m->attached[i].tag, tag, 4) == 0)
            return (mni_attachment *)&m->attached[i];
    return NULL;
}

static void drop_attached(mni_model *m, mni_attachment *a)
{
    mni_attachment *last = &m->attached[--m->n_attached];
    mni_free(a->bytes);
    *a = *last;
    *last = (mni_attachment){ .bytes = NULL }; /* attach frees what its place holds */
}

mann_status mni_model_attach(mni_model *m, const char tag[4], const void *bytes,
                             size_t n_bytes, mann_error *err)
{
    mni_attachment *a = find_attached(m, tag);
    if (n_bytes == 0) {
        if (a) drop_attached(m, a);
        return MANN_OK;
    }
    uint8_t *copy = mni_memdup(bytes, n_bytes);
    if (!copy)
        return mni_fail(err, MANN_E_NOMEM, "model: attachment of %zu bytes", n_bytes);
    if (!a) {
        if (m->n_attached == MAX_ATTACHMENTS) {
            mni_free(copy);
            return mni_fail(err, MANN_E_LIMIT, "model: more than %d attachments",
                            MAX_ATTACHMENTS);
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
    const mni_attachment *a = find_attached(m, tag);
    *n_bytes = a ? a->n_bytes : 0;
    return a ? a->bytes : NULL;
}

/* --- files -------------------------------------------------------------------------- */

static void encode_arch(const mni_model *m, uint8_t out[ARCH_BYTES])
{
    memset(out, 0, ARCH_BYTES);
    mni_put32(out, m->dim);
    mni_put32(out + 4, m->input_size);
    mni_put32(out + 8, m->input_channels);
    memcpy(out + 16, m->architecture, NAME_BYTES);
}

static void encode_rnet(const mni_resnet_config *c, uint8_t out[RNET_FIELDS * 4])
{
    uint32_t fields[RNET_FIELDS];
    memcpy(fields, c, sizeof fields);
    for (size_t i = 0; i < RNET_FIELDS; i++) mni_put32(out + 4 * i, fields[i]);
}

static mni_resnet_config decode_rnet(const void *bytes)
{
    mni_resnet_config c;
    uint32_t fields[RNET_FIELDS];
    for (size_t i = 0; i < RNET_FIELDS; i++)
        fields[i] = mni_get32((const uint8_t *)bytes + 4 * i);
    memcpy(&c, fields, sizeof c);
    return c;
}

uint64_t mni_model_fingerprint(const mni_model *m)
{
    uint8_t arch[ARCH_BYTES];
    size_t n_bytes;
    encode_arch(m, arch);
    uint64_t h = mni_hash_bytes(arch, sizeof arch, 0);
    if (m->is_resnet) {
        uint8_t rnet[RNET_FIELDS * 4];
        encode_rnet(&m->config, rnet);
        h = mni_hash_bytes(rnet, sizeof rnet, h ^ m->weights_hash);
    }
    const void *prep = mni_model_attached(m, "PREP", &n_bytes);
    h = mni_hash_bytes(prep, n_bytes, h);
    if (!m->low) return h;
    const void *part = mni_model_attached(m, "PREC", &n_bytes);
    h = mni_hash_bytes(part, n_bytes, h);
    if (m->low->precision != MNI_PRECISION_INT8) return h;
    part = mni_model_attached(m, "RANG", &n_bytes);
    return mni_hash_bytes(part, n_bytes, h);
}

static void write_weights(const mni_model *m, mni_writer *w)
{
    uint8_t rnet[RNET_FIELDS * 4];
    uint16_t piece[PIECE];
    encode_rnet(&m->config, rnet);
    mni_writer_section(w, "RNET", MNI_U32, MNI_ALIGN_SECTION, rnet, sizeof rnet);
    mni_writer_begin(w, "WGHT", m->store, MNI_ALIGN_SECTION);
    for (size_t at = 0; m->store == MNI_F16 && at < m->n_params; at += PIECE) {
        const size_t n = m->n_params - at < PIECE ? m->n_params - at : PIECE;
        for (size_t i = 0; i < n; i++) piece[i] = mni_f16_from_f32(m->params[at + i]);
        mni_writer_put(w, piece, n * sizeof *piece);
    }
    if (m->store == MNI_F32)
        mni_writer_put(w, m->params, m->n_params * sizeof *m->params);
    mni_writer_end(w);
    mni_writer_section(w, "STAT", MNI_F32, MNI_ALIGN_SECTION, m->stats,
                       m->n_stats * sizeof *m->stats);
}

void mni_model_write(const mni_model *m, mni_writer *w)
{
    uint8_t arch[ARCH_BYTES];
    encode_arch(m, arch);
    mni_writer_section(w, "ARCH", MNI_BYTES, MNI_ALIGN_SECTION, arch, sizeof arch);
    if (m->is_resnet) write_weights(m, w);
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
        const uint8_t *bytes = n <= MAX_ATTACHED_BYTES ? mni_cursor_take(&c, (size_t)n)
                                                       : NULL;
        if (!bytes || n == 0)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: model attachment of %llu bytes does not fit",
                            mni_reader_name(r), (unsigned long long)n);
        MNI_TRY(mni_model_attach(m, (const char *)head, bytes, (size_t)n, err));
    }
    return MANN_OK;
}

static void check_stat(void *ctx, const mni_param *p)
{
    float **stats = ctx;                /* set to NULL when one is bad */
    for (size_t i = 0; *stats && i < p->count; i++) {
        const float v = (*stats)[p->at + i];
        if (!isfinite(v) || (p->role == MNI_NORM_VAR && v < 0)) *stats = NULL;
    }
}

static mann_status bad_weights(const mni_reader *r, mann_error *err)
{
    return mni_fail(err, MANN_E_FORMAT,
                    "%s: a weight of the model is not a finite number",
                    mni_reader_name(r));
}

/* The sections' lengths are compared with the description before anything is allocated by
 * it. */
static mann_status read_resnet(mni_model **out, const char *name, const mni_section *rnet,
                               const mni_reader *r, mann_error *err)
{
    const mni_resnet_config c = decode_rnet(rnet->data);
    mni_section w, stats;
    mann_status s = mni_resnet_check(&c, err);
    if (s != MANN_OK)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: the model's description is not a network",
                        mni_reader_name(r));
    if (!mni_reader_find(r, "WGHT", &w) || w.dtype != MNI_F16)
        MNI_TRY(mni_reader_need(r, "WGHT", MNI_F32, mni_resnet_n_params(&c), &w, err));
    else
        MNI_TRY(mni_reader_need(r, "WGHT", MNI_F16, mni_resnet_n_params(&c), &w, err));
    MNI_TRY(mni_reader_need(r, "STAT", MNI_F32, mni_resnet_n_stats(&c), &stats, err));
    MNI_TRY(new_empty_resnet(out, name, &c, err));
    mni_model *m = *out;
    memcpy(m->stats, stats.data, m->n_stats * sizeof *m->stats);
    if (w.dtype == MNI_F32) memcpy(m->params, w.data, m->n_params * sizeof *m->params);
    else for (size_t i = 0; i < m->n_params; i++)
        m->params[i] = mni_f32_from_f16(mni_get16((const uint8_t *)w.data + 2 * i));
    m->store = w.dtype;
    for (size_t i = 0; i < m->n_params; i++)
        if (!isfinite(m->params[i])) return bad_weights(r, err);
    float *good = m->stats;
    mni_resnet_each_stat(&c, check_stat, &good);
    if (!good) return bad_weights(r, err);
    weights_changed(m);
    return MANN_OK;
}

/* A file may say anything: an unknown precision, or int8 without sensible ranges. */
static mann_status take_precision(mni_model *m, const mni_reader *r, mann_error *err)
{
    size_t n;
    const void *prec = mni_model_attached(m, "PREC", &n);
    if (!prec) return MANN_OK;
    const uint32_t p = n == 4 ? mni_get32(prec) : 0;
    const mann_status s = p == MNI_PRECISION_BF16 || p == MNI_PRECISION_INT8
                              ? mni_model_set_precision(m, (mni_precision)p, err)
                              : MANN_E_ARG;
    return s == MANN_E_ARG
        ? mni_fail(err, MANN_E_FORMAT, "%s: precision %u lacks what it needs",
                   mni_reader_name(r), (unsigned)p)
        : s;
}

static mann_status read_model(mni_model **out, const mni_reader *r, mann_error *err)
{
    mni_section s, rnet;
    char name[NAME_BYTES + 1] = "";
    uint8_t arch[ARCH_BYTES];
    if (mni_reader_kind(r) != MNI_FILE_MODEL)
        return mni_fail(err, MANN_E_FORMAT, "%s: is not a model", mni_reader_name(r));
    MNI_TRY(mni_reader_need(r, "ARCH", MNI_BYTES, ARCH_BYTES, &s, err));
    memcpy(name, (const uint8_t *)s.data + 16, NAME_BYTES);
    if (mni_reader_find(r, "RNET", &rnet)) {
        MNI_TRY(mni_reader_need(r, "RNET", MNI_U32, RNET_FIELDS, &rnet, err));
        MNI_TRY(read_resnet(out, name, &rnet, r, err));
    } else if (strcmp(name, "pixels") == 0) {
        MNI_TRY(new_pixels(out, mni_get32(s.data), err));
    } else {
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: model \"%.64s\" comes without its description",
                        mni_reader_name(r), name);
    }
    encode_arch(*out, arch);
    if (memcmp(arch, s.data, ARCH_BYTES) != 0)
        return mni_fail(err, MANN_E_FORMAT, "%s: the sizes of model %s are not its own",
                        mni_reader_name(r), (*out)->architecture);
    MNI_TRY(read_attachments(*out, r, err));
    return take_precision(*out, r, err);
}

mann_status mni_model_read(mni_model **out, const mni_reader *r, mann_error *err)
{
    mni_model *m = NULL;
    *out = NULL;
    mann_status s = read_model(&m, r, err);
    if (s != MANN_OK) { mni_model_free(m); return s; }
    *out = m;
    return MANN_OK;
}

mann_status mni_model_save(const mni_model *m, const mni_vfs *v, const char *path,
                           mann_error *err)
{
    mni_writer *w;
    uint64_t print = mni_model_fingerprint(m);
    MNI_TRY(mni_writer_new(&w, v, path, MNI_FILE_MODEL, mni_uuid_from(0, print), 0, err));
    mni_model_write(m, w);
    return mni_writer_finish(w, err);
}

mann_status mni_model_open(mni_model **out, const mni_vfs *v, const char *path,
                           mann_error *err)
{
    mni_reader *r;
    *out = NULL;
    MNI_TRY(mni_reader_open(&r, v, path, 0, err));
    mann_status s = mni_model_read(out, r, err);
    mni_reader_free(r);
    return s;
}
