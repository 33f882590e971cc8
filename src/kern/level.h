/* level.h - what a function of src/kern says to be compiled for one instruction set.
 *
 * The attribute stands on the function, not on the command line: every file is built with
 * the same flags on every CPU, and nothing outside a marked function can contain an
 * instruction that an older CPU lacks (compilers do not inline a marked function into an
 * unmarked one).
 *
 *     MNI_AVX2 static float sum8(__m256 v) { ... }
 *
 * Only for files of src/kern, inside #if MNI_X86. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_LEVEL_H
#define MNI_KERN_LEVEL_H

#include "os/cpu.h"

#if MNI_X86
#define MNI_SSE42  __attribute__((target("sse4.2")))
#define MNI_AVX2   __attribute__((target("avx2,fma,f16c")))
#define MNI_BMI2   __attribute__((target("bmi,bmi2")))
#define MNI_AVX512                                                                       \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define MNI_VNNI                                                                         \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,"           \
                          "avx512vnni")))
#define MNI_BF16                                                                         \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,"           \
                          "avx512bf16")))
#endif

/* For bodies written once with a count as an argument and used with constant counts:
 * inlined, the loops over the count unroll and their arrays of accumulators become
 * registers. */
#if defined(__GNUC__) || defined(__clang__)
#define MNI_INLINE inline __attribute__((always_inline))
#else
#define MNI_INLINE inline
#endif

/* Before a loop whose bounds become constants by inlining: all of it is written out, so
 * that the arrays it walks can be registers. Not under a sanitizer, which puts a check
 * before every access: the SGEMM tiles alone took 155 seconds to compile. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MNI_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MNI_SANITIZED 1
#endif
#if defined(MNI_SANITIZED)
#define MNI_UNROLL
#elif defined(__clang__)
#define MNI_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define MNI_UNROLL _Pragma("GCC unroll 48")
#else
#define MNI_UNROLL
#endif

#endif
