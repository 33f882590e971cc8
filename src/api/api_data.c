/* api_data.c - metricann.h, chapters 1 to 4: version, vectors, images, data sets.
 * SPDX-License-Identifier: MIT */

#include "api/api.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/jpeg_write.h"
#include "image/png_write.h"
#include "image/resize.h"
#include "image/synth.h"
#include "kern/kern_dist.h"
#include "store/foreign.h"
#include "train/dataset.h"

uint32_t    mann_version(void) { return MANN_VERSION; }
const char *mann_simd_name(void) { return mni_kern_dist_best()->name; }

/* --- vectors ------------------------------------------------------------------------ */

struct mann_vectors { float *data; size_t rows, cols; };

mann_status mann_vectors_read(mann_vectors **out, const char *path, mann_error *err)
{
    MNI_NEED(out, "mann_vectors_read");
    *out = NULL;
    MNI_NEED(path, "mann_vectors_read");
    mann_vectors *v = mni_alloc(1, sizeof *v);
    if (!v) return mni_fail(err, MANN_E_NOMEM, "%s: vectors", path);
    mann_status s =
        mni_vectors_read(mni_vfs_posix(), path, &v->data, &v->rows, &v->cols, err);
    if (s != MANN_OK) { mni_free(v); return s; }
    *out = v;
    return MANN_OK;
}

mann_matrix mann_vectors_matrix(const mann_vectors *v)
{
    return v ? (mann_matrix){ v->data, v->rows, v->cols, v->cols }
             : (mann_matrix){ NULL, 0, 0, 0 };
}

void mann_vectors_free(mann_vectors *v)
{
    if (!v) return;
    mni_free(v->data);
    mni_free(v);
}

static mann_status check_matrix(mann_matrix m, const char *call, mann_error *err)
{
    if (m.rows && !m.data)
        return mni_fail(err, MANN_E_ARG, "%s: %zu rows, but data is NULL", call, m.rows);
    if (m.stride && m.stride < m.cols)
        return mni_fail(err, MANN_E_ARG, "%s: stride %zu is less than %zu columns", call,
                        m.stride, m.cols);
    return MANN_OK;
}

mann_status mann_vectors_write(const char *path, mann_matrix m, mann_error *err)
{
    MNI_NEED(path, "mann_vectors_write");
    MNI_TRY(check_matrix(m, "mann_vectors_write", err));
    if (!m.stride) m.stride = m.cols;
    return mni_vectors_write(mni_vfs_posix(), path, m, err);
}

mann_status mann_ids_write(const char *path, const uint64_t *ids, size_t rows,
                           size_t cols, mann_error *err)
{
    MNI_NEED(path, "mann_ids_write");
    if (rows && cols) MNI_NEED(ids, "mann_ids_write");
    return mni_ids_write(mni_vfs_posix(), path, ids, rows, cols, err);
}

/* --- images ------------------------------------------------------------------------- */

#define MAX_IMAGE_FILE (1ull << 30)

mann_status mann_image_decode(mann_image *out, const void *bytes, size_t n_bytes,
                              mann_error *err)
{
    MNI_NEED(out, "mann_image_decode");
    if (n_bytes) MNI_NEED(bytes, "mann_image_decode");
    return mni_image_decode(out, bytes, n_bytes, NULL, err);
}

mann_status mann_image_read(mann_image *out, const char *path, mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    MNI_NEED(out, "mann_image_read");
    MNI_NEED(path, "mann_image_read");
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_TRY(mni_read_file(mni_vfs_posix(), path, MAX_IMAGE_FILE, &bytes, &n_bytes, err));
    mann_status s = mni_image_decode(out, bytes, n_bytes, NULL, err);
    mni_free(bytes);
    return s == MANN_OK ? s : mni_fail_prefix(err, s, "%s", path);
}

static const mann_decode_options decode_defaults = {
    .max_side = 65535, .max_pixels = 100000000, .max_memory = 1ull << 30, .max_scans = 100
};

void mann_decode_options_fill(mann_decode_options *o, size_t size)
{
    mni_fill_sized(o, size, &decode_defaults, sizeof decode_defaults);
}

mann_status mann_image_decode_with(mann_image *out, const void *bytes, size_t n_bytes,
                                   mann_decode_options *o, mann_error *err)
{
    mann_decode_options mine = decode_defaults;
    mni_decode_opts opts;
    int cut = 0;
    MNI_NEED(out, "mann_image_decode_with");
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_NEED(o, "mann_image_decode_with");
    if (n_bytes) MNI_NEED(bytes, "mann_image_decode_with");
    MNI_TRY(mni_take_sized(&mine, sizeof mine, o, "mann_image_decode_with", err));
    mni_decode_opts_fill(&opts);
    opts.max_side = mine.max_side;
    opts.max_pixels = mine.max_pixels;
    opts.max_memory = mine.max_memory;
    opts.max_scans = mine.max_scans;
    opts.min_side = mine.min_side;
    opts.partial = mine.partial != 0;
    opts.keep_alpha = mine.keep_alpha != 0;
    opts.cut = &cut;
    MNI_TRY(mni_image_decode(out, bytes, n_bytes, &opts, err));
    mine.was_cut = (uint32_t)cut;
    return mni_give_sized(o, &mine, sizeof mine, "mann_image_decode_with", err);
}

static mann_status check_image(const mann_image *im, const char *call, mann_error *err)
{
    MNI_NEED(im, call);
    if (!im->pixels || !im->width || !im->height ||
        (im->channels != 3 && im->channels != 4))
        return mni_fail(
            err, MANN_E_ARG,
            "%s: an image of %u x %u pixels and %u channels, wanted at least 1 x 1 "
            "with 3 or 4",
            call, (unsigned)im->width, (unsigned)im->height, (unsigned)im->channels);
    return MANN_OK;
}

mann_status mann_image_resize(mann_image *out, const mann_image *in, uint32_t width,
                              uint32_t height, mann_error *err)
{
    MNI_NEED(out, "mann_image_resize");
    MNI_TRY(check_image(in, "mann_image_resize", err));
    if (!width || !height || width > 65535 || height > 65535)
        return mni_fail(err, MANN_E_ARG,
                        "mann_image_resize: to %u x %u, wanted 1..65535 each",
                        (unsigned)width, (unsigned)height);
    return mni_image_resize(out, in, width, height, err);
}

mann_status mann_image_write_png(const char *path, const mann_image *im, mann_error *err)
{
    mni_buf buf = { 0 };
    MNI_NEED(path, "mann_image_write_png");
    MNI_TRY(check_image(im, "mann_image_write_png", err));
    mann_status s = mni_png_encode(&buf, im, err);
    if (s == MANN_OK)
        s = mni_put_file(mni_vfs_posix(), path, buf.bytes, buf.n_bytes, err);
    mni_buf_fini(&buf);
    return s;
}

mann_status mann_image_write_jpeg(const char *path, const mann_image *im, int quality,
                                  mann_error *err)
{
    mni_buf buf = { 0 };
    MNI_NEED(path, "mann_image_write_jpeg");
    MNI_TRY(check_image(im, "mann_image_write_jpeg", err));
    mann_status s = mni_jpeg_encode(&buf, im, quality, err);
    if (s == MANN_OK)
        s = mni_put_file(mni_vfs_posix(), path, buf.bytes, buf.n_bytes, err);
    mni_buf_fini(&buf);
    return s;
}

void mann_synth_config_fill(mann_synth_config *c, size_t size)
{
    mann_synth_config d = {
        .size = 96, .conditions = MANN_SYNTH_ALL, .strength = 1.0f, .seed = 1
    };
    mni_fill_sized(c, size, &d, sizeof d);
}

mann_status mann_synth_draw(mann_image *out, const mann_synth_config *c, uint64_t klass,
                            uint64_t view, mann_error *err)
{
    mann_synth_config mine;
    MNI_NEED(out, "mann_synth_draw");
    MNI_NEED(c, "mann_synth_draw");
    mann_synth_config_fill(&mine, sizeof mine);
    MNI_TRY(mni_take_sized(&mine, sizeof mine, c, "mann_synth_draw", err));
    return mni_synth_draw(out, &mine, klass, view, err);
}

/* --- data sets ---------------------------------------------------------------------- */

mann_status mann_dataset_open(mann_dataset **out, const char *path, const mann_hooks *h,
                              mann_error *err)
{
    MNI_NEED(out, "mann_dataset_open");
    *out = NULL;
    MNI_NEED(path, "mann_dataset_open");
    return mni_dataset_open(out, mni_vfs_posix(), path, h, err);
}

mann_status mann_dataset_files(mann_dataset **out, const char *const *paths, size_t n,
                               const char *klass, mann_error *err)
{
    MNI_NEED(out, "mann_dataset_files");
    *out = NULL;
    if (n) MNI_NEED(paths, "mann_dataset_files");
    for (size_t i = 0; i < n; i++) MNI_NEED(paths[i], "mann_dataset_files");
    if (klass && !*klass)
        return mni_fail(err, MANN_E_ARG, "mann_dataset_files: the class has no name");
    return mni_dataset_files(out, mni_vfs_posix(), paths, n, klass, err);
}

mann_status mann_dataset_join(mann_dataset **out, const mann_dataset *const *sets,
                              size_t n, mann_error *err)
{
    MNI_NEED(out, "mann_dataset_join");
    *out = NULL;
    MNI_NEED(sets, "mann_dataset_join");
    if (n == 0 || n > 4096)
        return mni_fail(err, MANN_E_ARG, "mann_dataset_join: %zu sets, wanted 1..4096",
                        n);
    for (size_t i = 0; i < n; i++) MNI_NEED(sets[i], "mann_dataset_join");
    return mni_dataset_join(out, sets, n, err);
}

uint32_t mann_dataset_n_classes(const mann_dataset *d)
{
    return d ? mni_dataset_n_classes(d) : 0;
}
uint64_t mann_dataset_n_images(const mann_dataset *d)
{
    return d ? mni_dataset_n_images(d) : 0;
}
const char *mann_dataset_class(const mann_dataset *d, uint32_t klass)
{
    return d && klass < mni_dataset_n_classes(d) ? mni_dataset_class(d, klass) : NULL;
}
const char *mann_dataset_path(const mann_dataset *d, uint64_t image, uint32_t *klass)
{
    return d && image < mni_dataset_n_images(d) ? mni_dataset_path(d, image, klass)
                                                : NULL;
}

mann_status mann_dataset_read(const mann_dataset *d, uint64_t image, mann_image *out,
                              mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    uint64_t mtime;
    MNI_NEED(out, "mann_dataset_read");
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_NEED(d, "mann_dataset_read");
    if (image >= mni_dataset_n_images(d))
        return mni_fail(err, MANN_E_ARG, "mann_dataset_read: image %llu of %llu",
                        (unsigned long long)image,
                        (unsigned long long)mni_dataset_n_images(d));
    MNI_TRY(mni_dataset_bytes(d, image, &bytes, &n_bytes, &mtime, err));
    mann_status s = mni_image_decode(out, bytes, n_bytes, NULL, err);
    mni_free(bytes);
    return s == MANN_OK ? s
                        : mni_fail_prefix(err, s, "%s", mni_dataset_path(d, image, NULL));
}

void mann_dataset_free(mann_dataset *d) { mni_dataset_free(d); }
