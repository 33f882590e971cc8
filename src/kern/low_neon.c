/* low_neon.c - stub for now */
#include "kern/kern_low.h"
void mni_kern_low_add_neon(mni_kern_low *k) { (void)k; }
