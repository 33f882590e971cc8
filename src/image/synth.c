/* synth.c - procedural toys: endless classes and views from two numbers, the same
 * everywhere.
 *
 * For tests, benches and a first training without photos: class k is a toy of its own
 * (shape, palette, pattern, marks), view v of it another picture (pose, light,
 * background, scale, crop, occlusion, blur, noise). Nothing is stored and nothing depends
 * on what was drawn before, so any slice of a million classes can be drawn by any thread.
 *
 * Same pixels on every machine: whole numbers only (synth_impl.h says in which units), no
 * libm; the one float, the strength, is turned into 65536ths at the door, which is exact.
 * The pictures of some classes and views are frozen by hashes in tests/test_synth.c.
 * SPDX-License-Identifier: MIT */
#include "image/synth.h"

#include "base/mem.h"
#include "image/image.h"
#include "image/synth_impl.h"

static mann_status check(const mann_synth_config *c, mann_error *err)
{
    if (c->size < 8 || c->size > 1024)
        return mni_fail(err, MANN_E_ARG, "synth: size is %u, wanted 8..1024", c->size);
    if (!(c->strength >= 0.0f && c->strength <= 1.0f)) /* also refuses NaN */
        return mni_fail(err, MANN_E_ARG, "synth: strength is %g, wanted 0..1",
                        (double)c->strength);
    if (c->conditions & ~(uint32_t)MANN_SYNTH_ALL)
        return mni_fail(err, MANN_E_ARG,
                        "synth: conditions are 0x%X, wanted a mask of 0x%X",
                        c->conditions, (unsigned)MANN_SYNTH_ALL);
    return MANN_OK;
}

mann_status mni_synth_draw(mann_image *out, const mann_synth_config *c, uint64_t klass,
                           uint64_t view, mann_error *err)
{
    *out = (mann_image){ 0 };
    MNI_TRY(check(c, err));
    const size_t n = (size_t)c->size * c->size;
    const int32_t size = (int32_t)c->size;
    mann_image im = { 0 };
    mann_status s = MANN_E_NOMEM;
    mni_toy *toy = mni_alloc(1, sizeof *toy);
    uint8_t *layers = mni_alloc(2 * n, 4); /* zeroed: an empty toy canvas */
    if (!toy || !layers) {
        mni_fail(err, s, "synth: canvas of %u x %u pixels", c->size, c->size);
        goto end;
    }
    s = mni_image_new(&im, c->size, c->size, 3, err);
    if (s != MANN_OK) goto end;

    mni_view v;
    const mni_canvas front = { size, layers }, back = { size, layers + 4 * n };
    mni_toy_make(toy, c->seed, klass);
    mni_view_make(&v, c, klass, view);
    mni_view_paint(&front, toy, &v);
    mni_scene_occlude(&front, &v,
                      mni_rng_at(c->seed, MNI_FOR_SYNTH_VIEW, klass, view, 1000));
    mni_scene_background(&back, &v,
                         mni_rng_at(c->seed, MNI_FOR_SYNTH_VIEW, klass, view, 1001));
    mni_scene_compose(im.pixels, &back, &front, &v);
    mni_lens_light(im.pixels, size, &v);
    mni_lens_blur(im.pixels, layers, size, &v); /* the layers are free again */
    mni_lens_noise(im.pixels, size, &v,
                   (uint32_t)mni_mix64(c->seed ^ mni_mix64(klass ^ mni_mix64(view))));
    *out = im;
end:
    mni_free(layers);
    mni_free(toy);
    return s;
}
