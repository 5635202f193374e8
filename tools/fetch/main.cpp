// esc-fetch: fetches URLs, in curl's spelling.

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/command_line.h"
#include "tools/fetch/config_file.h"
#include "tools/fetch/exit_code.h"
#include "tools/fetch/files.h"
#include "tools/fetch/job.h"
#include "tools/last_words.h"

using namespace escapement;

// Runs before the constructors of global objects, which allocate as well.
[[gnu::constructor(101)]] static void prepare() {
  escapement::end_with_a_sentence("esc-fetch", escapement::fetch_out_of_memory);
}

namespace {

// "100", "100k", "1.5M", "2G", of at least `least`.
CLI::Validator bytes(double least, const char* kind) {
  const auto check = [least, kind](std::string& text) {
    std::string digits = text;
    const char unit = text.empty() ? '\0' : lower(text.back());
    const double factor = unit == 'k'   ? 1024
                          : unit == 'm' ? 1024 * 1024
                          : unit == 'g' ? 1024.0 * 1024 * 1024
                                        : 1;
    if (factor > 1) digits.pop_back();
    const auto value = parse_number<double>(digits);
    if (!value || !(*value * factor >= least) || *value * factor > 1e15)
      return '"' + text + "\" is not a " + kind + ", such as 100k";
    text = std::to_string(static_cast<std::uint64_t>(*value * factor));
    return std::string();
  };
  return CLI::Validator(check, "");
}

// Adds an option of curl's that asks for what is so anyway.
void add_accepted(CLI::App& app, const char* names, const char* help) {
  app.add_flag_function(names, [](std::int64_t) {}, help);
}

CLI::Validator offset() {
  const auto check = [](std::string& text) {
    return text == "-" || parse_number<std::uint64_t>(text) ? std::string()
                                                            : '"' + text + "\" is not an offset or -";
  };
  return CLI::Validator(check, "");
}

void add_data_options(CLI::App& app, FetchOptions& options) {
  using Kind = DataPiece::Kind;
  const auto add = [&](const char* names, Kind kind, const char* help) {
    const auto piece = [&options, kind](const std::vector<std::string>& values) {
      for (const std::string& value : values) options.data.push_back(DataPiece{kind, value});
    };
    app.add_option_function<std::vector<std::string>>(names, piece, help)
        ->allow_extra_args(false)
        ->trigger_on_parse();
  };
  add("-d,--data,--data-ascii", Kind::text,
      "request body, or @FILE without its line ends, or @- for standard input; several are joined by &");
  add("--data-binary", Kind::binary, "the same, with the bytes of a file as they are");
  add("--data-raw", Kind::raw, "the same, where @ means nothing");
  add("--data-urlencode", Kind::encoded,
      "the same, percent-encoded: CONTENT, =CONTENT, NAME=CONTENT, @FILE, NAME@FILE");
  add("--json", Kind::json,
      "request body as JSON, or @FILE; sets Content-Type and Accept. (For a report as JSON: --report)");
  add("-F,--form", Kind::form,
      "a part of a multipart form: NAME=CONTENT, NAME=@FILE or NAME=<FILE, with ;type= and ;filename=");
  add("--form-string", Kind::form_text, "the same as text alone: NAME=CONTENT");
  app.add_flag("-G,--get", options.data_in_query, "send the data of -d in the URL's query, by GET");
  app.add_option("--url-query", options.url_queries,
                 "add to the URL's query, percent-encoded as by --data-urlencode; +CONTENT: as it is")
      ->allow_extra_args(false);
  app.add_option("-T,--upload-file", options.uploads,
                 "send this file by PUT, or - for standard input; one for each URL")
      ->allow_extra_args(false);
}

void add_credentials(CLI::App& app, FetchOptions& options) {
  app.add_option("-u,--user", options.user, "USER:PASSWORD for basic authentication, or with --digest");
  app.add_flag("--digest", options.digest, "send no password, and answer a digest challenge");
  add_accepted(app, "--basic", "send the password of -u in plain text; the default");
  app.add_option("--oauth2-bearer", options.bearer, "token for \"Authorization: Bearer\"");
  const auto cookie = [&options](const std::vector<std::string>& values) {
    for (const std::string& value : values)
      (value.find('=') != value.npos ? options.cookies : options.cookie_files).push_back(value);
  };
  app.add_option_function<std::vector<std::string>>(
         "-b,--cookie", cookie, "send NAME=VALUE[; ...], or the cookies of this file (Netscape's format)")
      ->allow_extra_args(false)
      ->trigger_on_parse();
  app.add_option("-c,--cookie-jar", options.cookie_jar,
                 "keep the cookies of responses, and write all to this file at the end; -: standard output");
  app.add_flag("-j,--junk-session-cookies", options.junk_session_cookies,
               "leave out the session cookies of -b FILE");
}

void add_request_options(CLI::App& app, FetchOptions& options) {
  app.add_option(
         "-H,--header", options.headers,
         "header field \"Name: value\"; repeatable. \"Name:\" omits a default field, \"Name;\" sends an "
         "empty one, @FILE stands for its lines")
      ->allow_extra_args(false);
  app.add_option("-X,--request", options.method, "request method");
  add_data_options(app, options);
  add_credentials(app, options);
  app.add_option("-A,--user-agent", options.agent, "value of the User-Agent header field; empty: none")
      ->capture_default_str();
  app.add_option("-e,--referer", options.referer, "value of the Referer header field");
  app.add_option("-r,--range", options.range, "bytes to ask for: FIRST-LAST");
  app.add_flag("--compressed", options.compressed, "ask for a compressed response, and decompress it");
  app.add_flag("-L,--location", options.follow, "follow redirects");
  app.add_option("--max-redirs", options.redirects_max, "most redirects to follow; -1: any number")
      ->capture_default_str()
      ->check(whole_number(-1, 1'000'000));
}

void add_output_options(CLI::App& app, FetchOptions& options) {
  app.add_flag("-I,--head", options.head, "send HEAD and print the response head");
  app.add_flag("-i,--include", options.include, "print the response head before the body");
  const auto to_file = [&options](const std::vector<std::string>& names) {
    for (const std::string& name : names) options.outputs.push_back(OutputChoice{name, false});
  };
  app.add_option_function<std::vector<std::string>>(
         "-o,--output", to_file,
         "write the body to this file, created when the response arrives; one for each URL. #1: what stands "
         "for the first {...} or [...] of the URL")
      ->allow_extra_args(false)
      ->trigger_on_parse();
  app.add_flag_callback(
         "-O,--remote-name", [&options] { options.outputs.push_back(OutputChoice{"", true}); },
         "write the body to a file named as the end of the URL's path; one for each URL")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->trigger_on_parse();
  app.add_flag("--remote-name-all", options.all_remote_names, "-O for all URLs");
  app.add_flag("-J,--remote-header-name", options.remote_header_name,
               "with -O: the name in Content-Disposition, for a file that is not there yet");
  app.add_option("--output-dir", options.output_folder, "the folder for -o and -O");
  app.add_flag("--create-dirs", options.create_folders, "make the folders of -o and --output-dir");
  app.add_flag("--remove-on-error", options.remove_on_error, "remove the file of a transfer that fails");
  app.add_option("-D,--dump-header", options.head_file,
                 "write the heads of the responses to this file; -: standard output");
  app.add_option("-C,--continue-at", options.continue_at,
                 "resume at this offset; -: where the output file ends")
      ->check(offset());
  app.add_option(
         "--max-filesize", options.body_bytes_max,
         "largest body, in bytes, such as 100k; 0: any, the default. With --report, which collects the "
         "body, 64 MiB")
      ->transform(bytes(0, "number of bytes"));
  app.add_option(
      "-w,--write-out", options.write_out,
      "text to print after a transfer, or @FILE: %{http_code}, %{time_total}, %{json}, %header{name}, ...");
  CLI::Option* fail =
      app.add_flag("-f,--fail", options.fail, "fail for a status of 400 or more, without its body");
  app.add_flag("--fail-with-body", options.fail_with_body, "the same, after the body was written")
      ->excludes(fail);
  add_accepted(app, "-#,--progress-bar,-N,--no-buffer", "as it is: a bar, and no buffer");
  app.add_flag("-s,--silent", options.silent, "no progress bar, and do not report failures");
  app.add_flag("-S,--show-error", options.show_errors, "with -s: report failures");
  app.add_flag("--no-progress-meter", options.no_progress, "no progress bar");
  app.add_flag("-v,--verbose", options.verbose,
               "print the heads of requests and responses on standard error");
  app.add_flag("--trace", options.trace, "print the times of the transfer as a waterfall on standard error");
  app.add_flag("--explain", options.explain,
               "explain on standard error what the transfer waited for, and why");
  app.add_flag("--report", options.report, "print one JSON object for each URL instead of the body");
}

void add_limits(CLI::App& app, FetchOptions& options) {
  app.add_option("-m,--max-time", options.max_seconds,
                 "time limit for each attempt, body included, in seconds; 0: none")
      ->check(number_from_zero());
  app.add_option("--connect-timeout", options.connect_seconds,
                 "time limit for connecting, encryption included, in seconds; 300 by default, and for 0")
      ->check(number_from_zero());
  app.add_option("--limit-rate", options.rate_max, "most bytes a second, such as 100k")
      ->transform(bytes(1, "rate"));
  app.add_option("-Y,--speed-limit", options.slow_rate,
                 "end a transfer of fewer bytes a second than this, over the time of -y")
      ->check(whole_number(0, 1'000'000'000'000));
  app.add_option("-y,--speed-time", options.slow_seconds, "the time of -Y, in seconds; 30 by default")
      ->check(number_from_zero());
  app.add_option("--retry", options.retries, "number of retries after the first attempt")
      ->check(whole_number(0, 1'000'000));
  app.add_option("--retry-delay", options.retry_seconds,
                 "wait before each retry, in seconds; without this it doubles from a second")
      ->check(number_from_zero());
  app.add_flag("--retry-all-errors", options.retry_all_errors, "retry after every failure");
  add_accepted(app, "--retry-connrefused", "as it is: a refused connection is tried again by --retry");
  app.add_option("--retry-max-time", options.retry_max_seconds,
                 "begin no retry later than this after the first attempt, in seconds; 0: no limit")
      ->check(number_from_zero());
  app.add_option("--per-try-timeout", options.try_seconds,
                 "time limit for the response head of each attempt, in seconds")
      ->check(positive_number());
  app.add_flag("-Z,--parallel", options.parallel, "fetch the URLs beside each other");
  app.add_option("--parallel-max", options.parallel_max, "the most at a time")
      ->capture_default_str()
      ->check(whole_number(1, 300));
}

void add_connection_options(CLI::App& app, FetchOptions& options, bool& v4, bool& v6) {
  CLI::Option* only_v4 = app.add_flag("-4,--ipv4", v4, "use IPv4 addresses only");
  app.add_flag("-6,--ipv6", v6, "use IPv6 addresses only")->excludes(only_v4);
  app.add_option("--cacert", options.cacert, "trust these CA certificates (PEM) instead of the system's");
  app.add_option("-E,--cert", options.cert, "the client's certificate (PEM); its key too, without --key");
  app.add_option("--key", options.key, "the key of --cert (PEM)")->needs("--cert");
  app.add_option("--pinnedpubkey", options.pinned,
                 "the server's public key must be one of these: sha256//BASE64[;sha256//BASE64...]");
  app.add_option(
      "-x,--proxy", options.proxy,
      "[http|https|socks5://][USER:PASSWORD@]HOST[:PORT] for all URLs, port 1080 by default; \"\" for "
      "none. Without this: http_proxy, https_proxy, all_proxy, no_proxy");
  app.add_option("--noproxy", options.noproxy, "hosts to reach without a proxy, as in no_proxy; \"*\": all");
  app.add_option("-U,--proxy-user", options.proxy_user, "USER:PASSWORD for the proxy");
  app.add_flag("-k,--insecure", options.insecure,
               "disable certificate verification. INSECURE; for experiments only");
  const auto socks = [&options](const std::string& proxy) { options.proxy = "socks5h://" + proxy; };
  app.add_option_function<std::string>("--socks5,--socks5-hostname", socks, "-x socks5h://HOST[:PORT]");
  app.add_option("--resolve", options.resolve,
                 "[+]HOST:PORT:ADDRESS[,ADDRESS...] to use instead of DNS; HOST *: any other host")
      ->allow_extra_args(false);
  app.add_option("--unix,--unix-socket", options.unix_path,
                 "connect to this Unix socket, a path or @NAME, instead of the URL's host");
  app.add_option("--backend", options.backend, "poller: epoll or poll")
      ->check(CLI::IsMember({"epoll", "poll"}));
}

}  // namespace

int main(int count, char** arguments) {
  FetchOptions options;
  CLI::App app("Fetches URLs, in curl's spelling. The body goes to standard output.", "esc-fetch");
  app.set_version_flag("--version", "esc-fetch 0.1.0");
  app.footer(fetch_exit_codes_help() + "docs/esc-fetch.md says where it differs from curl.\n");
  CLI::Option* urls =
      app.add_option("URL", options.urls, "http:// and https:// URLs, fetched one after the other");
  app.add_flag("-g,--globoff", options.no_glob, "{a,b} and [1-9] in URLs mean nothing");
  add_accepted(app, "--http1.1", "as it is: HTTP/1.1");
  CLI::Option* more_urls =
      app.add_option("--url", options.urls, "a URL, as if it stood alone")->allow_extra_args(false);
  std::string config;
  app.add_option("-K,--config", config, "read options from this file, or - for standard input");
  add_request_options(app, options);
  add_output_options(app, options);
  add_limits(app, options);
  bool v4 = false;
  bool v6 = false;
  add_connection_options(app, options, v4, v6);
  const auto takes_value = [&app](const std::string& name) {
    const CLI::Option* const option = app.get_option_no_throw(name);
    return option != nullptr && option->get_items_expected_min() > 0;
  };
  Result<std::vector<std::string>> all =
      with_config_files(std::vector<std::string>(arguments, arguments + count), takes_value);
  if (!all) {
    std::fprintf(stderr, "esc-fetch: -K: %s\n", all.error().message().c_str());
    return 2;
  }
  std::vector<char*> each;
  for (std::string& argument : *all) each.push_back(argument.data());
  if (std::optional<int> code =
          read_command_line(app, static_cast<int>(each.size()), each.data(), {urls, more_urls}))
    return *code;
  if (!config.empty()) {
    std::fprintf(stderr, "esc-fetch: -K: \"%s\" was not read (try --config=FILE)\n", config.c_str());
    return 2;
  }
  for (std::optional<double>* limit :
       {&options.max_seconds, &options.connect_seconds, &options.retry_max_seconds}) {
    if (*limit == 0.0) limit->reset();
  }
  if (options.body_bytes_max == 0U) options.body_bytes_max.reset();
  if (options.remote_header_name && options.include) {
    std::fprintf(stderr, "esc-fetch: choose one of -i and -J\n");
    return 2;
  }
  if (options.write_out.starts_with('@')) {
    Result<std::string> format = read_file(options.write_out.substr(1));
    if (!format) {
      std::fprintf(stderr, "esc-fetch: -w: %s\n", format.error().message().c_str());
      return exit_codes::read_failed.code;
    }
    options.write_out = *std::move(format);
    std::erase_if(options.write_out, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  }
  if (v4) options.family = AddressFamily::v4;
  if (v6) options.family = AddressFamily::v6;
  std::signal(SIGPIPE, SIG_IGN);  // the reader of the output may leave: exit code 23
  return fetch_all(options);
}
