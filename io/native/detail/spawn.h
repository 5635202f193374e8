// Starts a program: the part of process.cpp before there is a process.

#pragma once

#include <sys/types.h>

#include <escapement/core/error.h>
#include <escapement/io/native/posix.h>
#include <escapement/io/native/process.h>

namespace escapement::detail {

struct StartedProcess {
  pid_t id = 0;
  // This program's ends of the pipes, which still block; empty where there is none.
  posix::Fd input;
  posix::Fd output;
  posix::Fd errors;
};

// Fails as Process::start.
Result<StartedProcess> spawn(const ProcessOptions& options);

}  // namespace escapement::detail
