// std::chrono's clocks, time() and clock_gettime() in a module: by the host's two clocks. Linked only where
// they are used. Inside tasks the reactor's clock is the one that tests can move.

#include <wasi/api.h>

#include <escapement/wasm_glue/abi.h>

extern "C" __wasi_errno_t __wasi_clock_time_get(__wasi_clockid_t id, __wasi_timestamp_t,
                                                __wasi_timestamp_t* time) {
  constexpr double nanoseconds = 1e6;  // a millisecond has
  const double now = id == __WASI_CLOCKID_REALTIME ? esc_host_wall() : esc_host_now();
  *time = static_cast<__wasi_timestamp_t>(now * nanoseconds);
  return __WASI_ERRNO_SUCCESS;
}
