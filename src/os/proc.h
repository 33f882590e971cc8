/* proc.h - which process is it? A number alone is given again; a number and the time at
 * which it began are not. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_PROC_H
#define MNI_OS_PROC_H

#include <stdint.h>

typedef struct mni_proc {
    uint64_t pid, start;        /* start: ticks after the machine's; 0: not known */
    char boot[48], host[72];    /* which run of which machine; "-": not known */
} mni_proc;

typedef enum mni_proc_is {
    MNI_PROC_GONE, MNI_PROC_LIVES,
    MNI_PROC_UNKNOWN            /* of another machine: cannot be told from here */
} mni_proc_is;

void        mni_proc_self(mni_proc *out);
mni_proc_is mni_proc_ask(const mni_proc *p);

#endif
