/* exported.c - see exported.h. SPDX-License-Identifier: MIT */
#include "cli/exported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t mni_record_hash(const mann_record *r, size_t dim)
{
    const uint64_t numbers[3] = { r->id, r->content_hash, r->time };
    uint64_t h = mni_hash_bytes(numbers, sizeof numbers, 0);
    h = r->class_name ? mni_hash_bytes(r->class_name, strlen(r->class_name) + 1, h)
                      : h + 1;
    h = mni_hash_bytes(r->source, strlen(r->source) + 1, h);
    if (r->key && *r->key) h = mni_hash_bytes(r->key, strlen(r->key) + 1, h);
    return mni_hash_bytes(r->vector, dim * sizeof *r->vector, h);
}

void mni_hex64(char out[17], uint64_t v)
{
    snprintf(out, 17, "%016llx", (unsigned long long)v);
}

int mni_hex64_parse(const char *text, uint64_t *v)
{
    uint64_t sum = 0;
    if (strlen(text) != 16) return 0;
    for (; *text; text++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, *text);
        if (!at) return 0;
        sum = sum << 4 | (uint64_t)(at - digits);
    }
    *v = sum;
    return 1;
}

static int take(void *user, const mann_record *r)
{
    mni_known_records *k = user;
    if (!mni_grow((void **)&k->items, &k->cap, k->n + 1, sizeof *k->items))
        return k->failed = 1;
    const uint64_t hash = mni_record_hash(r, k->dim);
    k->items[k->n++] = (mni_known){ r->id, hash };
    k->state += hash;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const mni_known *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

mann_status mni_known_of(mni_cli *c, mann_gallery *g, mni_known_records *out)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    *out = (mni_known_records){ .n = 0 };
    mann_status s = mann_gallery_describe(g, &info, &c->err);
    out->dim = info.dim;
    out->fingerprint = info.fingerprint;
    if (s == MANN_OK) s = mann_gallery_each(g, take, out, &c->err);
    if (s == MANN_OK && out->failed)
        s = mni_fail(&c->err, MANN_E_NOMEM, "list of %zu records", out->n);
    if (s == MANN_OK && out->n) qsort(out->items, out->n, sizeof *out->items, by_id);
    if (s != MANN_OK) mni_known_fini(out);
    return s;
}

mann_status mni_known_read(mni_cli *c, const char *path, mni_known_records *out)
{
    mann_gallery *g;
    mann_status s = mann_gallery_open(&g, path, MANN_OPEN_READ, &c->err);
    if (s == MANN_OK) s = mni_known_of(c, g, out);
    mann_gallery_free(g);
    return s;
}

int mni_known_find(const mni_known_records *k, uint64_t id, size_t *at)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (k->items[mid].id < id) low = mid + 1;
        else high = mid;
    }
    *at = low;
    return low < k->n && k->items[low].id == id;
}

void mni_known_fini(mni_known_records *k)
{
    mni_free(k->items);
    *k = (mni_known_records){ .n = 0 };
}
