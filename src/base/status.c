/* status.c - see status.h. SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mann_status_name(mann_status s)
{
    switch (s) {
    case MANN_OK:            return "ok";
    case MANN_E_ARG:         return "bad argument";
    case MANN_E_NOMEM:       return "out of memory";
    case MANN_E_IO:          return "input/output error";
    case MANN_E_FORMAT:      return "bad data";
    case MANN_E_VERSION:     return "unknown version";
    case MANN_E_UNSUPPORTED: return "unsupported";
    case MANN_E_NOT_FOUND:   return "not found";
    case MANN_E_EXISTS:      return "exists already";
    case MANN_E_READ_ONLY:   return "read only";
    case MANN_E_LOCKED:      return "locked";
    case MANN_E_MISMATCH:    return "mismatch";
    case MANN_E_LIMIT:       return "over a limit";
    case MANN_E_CANCELLED:   return "cancelled";
    case MANN_E_BUDGET:      return "more memory than allowed";
    }
    return "unknown status";
}

/* A cut in the middle of a UTF-8 sequence would leave half a letter: step back over
 * continuation bytes (10xxxxxx) and drop the lead byte too. */
static void cut_at_letter(char *text, size_t size)
{
    size_t n = strlen(text);
    if (n + 1 < size) return;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xC0u) == 0x80u) n--;
    if (n > 0 && ((unsigned char)text[n - 1] & 0x80u)) n--;
    text[n] = '\0';
}

mann_status mni_fail(mann_error *err, mann_status code, const char *fmt, ...)
{
    if (!err) return code;
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    cut_at_letter(err->text, sizeof err->text);
    return code;
}

mann_status mni_fail_prefix(mann_error *err, mann_status code, const char *fmt, ...)
{
    if (!err) return code;
    char inner[sizeof err->text], prefix[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    inner[sizeof inner - 1] = '\0';
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    return mni_fail(err, code, "%s: %s", prefix, inner);
}
