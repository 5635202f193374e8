// The parts that the programs that measure clients share: their command line, their end, and their report.

#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "arguments.h"
#include "sockets.h"

namespace bench {

struct ClientRun {
  std::uint16_t port = 0;
  int connections = 16;
  std::uint64_t count = 0;
  double seconds = 1;
  double warm = 0;
  bool idle = false;

  // False, and says why, if that is not how to call it.
  bool read(int argc, char** argv) {
    const auto flag = [this](std::string_view name) { return name == "--idle" && (idle = true); };
    const auto option = [this](std::string_view name, const char* value) {
      if (name == "--connections") return (connections = std::atoi(value)) > 0;
      if (name == "--count") return (count = std::strtoull(value, nullptr, 10)) > 0;
      if (name == "--seconds") return (seconds = std::atof(value)) > 0;
      if (name == "--warm") return (warm = std::atof(value)) >= 0;
      return false;
    };
    if (read_arguments(argc, argv, port, flag, option)) return true;
    std::fprintf(
        stderr,
        "%s PORT [--connections N] [--count N | --seconds S [--warm S]] [--idle]\n\n"
        "  Asks for http://127.0.0.1:PORT/ over and over on N connections (16).\n"
        "  --count N    ends after so many responses; --seconds S: after so long\n"
        "  --warm S     does not count the responses of the first S seconds\n"
        "  --idle       one request on each connection, then says what the idle ones take (ours only)\n",
        argv[0]);
    return false;
  }
};

// Counts the responses of a run.
class Progress {
 public:
  explicit Progress(const ClientRun& run) : run_(run), began_(now()), cpu_began_(cpu_of(0)) {
    warming_ = run.count == 0 && run.warm > 0;
    ends_ = began_ + static_cast<std::int64_t>((warming_ ? run.warm : run.seconds) * 1e9);
  }
  bool over() const { return over_; }
  void answered() {
    if (++answered_ == run_.count) finish(now());
  }
  // Between responses; reads no clock in a run that counts.
  void look_at_clock() {
    if (run_.count != 0 || over_) return;
    const std::int64_t at = now();
    if (at < ends_) return;
    if (!warming_) return finish(at);
    warming_ = false;
    began_ = at;
    cpu_began_ = cpu_of(0);
    answered_ = 0;
    ends_ = at + static_cast<std::int64_t>(run_.seconds * 1e9);
  }
  void report() const {
    const double seconds = static_cast<double>(ended_ - began_) / 1e9;
    const double answered = static_cast<double>(answered_);
    std::printf("{\"answers\": %llu, \"rate\": %.1f, \"cpu_us\": %.3f}\n",
                static_cast<unsigned long long>(answered_), answered / seconds,
                static_cast<double>(cpu_ended_ - cpu_began_) / 1e3 / answered);
  }

 private:
  void finish(std::int64_t at) {
    over_ = true;
    ended_ = at;
    cpu_ended_ = cpu_of(0);
  }

  const ClientRun& run_;
  std::int64_t began_;
  std::int64_t cpu_began_;
  std::int64_t ends_;
  std::int64_t ended_ = 0;
  std::int64_t cpu_ended_ = 0;
  std::uint64_t answered_ = 0;
  bool warming_;
  bool over_ = false;
};

}  // namespace bench
