// Which system calls a piece of code makes, counted by tracing a child process that runs it.

#pragma once

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <optional>

namespace escapement::test {

// Calls of each number that `body` made, without those of its setting up: it is given a function to call
// where counting begins and again where it ends. nullopt where processes may not be traced.
template <class Body>
std::optional<std::map<long, long>> count_system_calls(Body body) {
  const auto mark = [] { ::syscall(SYS_getppid); };
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    body(mark);
    ::_exit(0);
  }
  std::map<long, long> counts;
  int status = 0;
  bool counting = false;
  bool traced = false;
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    if (!traced) traced = ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD) == 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        const long number = static_cast<long>(info.entry.nr);
        if (number == SYS_getppid) {
          counting = !counting;
        } else if (counting) {
          ++counts[number];
        }
      }
    }
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  if (!traced || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return counts;
}

}  // namespace escapement::test
