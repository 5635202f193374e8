// The system calls that POSIX lacks, or that differ between its systems. system_linux.cpp implements them for
// Linux; another system needs a file of that kind, which CMake chooses by the system's name. Everything else
// in io/native is POSIX, except for the backends that only one system has (epoll_backend.h).

#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <escapement/core/error.h>
#include <escapement/core/time.h>
#include <escapement/io/native/posix.h>

struct sockaddr_un;

namespace escapement {
class SocketAddress;
struct OutgoingDatagram;
struct ReceivedDatagram;
struct UnixCredentials;
}  // namespace escapement

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
// Makes TCP probe a connection on which nothing has arrived for `idle` seconds, up to `probes` times, each
// `interval` seconds after the last. Returns false and sets errno on failure.
bool keep_alive(int socket, int idle, int interval, int probes);
// Makes a socket that is bound to an address get its port when it connects, so that many to different peers
// may share one. Without it there are as many connections as ports.
void choose_port_late(int socket);
// Sends up to `most` bytes of the file, from `offset` on, without raising SIGPIPE. Returns how many, 0 at the
// file's end, or -1 and errno: EINVAL or ENOSYS if the kernel cannot do it for this file.
ssize_t send_file(int socket, int file, off_t offset, std::size_t most);
// Writes to a pipe, a terminal or the like as write(2) does, without raising SIGPIPE.
ssize_t write_quietly(int fd, const void* bytes, std::size_t size);
// The event by which poll(2) reports that the peer has closed its direction, also while bytes are unread. 0
// if this system has none.
extern const short poll_peer_ended;

// --- Files

// Opens `path` below the folder `root` with the flags of open(2), and follows symbolic links as long as they
// stay below it. An empty Fd means failure; errno says which: ENOSYS if this system cannot do it, EXDEV for a
// path that leads out, EAGAIN if a rename happened meanwhile.
Fd open_beneath(int root, const char* path, int flags);

// --- UDP (udp.h). Return -1 and errno if there is no datagram, or no room for the first one, or on failure.

// Receives up to `into.size()` datagrams, at most 64; stores their sizes and senders. Returns how many.
int receive_datagrams(int socket, std::span<ReceivedDatagram> into);
// Sends up to `from.size()` datagrams, at most 64, to the addresses at the same places of `to`; those of size
// 0 are left out. Returns how many.
int send_datagrams(int socket, std::span<const OutgoingDatagram> from, std::span<const SocketAddress> to);
// Makes the kernel keep what ICMP reports about a socket's datagrams, with their destinations.
bool report_errors(int socket, int family);
// Takes the next such report: its errno value and the destination. Returns false if there is none.
bool take_reported_error(int socket, int& number, SocketAddress& destination);

// --- Unix sockets

// Stores who connected to, or listens at, the other end of a Unix socket. Returns false if it is unknown.
bool peer_credentials(int socket, UnixCredentials& peer);
// Stores an abstract name, which needs no file, and returns the address's size; 0 if this system has none.
socklen_t abstract_address(sockaddr_un& address, std::string_view name);

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

// --- Processes

struct Pipe {
  Fd read;
  Fd write;
};
// Opens a pipe whose ends block and close on exec. Empty ends mean failure; errno says which.
Pipe open_pipe();
// Make the child change its folder, and close every descriptor from `first` on, before it executes its
// program. Return an errno value, or 0.
int add_child_directory(posix_spawn_file_actions_t& actions, const char* path);
int add_child_close_from(posix_spawn_file_actions_t& actions, int first);
// Returns a descriptor that is readable once the child process has ended; an empty Fd where there is none.
Fd open_process(pid_t id);
// Sends a signal to such a process. Returns -1 and errno as kill(2) does.
int signal_process(int process, int number);

// --- Sleeping

// Returns how late the kernel may end a poller's sleep in this thread, as a divisor of its length: 1000 means
// by a thousandth.
int sleep_slack_divisor();
// Returns the time by which the kernel may delay this thread's sleeps in order to merge wake-ups.
Duration timer_slack();
void set_timer_slack(Duration slack);
// Returns the kernel's id of this thread.
int thread_id();

// --- The clock that counts suspension

// Returns the time since the machine booted, the time in which it was suspended included.
Duration boot_time();
// Opens a timer on that clock. An empty Fd means failure; errno says which.
Fd open_boot_timer();
// Makes the timer readable from `deadline` on, after boot; it is not readable until then. Duration::max():
// never.
void set_boot_timer(int timer, Duration deadline);

// --- Threads

// Sets the name that debuggers and `top -H` show for this thread: at most 15 bytes, the rest is cut off.
void name_this_thread(std::string name);

// --- Randomness

// Returns bits of the kernel's generator; not for secrets.
std::uint64_t entropy();

}  // namespace escapement::posix
