/* jpeg_neon.c - SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

void mni_kern_jpeg_add_neon(mni_kern_jpeg *k) { (void)k; }
