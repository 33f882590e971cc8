/* webp.c - placeholder removed below. SPDX-License-Identifier: MIT */
#include "image/decoders.h"

mann_status mni_webp_read(mann_image *out, int *orientation, const mni_source *in,
                          mann_error *err)
{
    (void)out; (void)orientation; (void)in;
    return mni_fail(err, MANN_E_UNSUPPORTED, "webp: not supported; convert it to PNG");
}
