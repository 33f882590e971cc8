/* clock.h - time for people: progress, rates, benches. Nothing that is stored may depend
 * on it, except ids that are made to be unique (UUIDs). SPDX-License-Identifier: MIT */
#ifndef MNI_OS_CLOCK_H
#define MNI_OS_CLOCK_H

#include <stdint.h>

double   mni_clock_seconds(void);      /* monotonic */
uint64_t mni_clock_unix(void);         /* seconds since 1970 */
/* "20:12" of today, else "2026-11-21 20:12"; local time. */
void     mni_clock_text(uint64_t unix_seconds, char out[24]);
void     mni_clock_sleep(double seconds);

#endif
