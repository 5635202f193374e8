// The system calls that POSIX lacks, or that differ between its systems. system_linux.cpp implements them for
// Linux; another system needs a file of that kind, which CMake chooses by the system's name. Everything else
// in io/native is POSIX, except for the backends that only one system has (epoll_backend.h).

#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include <escapement/core/error.h>
#include <escapement/core/time.h>
#include <escapement/io/native/posix.h>

namespace escapement::posix {

// --- Sockets. They are non-blocking and close on exec. An empty Fd means failure; errno says which.

// Opens a socket. `type` is SOCK_STREAM or SOCK_DGRAM.
Fd open_socket(int family, int type);
// Accepts a connection from the queue of `listener`; stores the peer's address in `peer` and `length`.
Fd accept_connection(int listener, sockaddr_storage& peer, socklen_t& length);
// Returns whether errno `number` of accept_connection is about the one connection that it took off the queue.
// Any other failure, of our descriptors, memory, filters or socket, may last: the caller waits before it
// retries.
bool connection_broke(int number);
// Lets several listeners share an address; the kernel spreads connections over them.
void share_address(int socket);
// Sends up to `most` bytes of the file, from `offset` on, without raising SIGPIPE. Returns how many, 0 at the
// file's end, or -1 and errno: EINVAL or ENOSYS if the kernel cannot do it for this file.
ssize_t send_file(int socket, int file, off_t offset, std::size_t most);
// The event by which poll(2) reports that the peer has closed its direction, also while bytes are unread. 0
// if this system has none.
extern const short poll_peer_ended;

// --- Files

// Opens `path` below the folder `root` with the flags of open(2), and follows symbolic links as long as they
// stay below it. An empty Fd means failure; errno says which: ENOSYS if this system cannot do it, EXDEV for a
// path that leads out, EAGAIN if a rename happened meanwhile.
Fd open_beneath(int root, const char* path, int flags);

// --- Wake-ups by other threads

// The descriptors that wake-ups go through. `sender` is empty if `receiver` is both ends.
struct Wakeup {
  Fd receiver;  // readable from a wake-up until that is taken
  Fd sender;
};
// Fails with overloaded.
Result<Wakeup> open_wakeup();
// Makes the receiver readable. Thread-safe.
void send_wakeup(const Wakeup& wakeup) noexcept;
// Takes all wake-ups that were sent.
void take_wakeups(const Wakeup& wakeup) noexcept;

// --- Signals

// Opens a descriptor that is readable while a signal of `numbers`, which all threads block, is pending. An
// empty Fd means failure; errno says which.
Fd open_signals(const sigset_t& numbers);
// Takes the next pending signal. Returns its number, 0 if there is none.
int take_signal(int signals);

// --- Sleeping

// Returns how late the kernel may end a poller's sleep in this thread, as a divisor of its length: 1000 means
// by a thousandth.
int sleep_slack_divisor();
// Returns the time by which the kernel may delay this thread's sleeps in order to merge wake-ups.
Duration timer_slack();
void set_timer_slack(Duration slack);
// Returns the kernel's id of this thread.
int thread_id();

// --- Randomness

// Returns bits of the kernel's generator; not for secrets.
std::uint64_t entropy();

}  // namespace escapement::posix
