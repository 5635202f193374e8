// printf, puts and fprintf(stderr) in a module: to the host's console, a line for each write of the C library
// (standard error writes long lines in pieces). Linked only where they are used.

#include <string>

#include <sys/ioctl.h>

#include <wasi/api.h>

#include <escapement/wasm_glue/abi.h>

extern "C" {

__wasi_errno_t __wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t* pieces, std::size_t count,
                               __wasi_size_t* written) {
  if (fd != 1 && fd != 2) return __WASI_ERRNO_BADF;
  std::string line;
  for (std::size_t i = 0; i < count; ++i) {
    line.append(reinterpret_cast<const char*>(pieces[i].buf), pieces[i].buf_len);
  }
  *written = line.size();
  if (line.ends_with('\n')) line.pop_back();
  esc_host_log(static_cast<int>(fd), line.data(), line.size());
  return __WASI_ERRNO_SUCCESS;
}

// Says that standard output is a terminal: else the C library keeps it back by the kilobyte.
int __syscall_ioctl(int, int request, ...) { return request == TIOCGWINSZ ? 0 : -1; }

__wasi_errno_t __wasi_fd_close(__wasi_fd_t) { return __WASI_ERRNO_BADF; }

__wasi_errno_t __wasi_fd_seek(__wasi_fd_t, __wasi_filedelta_t, __wasi_whence_t, __wasi_filesize_t*) {
  return __WASI_ERRNO_SPIPE;
}

}  // extern "C"
