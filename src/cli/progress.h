/* progress.h - the bar and the phases: the part of talk.h that is only for talk.c and
 * progress.c. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_PROGRESS_H
#define MNI_CLI_PROGRESS_H

#include "cli/talk.h"

void mni_progress_clear(mni_talk *t);       /* takes the bar off the line */
void mni_progress_finish(mni_talk *t); /* the running task is over: it becomes a phase */
void mni_progress_phases(mni_talk *t);      /* a line for each */
/* A line of the log (talk.c). total 0: left out. */
void mni_progress_log(mni_talk *t, const char *event, const mni_phase *p, uint64_t total);
/* The bar as text, at most `width` columns: "embed [=====>    ] 640/1234  587/s  0:01
 * left". Pure. */
void mni_progress_bar(mni_text *out, const mni_phase *p, uint64_t total, unsigned width);
/* "decode 1234 images 2.1 s (587/s)". Pure. */
void mni_progress_phase_line(mni_text *out, const mni_phase *p);

#endif
