/* Loaded before a program (LD_PRELOAD): an allocation fails, or all from one on do.

   ESC_FAIL_AT=N      the N-th allocation of the process fails, counted from 1
   ESC_FAIL_COUNT=K   and the K-1 after it; 1 if not given
   ESC_FAIL_LOG=FILE  at exit the number of allocations is written there */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static atomic_long made;
static long first = -1;
static long count = 1;

static long number_in(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text ? atol(text) : otherwise;
}

static int fails(void) {
  if (first < 0) {
    first = number_in("ESC_FAIL_AT", 0);
    count = number_in("ESC_FAIL_COUNT", 1);
  }
  const long number = ++made;
  if (first == 0 || number < first || number - first >= count) return 0;
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void* calloc(size_t number, size_t size) { return fails() ? NULL : __libc_calloc(number, size); }
void* realloc(void* block, size_t size) { return fails() ? NULL : __libc_realloc(block, size); }
void* memalign(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}

__attribute__((destructor)) static void tell(void) {
  const char* name = getenv("ESC_FAIL_LOG");
  const long sum = made;
  first = 0;
  if (name == NULL) return;
  FILE* file = fopen(name, "w");
  if (file == NULL) return;
  fprintf(file, "%ld\n", sum);
  fclose(file);
}
