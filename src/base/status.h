/* status.h - how failure travels: a status is returned, a sentence is left in an optional
 * record.
 *
 * Every call that can fail returns mann_status. The sentence names the thing, what was
 * found and what was wanted, so that somebody without a debugger can act on it:
 *
 *     return mni_fail(err, MANN_E_FORMAT, "png: width is 0, wanted 1..%u", limit);
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_STATUS_H
#define MNI_BASE_STATUS_H

#include "metricann.h"

#if defined(__GNUC__)
#define MNI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MNI_PRINTF(fmt, args)
#endif

/* Writes code and sentence into `err` (may be NULL) and returns `code`. Long texts are
 * cut at the size of the record, on a UTF-8 border. */
mann_status mni_fail(mann_error *err, mann_status code, const char *fmt, ...)
    MNI_PRINTF(3, 4);

/* Puts "prefix: " before the sentence already in `err`: outer calls know the file's name,
 * inner calls know what is wrong with it. Sets and returns `code`. */
mann_status mni_fail_prefix(mann_error *err, mann_status code, const char *fmt, ...)
    MNI_PRINTF(3, 4);

/* Forward a failure. Only for functions that own nothing at that point. */
#define MNI_TRY(call)                                   \
    do {                                                \
        mann_status mni_try_status = (call);            \
        if (mni_try_status != MANN_OK) return mni_try_status; \
    } while (0)

#endif
