/* sheet_html.c - the contact sheet as one HTML page that carries its pictures (data
 * URLs): no server, no network, no script. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/jpeg_write.h"
#include "recog/sheet.h"

static void put(mni_buf *b, const char *text) { mni_buf_add(b, text, strlen(text)); }

/* Names are bytes from a file system: markup is escaped, what is not UTF-8 is
 * replaced. */
static void put_escaped(mni_buf *b, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t step = mni_utf8_next(text + i, n - i, &cp);
        if (cp == '<') put(b, "&lt;");
        else if (cp == '>') put(b, "&gt;");
        else if (cp == '&') put(b, "&amp;");
        else if (cp == '"') put(b, "&quot;");
        else if (cp == '\'') put(b, "&#39;");
        else if (cp == 0xFFFD && step == 1) put(b, "\xEF\xBF\xBD");
        else mni_buf_add(b, text + i, step);
        i += step;
    }
}

/* RFC 4648, section 4. */
static void put_base64(mni_buf *b, const uint8_t *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        if (i + 1 < n) three |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n) three |= bytes[i + 2];
        char four[4] = { letters[three >> 18], letters[three >> 12 & 63],
                         i + 1 < n ? letters[three >> 6 & 63] : '=',
                         i + 2 < n ? letters[three & 63] : '=' };
        mni_buf_add(b, four, sizeof four);
    }
}

static mann_status put_picture(mni_buf *b, const mann_image *im, mann_error *err)
{
    mni_buf jpeg = { 0 };
    mann_status s = mni_jpeg_encode(&jpeg, im, MNI_SHEET_QUALITY, err);
    put(b, "<img width=112 height=112 alt=\"\" src=\"data:image/jpeg;base64,");
    if (s == MANN_OK) put_base64(b, jpeg.bytes, jpeg.n_bytes);
    put(b, "\">");
    mni_buf_fini(&jpeg);
    return s;
}

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<title>MetricANN contact sheet</title>\n"
    "<style>\nbody{font:13px/1.35 sans-serif;margin:16px;color:#222}\n"
    ".row{display:flex;gap:8px;margin-bottom:14px;flex-wrap:wrap}\n"
    ".cell{width:112px;overflow-wrap:anywhere}\n"
    ".cell img{display:block;border:1px solid #ccc}\n"
    ".query img{border:3px solid #c82828;margin:-2px}\n.known img{border-color:#1e8c3c}\n"
    ".unsure img{border-color:#d78c00}\n.verdict{font-weight:bold}\n"
    "</style></head>\n<body>\n"
    "<h1>Contact sheet</h1>\n";

static mann_status put_hit(mni_gallery *g, const mann_hit *hit, mni_buf *b,
                           mann_error *err)
{
    char text[MNI_MAX_NAME + 1];
    mann_image thumb = { 0, 0, 0, NULL };
    MNI_TRY(mni_sheet_thumb_hit(g, hit->id, &thumb, err));
    put(b, "<div class=\"cell\">");
    mann_status s = put_picture(b, &thumb, err);
    mann_image_clear(&thumb);
    if (hit->klass == MANN_NO_CLASS ||
        mni_gallery_class_name(g, hit->klass, text, sizeof text, NULL) != MANN_OK)
        snprintf(text, sizeof text, "#%llu", (unsigned long long)hit->id);
    put_escaped(b, text);
    snprintf(text, sizeof text, "<br>%.3f</div>\n", (double)hit->score);
    put(b, text);
    return s;
}

static mann_status put_row(mni_gallery *g, const mann_sheet_row *r, mni_buf *b,
                           mann_error *err)
{
    char text[64];
    mann_image thumb = { 0, 0, 0, NULL };
    const char *verdict = mni_verdict_word(r->answer.verdict);
    MNI_TRY(mni_sheet_thumb_file(g, r->query_path, &thumb, err));
    put(b, "<div class=\"row\"><div class=\"cell query ");
    put(b, verdict);
    put(b, "\">");
    mann_status s = put_picture(b, &thumb, err);
    mann_image_clear(&thumb);
    put_escaped(b, mni_path_name(r->query_path));
    put(b, "<br><span class=\"verdict\">");
    put(b, verdict);
    put(b, "</span>");
    if (isfinite(r->answer.margin)) {
        snprintf(text, sizeof text, "<br>margin %.3f", (double)r->answer.margin);
        put(b, text);
    }
    put(b, "</div>\n");
    for (uint32_t i = 0; i < r->n_hits && s == MANN_OK; i++)
        s = put_hit(g, &r->hits[i], b, err);
    put(b, "</div>\n");
    return s;
}

mann_status mni_sheet_html(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                           mni_buf *out, mann_error *err)
{
    put(out, head);
    for (size_t i = 0; i < n; i++) MNI_TRY(put_row(g, &rows[i], out, err));
    put(out, "</body></html>\n");
    return MANN_OK;
}
