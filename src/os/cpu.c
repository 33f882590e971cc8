/* cpu.c - see cpu.h. The compiler's builtins ask CPUID and XGETBV: a CPU whose operating
 * system does not save the wide registers does not count as having them.
 * SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

unsigned mni_cpu_detect(void)
{
    unsigned cpu = 0;
#if MNI_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) cpu |= MNI_CPU_SSE42;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        cpu |= MNI_CPU_AVX2;
    if ((cpu & MNI_CPU_AVX2) && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2"))
        cpu |= MNI_CPU_BMI2;
    if ((cpu & MNI_CPU_AVX2) && __builtin_cpu_supports("pclmul")) cpu |= MNI_CPU_CLMUL;
    if ((cpu & MNI_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        cpu |= MNI_CPU_AVX512;
    if ((cpu & MNI_CPU_AVX512) && __builtin_cpu_supports("avx512vnni"))
        cpu |= MNI_CPU_VNNI;
    if ((cpu & MNI_CPU_VNNI) && __builtin_cpu_supports("avx512bf16")) cpu |= MNI_CPU_BF16;
    if ((cpu & MNI_CPU_VNNI) && __builtin_cpu_supports("avx512vbmi")) cpu |= MNI_CPU_VBMI;
#elif MNI_ARM64
    cpu |= MNI_CPU_NEON;
#endif
    return cpu;
}

unsigned mni_cpu_cap(unsigned cpu, const char *cap)
{
    enum { AVX2 = MNI_CPU_SSE42 | MNI_CPU_AVX2 | MNI_CPU_BMI2 | MNI_CPU_CLMUL };
    static const struct { const char *name; unsigned keeps; } caps[] = {
        { "scalar", 0 },
        { "avx2", AVX2 },
        { "avx512", AVX2 | MNI_CPU_AVX512 },
        { "avx512vnni", ~0u },
        { "neon", MNI_CPU_NEON },
    };
    for (size_t i = 0; cap && i < sizeof caps / sizeof *caps; i++)
        if (strcmp(cap, caps[i].name) == 0) return cpu & caps[i].keeps;
    return cpu;
}

unsigned mni_cpu_allowed(void)
{
    return mni_cpu_cap(mni_cpu_detect(), getenv("METRICANN_SIMD"));
}

/* A container or taskset may have given this process fewer cores than the machine has.
 * The raw call fills whole bytes of the mask and returns how many; its C wrapper would
 * need _GNU_SOURCE. */
static long allowed_cores(void)
{
    long n = 0;
#if defined(__linux__) && defined(SYS_sched_getaffinity)
    unsigned char mask[1024];
    long n_bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (long i = 0; i < n_bytes; i++)
        for (unsigned bits = mask[i]; bits; bits &= bits - 1) n++;
#endif
    return n;
}

unsigned mni_cpu_count(void)
{
    long n = allowed_cores();
    if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (unsigned)n;
}

void mni_cpu_name(char *out, unsigned size)
{
    char line[256];
    snprintf(out, size, "unknown CPU");
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "model name", 10) != 0) continue;
        char *at = strchr(line, ':');
        if (!at) continue;
        at++;
        at += strspn(at, " \t");
        at[strcspn(at, "\n")] = '\0';
        snprintf(out, size, "%s", at);
        break;
    }
    fclose(f);
}
