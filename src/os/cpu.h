/* cpu.h - which instruction sets this CPU has and the system lets us use.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_OS_CPU_H
#define MNI_OS_CPU_H

#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
#define MNI_X86 1
#else
#define MNI_X86 0
#endif
#if defined(__aarch64__)
#define MNI_ARM64 1
#else
#define MNI_ARM64 0
#endif

/* Levels, each meaning all of its parts: AVX2 = AVX2+FMA+F16C, AVX512 = F+BW+DQ+VL, VNNI
 * = VNNI on top of AVX512, BF16 and VBMI likewise. */
enum {
    MNI_CPU_AVX2 = 1, MNI_CPU_AVX512 = 2, MNI_CPU_VNNI = 4, MNI_CPU_BF16 = 8,
    MNI_CPU_NEON = 16,
    MNI_CPU_SSE42 = 32,         /* crc32 instruction */
    MNI_CPU_BMI2 = 64, MNI_CPU_CLMUL = 128,     /* beside AVX2; counted to its level */
    MNI_CPU_VBMI = 256          /* bytes shuffled across a whole register */
};

unsigned mni_cpu_detect(void);                      /* what is there */
/* The bits of `cpu` at or below the level called `cap` ("scalar", "avx2", "avx512",
 * "avx512vnni", "neon"); an unknown or NULL cap changes nothing. Pure. */
unsigned mni_cpu_cap(unsigned cpu, const char *cap);
unsigned mni_cpu_allowed(void);                    /* detect, capped by $METRICANN_SIMD */

unsigned mni_cpu_count(void);                       /* cores this process may use, >= 1 */
void     mni_cpu_name(char *out, unsigned size);    /* "AMD EPYC ...", for bench lines */

#endif
