#include "support/failing_calls.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <new>

namespace escapement::test {

namespace {

struct Fault {
  std::atomic<int> number{0};
  std::atomic<long> works{0};
  std::atomic<long> left{0};
  std::atomic<long> count{0};
};

Fault& fault_of(Call call) {
  static std::array<Fault, static_cast<std::size_t>(Call::count_of_them)> faults;
  return faults[static_cast<std::size_t>(call)];
}

bool fails(Call call) {
  Fault& fault = fault_of(call);
  if (fault.left == 0) return false;
  if (fault.works > 0) return --fault.works < 0;
  --fault.left;
  ++fault.count;
  errno = fault.number;
  return true;
}

}  // namespace

FailingCall::FailingCall(Call call, int number, long times, long works) : call_(call) {
  fault_of(call).number = number;
  fault_of(call).count = 0;
  fault_of(call).works = works;
  fault_of(call).left = times;
}

FailingCall::~FailingCall() { fault_of(call_).left = 0; }

long FailingCall::count() const { return fault_of(call_).count; }

}  // namespace escapement::test

// NOLINTBEGIN: the names are the linker's.
using escapement::test::Call;
using escapement::test::fails;

extern "C" {
int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int __real_epoll_create1(int flags);
int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
int __real_eventfd(unsigned int count, int flags);
int __real_fsync(int fd);
ssize_t __real_pread(int fd, void* room, std::size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void* bytes, std::size_t size, off_t offset);
int __real_rename(const char* from, const char* to);
ssize_t __real_recv(int fd, void* room, std::size_t size, int flags);
ssize_t __real_send(int fd, const void* bytes, std::size_t size, int flags);
int __real_setsockopt(int fd, int level, int name, const void* value, socklen_t size);
int __real_socket(int family, int type, int protocol);

int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  return fails(Call::accept4) ? -1 : __real_accept4(fd, address, length, flags);
}

int __wrap_epoll_create1(int flags) { return fails(Call::epoll_create1) ? -1 : __real_epoll_create1(flags); }

int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  if (operation == EPOLL_CTL_ADD && fails(Call::epoll_ctl_add)) return -1;
  if (operation == EPOLL_CTL_MOD && fails(Call::epoll_ctl_mod)) return -1;
  return __real_epoll_ctl(epoll, operation, fd, event);
}

int __wrap_eventfd(unsigned int count, int flags) {
  return fails(Call::eventfd) ? -1 : __real_eventfd(count, flags);
}

int __wrap_fsync(int fd) { return fails(Call::fsync) ? -1 : __real_fsync(fd); }

ssize_t __wrap_pread(int fd, void* room, std::size_t size, off_t offset) {
  if (!fails(Call::pread)) return __real_pread(fd, room, size, offset);
  return errno == 0 ? __real_pread(fd, room, 1, offset) : -1;
}

ssize_t __wrap_pwrite(int fd, const void* bytes, std::size_t size, off_t offset) {
  if (!fails(Call::pwrite)) return __real_pwrite(fd, bytes, size, offset);
  return errno == 0 ? __real_pwrite(fd, bytes, 1, offset) : -1;
}

int __wrap_rename(const char* from, const char* to) {
  return fails(Call::rename) ? -1 : __real_rename(from, to);
}

ssize_t __wrap_recv(int fd, void* room, std::size_t size, int flags) {
  return fails(Call::recv) ? -1 : __real_recv(fd, room, size, flags);
}

ssize_t __wrap_send(int fd, const void* bytes, std::size_t size, int flags) {
  return fails(Call::send) ? -1 : __real_send(fd, bytes, size, flags);
}

int __wrap_setsockopt(int fd, int level, int name, const void* value, socklen_t size) {
  return fails(Call::setsockopt) ? -1 : __real_setsockopt(fd, level, name, value, size);
}

int __wrap_socket(int family, int type, int protocol) {
  return fails(Call::socket) ? -1 : __real_socket(family, type, protocol);
}

// operator new(std::size_t): all that this program and the library in it ask for.
void* __real__Znwm(std::size_t size);

void* __wrap__Znwm(std::size_t size) {
  if (fails(Call::allocate)) throw std::bad_alloc();
  return __real__Znwm(size);
}

// The aligned one: the timer wheel's blocks.
void* __real__ZnwmSt11align_val_t(std::size_t size, std::align_val_t alignment);

void* __wrap__ZnwmSt11align_val_t(std::size_t size, std::align_val_t alignment) {
  if (fails(Call::allocate)) throw std::bad_alloc();
  return __real__ZnwmSt11align_val_t(size, alignment);
}
}
// NOLINTEND
