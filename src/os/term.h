/* term.h - the terminal and the interrupt key, for the CLI.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_OS_TERM_H
#define MNI_OS_TERM_H

int  mni_term_is_tty(int fd);               /* 1 if a person may be watching */
int  mni_term_width(int fd);                /* columns; 80 where unknown */
int  mni_term_colour(int fd);               /* tty, NO_COLOR unset, TERM not "dumb" */

/* From now on SIGINT and SIGTERM raise a flag; the second SIGINT ends the program at
 * once. */
void mni_term_catch_interrupt(void);
int  mni_term_interrupted(void);            /* 1 once the flag is up */

#endif
