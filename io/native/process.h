// Child processes: start a program, talk to it through pipes, wait for its end.
//
//     ProcessOptions options({"sort", "-u"});
//     options.input = options.output = Stdio::pipe;
//     std::unique_ptr<Process> sort = co_await Process::start(loop.backend(), options);
//     co_await sort->input->write(as_bytes("b\na\n"));
//     sort->input.reset();                                        // the end of its input
//     std::size_t count = co_await sort->output->read(room);
//     ExitStatus status = co_await sort->wait();
//
//     ProcessOptions log({"git", "log"});
//     ProcessOutput result = co_await run_process(loop.backend(), log);  // all of that at once
//
// A process belongs to its Process: destroying that, which cancelling its task does, kills it by SIGKILL and
// reaps it. No zombie is left, and nothing is asked of the rest of the program: no SIGCHLD handler, no
// waiting for all children. Where the kernel has process descriptors (pidfd_open(2), Linux 5.3) the poller
// reports the end; elsewhere a timer looks for it, every 1 to 50 ms.
//
// The child inherits the descriptors 0, 1 and 2 as the options say, those in `descriptors`, and no other one,
// whether or not it was marked close-on-exec. Its signal mask is empty and SIGPIPE has its default effect;
// other ignored signals stay ignored. It is not killed if this program dies without destructors.
//
// Source: posix_spawn(3), pidfd_open(2), waitid(2), signal(7).

#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/io/native/fd_backend.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/stream.h>

namespace escapement {

// The fate of a standard stream in the child.
enum class Stdio {
  inherit,  // this program's
  null,     // /dev/null
  pipe      // a pipe, whose other end is a Stream of the Process
};

// The program to start, and its surroundings.
struct ProcessOptions {
  ProcessOptions() = default;
  ProcessOptions(std::vector<std::string> a) : arguments(std::move(a)) {}

  // The program's arguments, beginning with its name: at least one. They reach it as they are; no shell is
  // involved.
  std::vector<std::string> arguments;
  // The program's file; empty: arguments[0]. A name without a slash is looked for in this program's PATH. A
  // relative path counts from `directory`.
  std::string program;
  // "NAME=value" lines; nullopt: this program's environment.
  std::optional<std::vector<std::string>> environment;
  std::string directory;  // empty: this program's current folder
  Stdio input = Stdio::inherit;
  Stdio output = Stdio::inherit;
  Stdio errors = Stdio::inherit;

  // A descriptor that the child gets, too, under the number `as` (3 to 1023). It stays open here.
  struct Descriptor {
    Descriptor(int f, int a) : fd(f), as(a) {}
    int fd;  // of this program
    int as;  // of the child
  };
  std::vector<Descriptor> descriptors;  // beside the standard three; all others close

  // Makes the child the first of a new process group. Signals, also the SIGKILL at the end, then go to the
  // whole group, and what is left of the group when the child has ended is killed before it is reaped.
  bool group = false;
  // Makes `wait` use its timer, for tests.
  bool without_process_descriptor = false;
};

// The way in which a process ended.
struct ExitStatus {
  int code = 0;    // 0 to 255; -1 if a signal ended the process
  int signal = 0;  // the signal that ended it, 0 if it exited
  // Returns whether it exited with 0.
  bool success() const { return code == 0; }
  // Formats the status: "exited with 3", "was killed by signal 9 (Killed)".
  std::string text() const;
};

// A running child process. Destroying it ends the child.
class Process {
 public:
  // Starts a program. `backend` must outlive the result. Returns once the program's file was executed, which
  // takes the time of a vfork. Fails, with errno in Error::os_number where the system refused, with
  // invalid_argument (no arguments, a zero byte in a string, a descriptor that is not open, a folder that
  // does not exist, a file that is no program), not_found (no such program), permission_denied,
  // limit_exceeded (arguments too long), overloaded (descriptors, processes, memory). Nothing is left of a
  // failed start.
  static Result<std::unique_ptr<Process>> start(FdBackend& backend, ProcessOptions options);
  Process(const Process&) = delete;
  // Kills the process, or its group, by SIGKILL if it has not ended, and reaps it. Waits up to 100 ms for
  // that, usually far less than one; a process that the kernel cannot end sooner is left to a thread that
  // reaps it.
  ~Process();

  // The other ends of the pipes; null where the options ask for none. Destroy `input`, or await its
  // `shutdown_write`, to end the child's input. They may outlive the Process.
  std::unique_ptr<Stream> input;
  std::unique_ptr<Stream> output;
  std::unique_ptr<Stream> errors;

  // Returns the process id; it may be reused once the process was reaped.
  pid_t id() const { return id_; }

  // Waits for the end of the process. Yields the same status again if it has ended before. One task at a
  // time; cancelling the wait leaves the process running. Output that nobody reads may keep the process from
  // ending. Fails with internal if the status was lost, because this program ignores SIGCHLD or reaped the
  // process itself, and with overloaded if it cannot be watched.
  Task<ExitStatus> wait();
  // Sends a signal, to the group if there is one. Fails with unavailable if the process has ended and `wait`
  // knows it; otherwise as kill(2).
  Result<> signal(int number);
  // Asks the process to end by SIGTERM, and kills it by SIGKILL after `grace`. Yields its status.
  Task<ExitStatus> stop(Duration grace);

 private:
  Process(FdBackend& backend, pid_t id, posix::Fd fd, bool group, std::string name);
  // Reaps the process if it has ended.
  Result<> collect();
  void kill();
  void end();

  FdBackend& backend_;
  const pid_t id_;
  posix::Fd fd_;  // a process descriptor; empty where there is none
  const bool group_;
  const std::string name_;
  FdWatch watch_;
  bool watched_ = false;
  bool lost_ = false;  // reaped by others
  std::optional<ExitStatus> status_;
};

// The outcome of `run_process`.
struct ProcessOutput {
  ExitStatus status;   // also of a program that failed
  std::string output;  // its standard output
  std::string errors;  // its standard error
};

// Runs a program to its end: writes `text` to its input, and collects its output and errors, whatever the
// options say about those three. Its status is not a failure. Fails as `Process::start` and `wait`, and with
// limit_exceeded, once the process was killed, if output and errors together exceed `output_max` bytes.
// Cancelling it kills the process.
Task<ProcessOutput> run_process(FdBackend& backend, ProcessOptions options, std::string text = {},
                                std::size_t output_max = 16 * MiB);

}  // namespace escapement
