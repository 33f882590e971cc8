/* train_set.c - see train_set.h. SPDX-License-Identifier: MIT */
#include "train_set.h"

#include <stdio.h>

#include "harness.h"
#include "image/png_write.h"
#include "image/synth.h"

void train_set_put(const mni_vfs *v, const char *path, const mann_image *im)
{
    mni_buf png = { 0 };
    CHECK_OK(mni_png_encode(&png, im, NULL));
    CHECK_OK(mni_replace_file(v, path, png.bytes, png.n_bytes, NULL));
    mni_buf_fini(&png);
}

void train_set_draw(const mni_vfs *v, const char *root, uint64_t first, uint32_t classes,
                    uint32_t views)
{
    mann_synth_config c;
    mann_synth_config_fill(&c, sizeof c);
    c.size = 24;
    c.conditions = MANN_SYNTH_POSE | MANN_SYNTH_LIGHT;
    c.strength = 0.5f;
    CHECK_OK(v->ops->mkdir(v, root, NULL));
    for (uint32_t k = 0; k < classes; k++)
        for (uint32_t i = 0; i < views; i++) {
            char path[96];
            mann_image im;
            snprintf(path, sizeof path, "%s/c%03u", root, (unsigned)k);
            CHECK_OK(v->ops->mkdir(v, path, NULL));
            snprintf(path, sizeof path, "%s/c%03u/%02u.png", root, (unsigned)k,
                     (unsigned)i);
            CHECK_OK(mni_synth_draw(&im, &c, first + k, i, NULL));
            train_set_put(v, path, &im);
            mann_image_clear(&im);
        }
}
