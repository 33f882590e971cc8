/* clock.c - see clock.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/clock.h"

#include <time.h>

double mni_clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t mni_clock_unix(void) { return (uint64_t)time(NULL); }

void mni_clock_text(uint64_t unix_seconds, char out[24])
{
    const time_t then = (time_t)unix_seconds, now = time(NULL);
    struct tm a, b;
    if (!localtime_r(&then, &a) || !localtime_r(&now, &b)) { out[0] = '\0'; return; }
    const int today = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
    if (strftime(out, 24, today ? "%H:%M" : "%Y-%m-%d %H:%M", &a) == 0) out[0] = '\0';
}

void mni_clock_sleep(double seconds)
{
    struct timespec t = { (time_t)seconds,
                          (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, NULL);
}
