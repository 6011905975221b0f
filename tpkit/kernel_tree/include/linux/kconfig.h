/* BCC gives this file to its compiler before anything else. */
#pragma once
#define __KERNEL__ 1
#define CONFIG_BPF_SYSCALL 1
#include <linux/types.h>
