/* resize.c - resampling with a triangle (tent) filter that widens with the ratio.
 *
 * Enlarging with a tent one pixel wide is bilinear interpolation. For shrinking, the tent
 * is made as wide as the ratio, so that every input pixel counts and fine detail turns
 * into its mean instead of into false patterns. The picture is resampled along rows, then
 * along columns: two passes of n taps instead of one of n * n.
 *
 *   input pixels        |-----|-----|-----|-----|-----|-----|     centres at (2x + 1) / 2
 *   output pixel i                  ^ centre (2i + 1) * in / (2 * out)
 *   tent                   .-''  ''-.          half width max(1, in / out)
 *
 * Multiply everything by 2 * out and no fraction is left: the weight of input x for
 * output i is
 *
 *   2 * max(in, out) - |(2x + 1) * out - (2i + 1) * in|            where that is positive
 *
 * divided by the sum of these whole numbers. So the coefficients are exact, and after
 * rounding to 22 bits the same on every machine. The 22 bits, the rounding of each pass
 * to 8 bits and the order of the passes are Pillow's ("Image.BILINEAR", 8 bits a
 * channel): the bytes are the same as there, but for rare ties that Pillow's floating
 * point decides the other way (1 grey level).
 *
 * The sums themselves are kernels (kern/kern_img.h). Here is the order of work: rows are
 * done across four at a time, when the first output row wants them, into a ring that
 * holds as many as one output row needs. So the picture between the passes is a few KiB
 * that stay in L1, not a quarter of a MiB. SPDX-License-Identifier: MIT */
#include "image/resize.h"

#include <string.h>

#include "base/mem.h"
#include "image/image.h"

enum { MAX_SIDE = 1 << 20 /* weights and their sums stay below 2^43 */ };

/* The taps of one axis in one block, released as a whole. */
typedef struct taps {
    mni_taps t;
    void *block;
} taps;

static void taps_fini(taps *t) { mni_free(t->block); }

/* First input with a positive weight for output i, and how many there are. */
static uint32_t tap_span(uint32_t i, uint32_t in, uint32_t out, uint32_t *n)
{
    const int64_t reach = 2 * (int64_t)(in > out ? in : out), step = 2 * (int64_t)out;
    const int64_t centre = (2 * (int64_t)i + 1) * in;
    /* (2x + 1) * out > centre - reach, and < centre + reach. */
    const int64_t low = centre - reach - out, high = centre + reach - out;
    const uint32_t first = low < 0 ? 0 : (uint32_t)(low / step) + 1;
    const int64_t end = (high + step - 1) / step;
    *n = (uint32_t)(end < (int64_t)in ? end : (int64_t)in) - first;
    return first;
}

/* Rounded weights of the n taps from `first` on; all arithmetic in whole numbers. */
static void tap_weights(int32_t *w, uint32_t i, uint32_t in, uint32_t out, uint32_t first,
                        uint32_t n)
{
    const int64_t reach = 2 * (int64_t)(in > out ? in : out);
    const int64_t centre = (2 * (int64_t)i + 1) * in;
    int64_t sum = 0;
    for (uint32_t k = 0; k < n; k++) {
        const int64_t off = (2 * (int64_t)(first + k) + 1) * out - centre;
        w[k] = (int32_t)(reach - (off < 0 ? -off : off)); /* at most 2^21 */
        sum += w[k];
    }
    for (uint32_t k = 0; k < n; k++)
        w[k] = (int32_t)((((int64_t)w[k] << (MNI_TAP_BITS + 1)) + sum) / (2 * sum));
}

/* Both halves of two weights as kern_img.h wants them. */
static void tap_pair(uint32_t pair[2], const int32_t w[2])
{
    const uint32_t low = (1u << MNI_TAP_SPLIT) - 1;
    const uint32_t a = (uint32_t)w[0], b = (uint32_t)w[1];      /* neither is negative */
    pair[0] = a >> MNI_TAP_SPLIT | b >> MNI_TAP_SPLIT << 16;
    pair[1] = (a & low) | (b & low) << 16;
}

static mann_status taps_init(taps *t, uint32_t in, uint32_t out, mann_error *err)
{
    uint32_t most = 0, n;
    for (uint32_t i = 0; i < out; i++) {
        (void)tap_span(i, in, out, &n);
        if (n > most) most = n;
    }
    most += most % 2;
    t->block = mni_alloc(out, (2 * (size_t)most + 1) * sizeof(uint32_t));
    if (!t->block)
        return mni_fail(err, MANN_E_NOMEM, "resize: weights of %u pixels from %u", out,
                        in);
    int32_t *weight = t->block;
    uint32_t *pairs = (uint32_t *)t->block + (size_t)out * most;
    uint32_t *first = pairs + (size_t)out * most;
    for (uint32_t i = 0; i < out; i++) {
        int32_t *w = weight + (size_t)i * most;
        first[i] = tap_span(i, in, out, &n);
        tap_weights(w, i, in, out, first[i], n);
        for (uint32_t k = 0; k < most; k += 2)
            tap_pair(pairs + (size_t)i * most + k, w + k);
    }
    t->t = (mni_taps){ out, most, first, weight, pairs };
    return MANN_OK;
}

/* What the two passes share. The ring's slot y % n_slots holds row y after the first. */
typedef struct work {
    const mni_kern_img *kern;
    const mann_image *in;
    const mni_taps *across, *down;
    size_t in_row, out_row, slot_bytes, reach; /* reach: bytes of a row to be read */
    uint32_t n_slots, next;                    /* next: first row not yet done across */
    uint8_t *ring, *edge; /* edge: copies of rows behind which nothing may be read */
    const uint8_t **rows;
} work;

static mann_status work_init(work *w, mann_error *err)
{
    const uint32_t channels = w->in->channels;
    w->in_row = (size_t)w->in->width * channels;
    w->out_row = (size_t)w->across->n_out * channels;
    w->slot_bytes = w->out_row + MNI_ROW_SLACK;
    w->reach = ((size_t)w->across->first[w->across->n_out - 1] + w->across->n) *
                   channels +
               MNI_ROW_SLACK;
    if (w->reach < w->in_row) w->reach = w->in_row;
    w->n_slots = w->down->n + MNI_ROWS_ACROSS;
    w->ring = mni_alloc(w->n_slots, w->slot_bytes);
    w->edge = mni_alloc(MNI_ROWS_ACROSS, w->reach);
    w->rows = mni_alloc(w->down->n, sizeof *w->rows);
    return w->ring && w->edge && w->rows
        ? MANN_OK
        : mni_fail(err, MANN_E_NOMEM, "resize: %u rows of %u pixels", w->n_slots,
                   w->across->n_out);
}

static void work_fini(work *w)
{
    mni_free(w->ring);
    mni_free(w->edge);
    mni_free(w->rows);
}

/* The next four rows (or those that are left, the last one repeated) into the ring. */
static void four_rows(work *w)
{
    const uint8_t *in[MNI_ROWS_ACROSS];
    uint8_t *out[MNI_ROWS_ACROSS];
    const size_t total = w->in_row * w->in->height;
    for (uint32_t r = 0; r < MNI_ROWS_ACROSS; r++) {
        const uint32_t y = w->next + r < w->in->height ? w->next + r : w->in->height - 1;
        in[r] = w->in->pixels + y * w->in_row;
        if (total - y * w->in_row < w->reach) {
            uint8_t *copy = w->edge + r * w->reach;
            memcpy(copy, in[r], w->in_row);
            in[r] = copy;
        }
        out[r] = w->ring + (y % w->n_slots) * w->slot_bytes;
    }
    w->kern->across(out, in, w->across, w->in->channels);
    w->next += MNI_ROWS_ACROSS;
}

static void run(work *w, uint8_t *out)
{
    const mni_taps *t = w->down;
    for (uint32_t y = 0; y < t->n_out; y++, out += w->out_row) {
        const uint32_t first = t->first[y];
        if (w->next < first) w->next = first;
        for (uint32_t k = 0; k < t->n; k++) { /* taps without a row weigh nothing */
            const uint32_t row = first + k < w->in->height ? first + k
                                                           : w->in->height - 1;
            while (w->next <= row) four_rows(w);
            w->rows[k] = w->ring + (row % w->n_slots) * w->slot_bytes;
        }
        w->kern->down(out, w->rows, t->weight + (size_t)y * t->n,
                      t->pairs + (size_t)y * t->n, t->n, w->out_row);
    }
}

static mann_status check(const mann_image *in, uint32_t width, uint32_t height,
                         mann_error *err)
{
    if (in->channels < 1 || in->channels > 4)
        return mni_fail(err, MANN_E_ARG, "resize: %u channels, wanted 1..4",
                        in->channels);
    if (in->width == 0 || in->height == 0 || in->width > MAX_SIDE ||
        in->height > MAX_SIDE)
        return mni_fail(err, MANN_E_LIMIT,
                        "resize: image is %u x %u, wanted 1..%d a side", in->width,
                        in->height, (int)MAX_SIDE);
    if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE)
        return mni_fail(err, MANN_E_LIMIT, "resize: to %u x %u, wanted 1..%d a side",
                        width, height, (int)MAX_SIDE);
    return MANN_OK;
}

mann_status mni_image_resize_of(const mni_kern_img *kern, mann_image *out,
                                const mann_image *in, uint32_t width, uint32_t height,
                                mann_error *err)
{
    taps across = { .block = NULL }, down = { .block = NULL };
    mann_image done = { 0 };
    work w = { .kern = kern, .in = in, .across = &across.t, .down = &down.t };
    *out = (mann_image){ 0 };
    MNI_TRY(check(in, width, height, err));

    mann_status s = taps_init(&across, in->width, width, err);
    if (s == MANN_OK) s = taps_init(&down, in->height, height, err);
    if (s == MANN_OK) s = work_init(&w, err);
    if (s == MANN_OK) s = mni_image_new(&done, width, height, in->channels, err);
    if (s == MANN_OK) {
        run(&w, done.pixels);
        *out = done;
    }
    work_fini(&w);
    taps_fini(&down);
    taps_fini(&across);
    return s;
}

mann_status mni_image_resize(mann_image *out, const mann_image *in, uint32_t width,
                             uint32_t height, mann_error *err)
{
    return mni_image_resize_of(mni_kern_img_best(), out, in, width, height, err);
}
