/* api_augment.c - metricann.h, chapters 3 and 5: photos changed by a seed, and the sheet
 * that shows what training would show. SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "train/augment.h"

void mann_augment_config_fill(mann_augment_config *c, size_t size)
{
    const mann_augment_config d = {
        .changes = MANN_CHANGE_ALL, .strength = 1.0f, .seed = 1
    };
    mni_fill_sized(c, size, &d, sizeof d);
}

mann_status mann_augment_image(mann_image *out, const mann_image *in,
                               const mann_augment_config *c, uint64_t key, uint64_t copy,
                               mann_error *err)
{
    static const char who[] = "mann_augment_image";
    mann_augment_config mine;
    MNI_NEED(out, who);
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_NEED(in, who);
    mann_augment_config_fill(&mine, sizeof mine);
    if (c) MNI_TRY(mni_take_sized(&mine, sizeof mine, c, who, err));
    if (!in->pixels || in->width < 8 || in->height < 8 || in->width > 65535 ||
        in->height > 65535 || (in->channels != 3 && in->channels != 4))
        return mni_fail(err, MANN_E_ARG,
                        "%s: an image of %u x %u pixels and %u channels, wanted 8 x 8 to "
                        "65535 x 65535 with 3 or 4",
                        who, (unsigned)in->width, (unsigned)in->height,
                        (unsigned)in->channels);
    if ((mine.changes & ~(uint32_t)MANN_CHANGE_ALL) != 0 ||
        !(mine.strength >= 0 && mine.strength <= 1))
        return mni_fail(err, MANN_E_ARG,
                        "%s: changes %u at strength %g, wanted bits of %u, and 0..1", who,
                        (unsigned)mine.changes, (double)mine.strength,
                        (unsigned)MANN_CHANGE_ALL);
    const mni_augment a = mni_augment_changes(mine.changes, mine.strength);
    return mni_augment_image(&a, in,
                             mni_rng_at(mine.seed, MNI_FOR_AUGMENT, 1, key, copy), out,
                             err);
}
