/* jpeg_avx512.c - SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

void mni_kern_jpeg_add_avx512(mni_kern_jpeg *k) { (void)k; }
