/* fuzz.h - what every target has: libFuzzer's entry, and a check that stops the process.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Readers of our own files and lists: one function each, which entry.c makes a fuzzer of
 * and test_corpus.c runs over what the fuzzers have found. (The decoders of pictures have
 * libFuzzer's entry themselves: one source, compiled for one format after the other.) */
int fuzz_container(const uint8_t *bytes, size_t n_bytes);
int fuzz_journal(const uint8_t *bytes, size_t n_bytes);
int fuzz_npy(const uint8_t *bytes, size_t n_bytes);
int fuzz_index(const uint8_t *bytes, size_t n_bytes);
int fuzz_gallery(const uint8_t *bytes, size_t n_bytes);
int fuzz_model(const uint8_t *bytes, size_t n_bytes);
int fuzz_json(const uint8_t *bytes, size_t n_bytes);
int fuzz_dataset(const uint8_t *bytes, size_t n_bytes);
int fuzz_pack(const uint8_t *bytes, size_t n_bytes);

#define FUZZ_CHECK(x) do { if (!(x)) {                                                  \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); } } while (0)

#endif
