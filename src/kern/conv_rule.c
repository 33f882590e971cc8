/* conv_rule.c - which algorithm computes a layer. SPDX-License-Identifier: MIT */
#include "kern/kern_wino.h"

int mni_conv_rule(const mni_conv_shape *s)
{
    if (s->planar || s->kernel != 3 || s->stride != 1) return 0;
    const size_t places = (size_t)s->h_out * s->w_out;
    if (places < 16 || s->c_in < 8) return 0;
    return places > 49 ? 4 : 2;
}
