/* uuid.c - names for files: 96 bits that no other file has. See container.h.
 *
 * A base and its journal find each other by (uuid, generation). That asks for uniqueness,
 * not for secrecy, so no random device is opened: clock, process number and a counter are
 * mixed. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "os/clock.h"
#include "store/container.h"

static mni_uuid from_two(uint64_t a, uint64_t b)
{
    mni_uuid u;
    mni_put64(u.bytes, a);
    mni_put32(u.bytes + 8, (uint32_t)b);
    return u;
}

mni_uuid mni_uuid_new(void)
{
    /* A temp name holds the process number and a counter of this process: just what is
     * wanted, and the one place outside os/ where they can be had. */
    char name[64];
    if (mni_temp_name("uuid", name, sizeof name, NULL) != MANN_OK) name[0] = '\0';
    double fine = mni_clock_seconds();  /* tells apart what began in one second */
    const char *stack = name;           /* and this, machines that booted alike */
    uint64_t h = mni_hash_bytes(name, strlen(name), mni_clock_unix());
    h = mni_hash_bytes(&fine, sizeof fine, h);
    h = mni_hash_bytes(&stack, sizeof stack, h);
    return from_two(h, mni_mix64(h + 1));
}

mni_uuid mni_uuid_from(uint64_t seed, uint64_t content_hash)
{
    uint64_t a = mni_mix64(mni_mix64(seed + MNI_FOR_UUID) ^ content_hash);
    return from_two(a, mni_mix64(a ^ seed));
}

int mni_uuid_same(mni_uuid a, mni_uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* 8-4-4-8 letters: 3f2a9c01-77e0-4b1d-9a8c5510 */
void mni_uuid_text(mni_uuid u, char out[40])
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof u.bytes; i++) {
        if (i == 4 || i == 6 || i == 8) out[at++] = '-';
        at += (size_t)snprintf(out + at, 40 - at, "%02x", u.bytes[i]);
    }
}
