/* infer_run.h - what infer.c needs of infer_run.c. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_INFER_RUN_H
#define MNI_NN_INFER_RUN_H

#include "nn/infer.h"

mni_spare *mni_spare_new(void);             /* NULL: no memory */
void       mni_spare_free(mni_spare *s);    /* accepts NULL */

#endif
