/*
 * tpkit's own stand-in for a kernel source tree: what BCC includes for itself, and no more.
 * BCC gives this file to its compiler before anything else.
 */
#ifndef TPKIT_KCONFIG_H
#define TPKIT_KCONFIG_H

#define __KERNEL__ 1
#define CONFIG_BPF_SYSCALL 1

#include <linux/types.h>

typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef _Bool bool;
typedef __SIZE_TYPE__ size_t;
typedef __UINTPTR_TYPE__ uintptr_t;

#endif
