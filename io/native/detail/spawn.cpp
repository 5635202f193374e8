#include <escapement/io/native/detail/spawn.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <escapement/io/native/detail/system.h>

extern char** environ;

namespace escapement::detail {

namespace {

constexpr int standard_streams = 3;
constexpr int number_max = 1023;

// The list of what the child does with its descriptors before it executes the program. The first failure is
// kept.
class Actions {
 public:
  Actions() : failure_(::posix_spawn_file_actions_init(&actions_)) {}
  Actions(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void duplicate(int fd, int as) { add(::posix_spawn_file_actions_adddup2(&actions_, fd, as)); }
  void open_null(int as) { add(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDWR, 0)); }
  void close(int fd) { add(::posix_spawn_file_actions_addclose(&actions_, fd)); }
  void close_from(int fd) { add(posix::add_child_close_from(actions_, fd)); }
  void change_directory(const std::string& path) { add(posix::add_child_directory(actions_, path.c_str())); }

  int failure() const { return failure_; }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void add(int failure) {
    if (failure_ == 0) failure_ = failure;
  }

  posix_spawn_file_actions_t actions_{};
  int failure_;
};

class Attributes {
 public:
  explicit Attributes(bool group) {
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigaddset(&signals, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (group) flags |= POSIX_SPAWN_SETPGROUP;
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  Attributes(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// Pointers into the strings, which must outlive them, as exec takes them.
std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& each : strings) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool has_zero_byte(const std::vector<std::string>& strings) {
  return std::any_of(strings.begin(), strings.end(),
                     [](const std::string& each) { return each.find('\0') != each.npos; });
}

Result<> check(const ProcessOptions& options) {
  const auto wrong = [](const std::string& why) {
    return Error(Errc::invalid_argument, "start a process: " + why);
  };
  if (options.arguments.empty()) return wrong("there are no arguments, not even the program's name");
  if (has_zero_byte(options.arguments) || has_zero_byte({options.program, options.directory}) ||
      (options.environment && has_zero_byte(*options.environment))) {
    return wrong("a string contains a zero byte");
  }
  std::vector<int> numbers;
  for (const ProcessOptions::Descriptor& passed : options.descriptors) {
    const std::string number = std::to_string(passed.as);
    if (passed.as < standard_streams || passed.as > number_max) {
      return wrong("a descriptor cannot become number " + number + ": there are 3 to " +
                   std::to_string(number_max));
    }
    if (::fcntl(passed.fd, F_GETFD) < 0) {
      return wrong("descriptor " + std::to_string(passed.fd) + " is not open");
    }
    if (std::count(numbers.begin(), numbers.end(), passed.as) != 0) {
      return wrong("two descriptors become number " + number);
    }
    numbers.push_back(passed.as);
  }
  return {};
}

// The descriptors of the child, by their sources, which all have numbers beyond those that the child uses: so
// none is overwritten before its turn.
class Descriptors {
 public:
  explicit Descriptors(const ProcessOptions& options) : options_(options) {
    for (const ProcessOptions::Descriptor& passed : options.descriptors) most_ = std::max(most_, passed.as);
  }

  Result<> open(StartedProcess& own) {
    const std::array<Stdio, standard_streams> kinds{options_.input, options_.output, options_.errors};
    const std::array<posix::Fd*, standard_streams> ends{&own.input, &own.output, &own.errors};
    for (int number = 0; number < standard_streams; ++number) {
      const auto i = static_cast<std::size_t>(number);
      if (kinds[i] != Stdio::pipe) continue;
      posix::Pipe pipe = posix::open_pipe();
      if (!pipe.read) return failure();
      const bool input = number == 0;
      *ends[i] = std::move(input ? pipe.write : pipe.read);
      if (Result<> taken = take((input ? pipe.read : pipe.write).get(), number); !taken) return taken;
    }
    for (const ProcessOptions::Descriptor& passed : options_.descriptors) {
      if (Result<> taken = take(passed.fd, passed.as); !taken) return taken;
    }
    return {};
  }

  void add_to(Actions& actions) const {
    const std::array<Stdio, standard_streams> kinds{options_.input, options_.output, options_.errors};
    for (int number = 0; number < standard_streams; ++number) {
      const Stdio kind = kinds[static_cast<std::size_t>(number)];
      if (kind == Stdio::null) actions.open_null(number);
      // Clears close-on-exec.
      if (kind == Stdio::inherit && ::fcntl(number, F_GETFD) >= 0) actions.duplicate(number, number);
    }
    std::vector<bool> used(static_cast<std::size_t>(most_) + 1);
    for (const Source& source : sources_) {
      actions.duplicate(source.fd.get(), source.as);
      used[static_cast<std::size_t>(source.as)] = true;
    }
    for (int number = standard_streams; number <= most_; ++number) {
      if (!used[static_cast<std::size_t>(number)]) actions.close(number);
    }
    actions.close_from(most_ + 1);
  }

 private:
  struct Source {
    Source(posix::Fd f, int a) : fd(std::move(f)), as(a) {}
    posix::Fd fd;
    int as;
  };

  static Error failure() { return Error::from_errno(errno, "start a process: descriptors"); }

  Result<> take(int fd, int as) {
    posix::Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, most_ + 1));
    if (!copy) return failure();
    sources_.emplace_back(std::move(copy), as);
    return {};
  }

  const ProcessOptions& options_;
  int most_ = standard_streams - 1;
  std::vector<Source> sources_;
};

Errc kind_of(int number, const std::string& what) {
  switch (number) {
    case ENOENT: return Errc::not_found;
    case E2BIG: return Errc::limit_exceeded;
    case ENOEXEC:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ELIBBAD: return Errc::invalid_argument;
    default: return Error::from_errno(number, what).code();
  }
}

// Says whether it was the folder that could not be used, or the program.
Error failure_of(int number, const ProcessOptions& options, const std::string& program) {
  const std::string what = "start " + program;
  if (!options.directory.empty()) {
    struct stat status{};
    if (::stat(options.directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      return Error::from_errno(number, what + " in " + options.directory + ": the folder",
                               Errc::invalid_argument);
    }
    if (::access(options.directory.c_str(), X_OK) != 0) {
      return Error::from_errno(number, what + " in " + options.directory + ": the folder");
    }
  }
  return Error::from_errno(number, what, kind_of(number, what));
}

}  // namespace

Result<StartedProcess> spawn(const ProcessOptions& options) {
  if (Result<> checked = check(options); !checked) return std::move(checked).error();
  StartedProcess spawned;
  Descriptors descriptors(options);
  if (Result<> opened = descriptors.open(spawned); !opened) return std::move(opened).error();
  Actions actions;
  descriptors.add_to(actions);
  if (!options.directory.empty()) actions.change_directory(options.directory);
  const std::string& program = options.program.empty() ? options.arguments.front() : options.program;
  if (actions.failure() != 0) return failure_of(actions.failure(), options, program);
  const Attributes attributes(options.group);
  const std::vector<char*> arguments = pointers_to(options.arguments);
  std::vector<char*> environment;
  if (options.environment) environment = pointers_to(*options.environment);
  char* const* const variables = options.environment ? environment.data() : environ;
  const int number = ::posix_spawnp(&spawned.id, program.c_str(), actions.get(), attributes.get(),
                                    arguments.data(), variables);
  if (number != 0) return failure_of(number, options, program);
  return spawned;
}

}  // namespace escapement::detail
