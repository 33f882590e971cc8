/* json.h - JSON out and in (RFC 8259).
 *
 * Writer: commas and nesting are kept by it, so that callers only say what they have:
 *     mni_json_object(&j); mni_json_key(&j, "score"); mni_json_number(&j, 0.91);
 *     mni_json_end(&j);
 * Strings that are not UTF-8 (paths are bytes) have each bad byte replaced by U+FFFD.
 *
 * Reader: a recursive-descent parser into a flat array of nodes, with limits on depth and
 * size. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_JSON_H
#define MNI_BASE_JSON_H

#include "base/text.h"

enum { MNI_JSON_MAX_DEPTH = 64 };

typedef struct mni_json {
    mni_text *out;                          /* borrowed */
    int depth, indent;                      /* indent: spaces per level; 0 = one line */
    uint8_t n_in[MNI_JSON_MAX_DEPTH];       /* 0 empty, 1 not */
    char close[MNI_JSON_MAX_DEPTH];
    int after_key;
} mni_json;

void mni_json_init(mni_json *j, mni_text *out, int indent);
void mni_json_object(mni_json *j);
void mni_json_array(mni_json *j);
void mni_json_end(mni_json *j);             /* of the innermost object or array */
void mni_json_key(mni_json *j, const char *key);
void mni_json_string(mni_json *j, const char *text);            /* NULL gives null */
void mni_json_number(mni_json *j, double v);        /* 6 digits, as f32; NaN, inf: null */
void mni_json_real(mni_json *j, double v, int digits);      /* significant digits 1..17 */
void mni_json_u64(mni_json *j, uint64_t v);
void mni_json_bool(mni_json *j, int v);
void mni_json_null(mni_json *j);

typedef enum mni_json_kind {
    MNI_JSON_NULL,
    MNI_JSON_BOOL,
    MNI_JSON_NUMBER,
    MNI_JSON_STRING,
    MNI_JSON_ARRAY,
    MNI_JSON_OBJECT
} mni_json_kind;

/* Children of an array or object follow as a list: first_child, then next (0 = none; node
 * 0 is the root, so 0 is never a child). In an object every child has a key. */
typedef struct mni_json_node {
    mni_json_kind kind;
    uint32_t first_child, next;
    /* NUL-terminated, unescaped, owned by the document; may hold no NUL */
    const char *key, *text;
    double number;              /* also 0/1 for booleans */
    uint64_t u64;       /* exact value when the number is a non-negative integer < 2^64 */
    int is_u64;
} mni_json_node;

typedef struct mni_json_doc {
    mni_json_node *nodes;
    size_t n_nodes, cap;
    char *strings;
} mni_json_doc;

/* Parses n_bytes (<= 64 MiB) of text; on failure the sentence has the byte position. */
mann_status mni_json_parse(mni_json_doc *doc, const char *text, size_t n_bytes,
                           mann_error *err);
void        mni_json_doc_fini(mni_json_doc *doc);
/* Member `key` of the object `node`, or NULL. */
const mni_json_node *mni_json_get(const mni_json_doc *doc, const mni_json_node *node,
                                  const char *key);

#endif
