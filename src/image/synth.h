/* synth.h - procedural toy-like objects; see mann_synth_config in metricann.h, and
 * synth.c for the tour. SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_SYNTH_H
#define MNI_IMAGE_SYNTH_H

#include "base/status.h"

/* Draws view `view` of class `klass`: RGB, c->size a side, a function of the arguments
 * alone and the same on every machine. Any 64-bit numbers are good. At strength 0 or mask
 * 0 it is the canonical clean picture (a few degrees and percents differ between views).
 * *out is owned (mann_image_clear); zeroed on failure. MANN_E_ARG: size not 8..1024,
 * strength not 0..1, unknown conditions. MANN_E_NOMEM. May be called by many threads at
 * once. */
mann_status mni_synth_draw(mann_image *out, const mann_synth_config *c, uint64_t klass,
                           uint64_t view, mann_error *err);

#endif
