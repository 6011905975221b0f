/* The size of the running kernel's pages, which tpkit defines on the compiler's command line. */
#ifndef PAGE_SIZE
#define PAGE_SIZE TPKIT_PAGE_SIZE
#endif
