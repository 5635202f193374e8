// esc-timers: measures how late timers fire on this machine, ours and those of other libraries.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/last_words.h"
#include "tools/timers/bars.h"
#include "tools/timers/measure.h"
#include "tools/timers/page.h"
#include "tools/timers/picture.h"
#include "tools/timers/text.h"

using namespace escapement;
using namespace escapement::lateness;

namespace {

struct Options {
  std::vector<double> targets_ms{0.2, 1, 5, 20, 100, 1000};
  std::vector<int> loads{0};
  std::vector<std::string> only;
  std::vector<std::string> merge;
  std::vector<std::string> reports;
  std::string page;
  int count = 0;
  double seconds = 60;
  int at_once = 1;
  double slack_us = 0.001;
  double warm_up_us = 200;
  double spin_us = 100;
  bool json = false;
  bool bars = false;
  bool list = false;
  bool run = true;
  bool histogram = true;
};

constexpr const char* footer = R"(
Every contender sleeps alone in a loop of its own, one timer at a time. Contenders take turns by the clock,
so that the machine's noise affects all of them alike. Lateness is CLOCK_MONOTONIC in the timer's callback
minus the deadline, which is that clock before arming plus the target. The cpu column is the CPU time of the
sleeping thread, in microseconds a timer.

  esc-timers                                  the whole comparison, a minute
  esc-timers --load 0,1 --bars                the project's promises, and which ones hold
  esc-timers --only epoll,timerfd --targets 1 --count 1000
  esc-timers --only 'epoll;poll' ...          names with commas in them: separate by semicolons
  esc-timers --count 200000 --at-once 1000 --targets 0.2,1,5,20,100      count the early ones of a million timers

Exit codes: 0; 1 if a timer of ours fired early, or a bar of --bars does not hold; 2 for an invalid option,
or a file that cannot be read or written.)";

std::vector<Contender> contenders_for(const Options& options) {
  Precision precision;
  precision.warm_up = std::chrono::duration<double, std::micro>(options.warm_up_us);
  precision.spin = std::chrono::duration<double, std::micro>(options.spin_us);
  std::vector<Contender> all;
  add_ours(all, precision);
  add_floors(all);
  add_peers(all);
  return all;
}

// Chooses the named contenders, or all. Names contain commas, so they are matched against the rest of the
// text.
std::string choose(const std::vector<std::string>& names, bool many, std::vector<Contender>& contenders) {
  if (many) std::erase_if(contenders, [](const Contender& c) { return c.kind != Kind::ours; });
  if (names.empty()) return {};
  std::vector<Contender> chosen;
  for (const std::string& name : names) {
    const auto at = std::find_if(contenders.begin(), contenders.end(),
                                 [&](const Contender& c) { return c.name == name; });
    if (at == contenders.end()) return "no contender \"" + name + "\" here (try --list)";
    chosen.push_back(*at);
  }
  contenders = std::move(chosen);
  return {};
}

std::string settings_text(const Options& options) {
  char text[256];
  std::snprintf(
      text, sizeof text, "Timer slack of every thread: %s; warm-up %g us, spin %g us where they are used.",
      options.slack_us > 0 ? (microseconds_text(options.slack_us * 1000) + " ns").c_str() : "the system's",
      options.warm_up_us, options.spin_us);
  return text;
}

void show_progress(double done) {
  if (::isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\resc-timers: %3.0f %%%s", done * 100, done >= 1 ? "\r                    \r" : "");
}

int fail(const std::string& sentence) {
  std::fprintf(stderr, "esc-timers: %s\n", sentence.c_str());
  return 2;
}

std::string write_report(const std::string& file, const std::vector<Row>& rows, const std::string& settings) {
  const bool svg = file.ends_with(".svg");
  if (!svg && !file.ends_with(".html")) return "--report writes .html or .svg, not " + file;
  std::ofstream out(file);
  out << (svg ? pictures_svg(rows) : report_html(rows, bars(rows), settings));
  return out.flush() ? "" : "cannot write " + file;
}

// Writes the results; returns an error's sentence, or empty.
std::string hand_out(const Options& options, const std::vector<Row>& rows) {
  const std::string settings = settings_text(options);
  if (options.json) {
    std::printf("%s\n", to_json(rows, settings).c_str());
  } else {
    std::printf("%s. %s\n", machine_text().c_str(), settings.c_str());
    std::printf("%s", table_text(rows).c_str());
    if (options.histogram) std::printf("%s", histogram_text(rows).c_str());
  }
  for (const std::string& file : options.reports) {
    if (std::string wrong = write_report(file, rows, settings); !wrong.empty()) return wrong;
  }
  if (!options.page.empty()) return update_page(options.page, rows, settings);
  return {};
}

int run(const Options& options) {
  std::vector<Contender> contenders = contenders_for(options);
  if (std::string wrong = choose(options.only, options.at_once > 1, contenders); !wrong.empty())
    return fail(wrong);
  if (options.list) {
    for (const Contender& c : contenders)
      std::printf("%-18s %-6s %s\n", c.name.c_str(), name(c.kind), c.what.c_str());
    return 0;
  }
  std::vector<Row> rows;
  if (options.run) {
    Settings settings;
    settings.targets_ms = options.targets_ms;
    settings.loads = options.loads;
    settings.count = options.count;
    settings.seconds = options.seconds;
    settings.at_once = options.at_once;
    settings.timer_slack = std::chrono::duration<double, std::micro>(options.slack_us);
    settings.progress = show_progress;
    rows = measure(contenders, settings);
  }
  for (const std::string& file : options.merge) {
    if (std::string wrong = merge_json(file, rows); !wrong.empty()) return fail(wrong);
  }
  if (std::string wrong = hand_out(options, rows); !wrong.empty()) return fail(wrong);
  const std::vector<Bar> all = bars(rows);
  if (options.bars) std::fprintf(options.json ? stderr : stdout, "\n%s", bars_text(all).c_str());
  const bool never_early = all.front().verdict == Verdict::held;
  const bool held =
      std::all_of(all.begin(), all.end(), [](const Bar& bar) { return bar.verdict != Verdict::missed; });
  if (!never_early) std::fprintf(stderr, "esc-timers: EARLY: %s\n", all.front().measured.c_str());
  return never_early && (held || !options.bars) ? 0 : 1;
}

void declare(CLI::App& app, Options& options) {
  app.footer(footer);
  app.set_version_flag("--version", "esc-timers 0.1.0");
  app.add_option("--targets", options.targets_ms, "timer durations in ms, separated by commas")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(0.001, 3.6e6));
  app.add_option("--count", options.count, "timers per contender, target and load")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--seconds", options.seconds,
                 "instead of --count: as many timers as fit into this much time in all")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 86400.0));
  app.add_option("--load", options.loads,
                 "busy threads running at the same time; several numbers: measure each")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_option("--only,--backend", options.only, "contenders by name, separated by semicolons (--list)")
      ->delimiter(';');
  app.add_option("--slack", options.slack_us, "timer slack of every thread, us; 0: the system's")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--warm-up", options.warm_up_us, "Precision::warm_up of the variants that use it, us")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 10'000.0));
  app.add_option("--spin", options.spin_us, "Precision::spin of the variants that use it, us")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 10'000.0));
  app.add_option("--at-once", options.at_once, "this many timers in one loop; only for ours, needs --count")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--merge", options.merge, "add the results in this file (--json, tools/timers/hosts.mjs)");
  app.add_flag("--no-run{false}", options.run, "measure nothing: only show results from --merge");
  app.add_option("--report", options.reports, "write FILE.html (everything) or FILE.svg (the pictures)");
  app.add_option("--page", options.page, "update the tables and pictures of this Markdown page");
  app.add_flag("--bars", options.bars, "report which of the project's promises hold");
  app.add_flag("--json", options.json, "print the results as JSON");
  app.add_flag("--no-histogram{false}", options.histogram, "print only the tables");
  app.add_flag("--list", options.list, "list the contenders of this build");
}

}  // namespace

// Runs before the constructors of global objects, which allocate as well.
[[gnu::constructor(101)]] static void prepare() { escapement::end_with_a_sentence("esc-timers", 1); }

int main(int count, char** arguments) {
  Options options;
  CLI::App app(
      "Measures how late timers fire on this machine: those of this library, the kernel and other event "
      "loops.",
      "esc-timers");
  declare(app, options);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(std::string(error.what()) + " (try --help)");
  }
  if (options.at_once > 1 && options.count == 0 && options.run)
    return fail("--at-once needs --count (try --help)");
  return run(options);
}
