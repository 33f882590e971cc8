/* low_avx2.c - stub for now */
#include "kern/kern_low.h"
void mni_kern_low_add_avx2(mni_kern_low *k) { (void)k; }
