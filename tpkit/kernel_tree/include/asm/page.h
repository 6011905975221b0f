/* The size of the running kernel's pages, given on the compiler's command line. */
#pragma once
#define PAGE_SIZE TPKIT_PAGE_SIZE
