/* synth.h - procedural toy-like objects; see mann_synth_config in metricann.h and synth.c.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_SYNTH_H
#define MNI_IMAGE_SYNTH_H

#include "base/status.h"

mann_status mni_synth_draw(mann_image *out, const mann_synth_config *c, uint64_t klass, uint64_t view,
                           mann_error *err);

#endif
