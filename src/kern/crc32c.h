/* crc32c.h - the checksum of every file (Castagnoli polynomial, reflected 0x82F63B78, as
 * in iSCSI RFC 3720 B.4). "123456789" gives 0xE3069283. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_CRC32C_H
#define MNI_KERN_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over n bytes. */
uint32_t mni_crc32c(uint32_t crc, const void *bytes, size_t n_bytes);
/* The same in plain C: the oracle. */
uint32_t mni_crc32c_plain(uint32_t crc, const void *bytes, size_t n_bytes);

#endif
