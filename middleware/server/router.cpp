#include <escapement/middleware/server/router.h>

#include <algorithm>
#include <array>
#include <map>

#include <escapement/io/http/h1/writer.h>

namespace escapement::http {

namespace {

constexpr std::size_t parameters_max = 16;

// A route as stored in the trie, with its parameters' names in order.
struct Entry {
  explicit Entry(Route r) : route(std::move(r)) {}
  Route route;
  std::vector<std::string> names;
};

// The entries that end at one node of the trie, one for each method.
using Entries = std::vector<std::unique_ptr<Entry>>;

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> texts;
  std::unique_ptr<Node> parameter;
  Entries here;
  Entries rest;
};

const Entry* find(const Entries& entries, std::string_view method) {
  for (const std::unique_ptr<Entry>& entry : entries) {
    if (entry->route.method == method) return entry.get();
  }
  return nullptr;
}

// Returns the route for `method` among those of one pattern: its own, GET's for HEAD, or the one for every
// method.
const Entry* for_method(const Entries& entries, std::string_view method) {
  if (const Entry* own = find(entries, method)) return own;
  if (method == "HEAD") {
    if (const Entry* get = find(entries, "GET")) return get;
  }
  return find(entries, "*");
}

// The values of Allow, in the order in which they were found.
class Allowed {
 public:
  void add(const Entries& entries) {
    for (const std::unique_ptr<Entry>& entry : entries) {
      if (entry->route.method == "*") continue;
      add(entry->route.method);
      if (entry->route.method == "GET") add("HEAD");
    }
  }
  bool empty() const { return methods_.empty(); }
  std::string text() {
    add("OPTIONS");
    std::string joined;
    for (const std::string_view method : methods_) {
      if (!joined.empty()) joined += ", ";
      joined += method;
    }
    return joined;
  }

 private:
  void add(std::string_view method) {
    if (std::find(methods_.begin(), methods_.end(), method) == methods_.end()) methods_.push_back(method);
  }

  std::vector<std::string_view> methods_;
};

// One walk through the trie along a path.
class Search {
 public:
  explicit Search(std::string_view method) : method_(method) {}

  // `rest` is the path behind the '/' that leads to `node`'s children. Depth: that of the trie.
  const Entry* walk(const Node& node, std::string_view rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    const auto text = node.texts.find(segment);
    if (text != node.texts.end()) {
      if (const Entry* found = enter(*text->second, rest, slash)) return found;
    }
    if (node.parameter && !segment.empty()) {
      values_[count_++] = segment;
      if (const Entry* found = enter(*node.parameter, rest, slash)) return found;
      --count_;
    }
    if (node.rest.empty()) return nullptr;
    const Entry* found = choose(node.rest);
    if (found != nullptr) values_[count_++] = rest;
    return found;
  }

  std::vector<std::string> values() const {
    std::vector<std::string> decoded;
    decoded.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) decoded.push_back(percent_decoded(values_[i]));
    return decoded;
  }

  bool path_known() const { return path_known_; }
  Allowed& allowed() { return allowed_; }

 private:
  const Entry* enter(const Node& child, std::string_view rest, std::size_t slash) {
    if (slash != rest.npos) return walk(child, rest.substr(slash + 1));
    return child.here.empty() ? nullptr : choose(child.here);
  }
  const Entry* choose(const Entries& entries) {
    path_known_ = true;
    const Entry* found = for_method(entries, method_);
    if (found == nullptr) allowed_.add(entries);
    return found;
  }

  std::string_view method_;
  std::array<std::string_view, parameters_max> values_;
  std::size_t count_ = 0;
  bool path_known_ = false;
  Allowed allowed_;
};

// Names the handler for a watchdog.
void tell_who_answers(const Request& request, const void* code) { request.context.note_handler_code(code); }

Error bad_route(const Route& route, std::string_view why) {
  return Error(Errc::invalid_argument,
               "route " + route.method + ' ' + route.pattern + ": " + std::string(why));
}

// Checks that the text in a pattern is in normal spelling, as paths are when they are looked up.
Result<> check_text(const Route& route, const std::string& segment) {
  Result<Url> url = Url::parse("http://h/" + segment);
  if (!url || url->has_query() || !url->fragment().empty()) {
    return bad_route(route, "\"" + segment + "\" is not valid in a path");
  }
  const std::string spelt = normal_spelling(url->path()).substr(1);
  if (spelt != segment) return bad_route(route, "\"" + segment + "\" in a path is \"" + spelt + '"');
  return {};
}

Result<> name_parameter(Entry& entry, std::string_view name) {
  if (name.empty()) return bad_route(entry.route, "a parameter without a name");
  if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) {
    return bad_route(entry.route, "two parameters named \"" + std::string(name) + '"');
  }
  if (entry.names.size() == parameters_max) return bad_route(entry.route, "more than 16 parameters");
  entry.names.emplace_back(name);
  return {};
}

Node& child(std::unique_ptr<Node>& place) {
  if (!place) place = std::make_unique<Node>();
  return *place;
}

// Returns the place of `entry`'s pattern below `root`, creating it if needed.
Result<Entries*> place_for(Node& root, Entry& entry) {
  const Route& route = entry.route;
  if (!route.pattern.starts_with('/')) return bad_route(route, "a pattern must begin with '/'");
  Node* node = &root;
  std::string_view rest = std::string_view(route.pattern).substr(1);
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string segment(rest.substr(0, slash));
    const bool last = slash == rest.npos;
    if (segment.starts_with('*')) {
      Result<> named = name_parameter(entry, segment.substr(1));
      if (!named) return std::move(named).error();
      if (!last) return bad_route(route, "nothing may follow \"" + segment + '"');
      return &node->rest;
    }
    const bool parameter = segment.starts_with(':');
    Result<> checked = parameter ? name_parameter(entry, segment.substr(1)) : check_text(route, segment);
    if (!checked) return std::move(checked).error();
    node = &child(parameter ? node->parameter : node->texts[segment]);
    if (last) return &node->here;
    rest.remove_prefix(slash + 1);
  }
}

Response plain(int status, std::string_view text) {
  return Response(status, Headers{{"Content-Type", "text/plain; charset=utf-8"}}, text);
}

Task<Response> not_found(Request) { co_return plain(404, "not found\n"); }

Task<Response> not_routed(bool options, std::string allow) {
  Response response = options ? Response(204) : plain(405, "method not allowed\n");
  response.headers.add("Allow", std::move(allow));
  co_return std::move(response);
}

}  // namespace

class Router::Table {
 public:
  explicit Table(Service otherwise) : otherwise_(std::move(otherwise)) {}

  Result<> add(Route route) {
    if (route.method != "*" && !is_token(route.method)) return bad_route(route, "the method is not a token");
    auto entry = std::make_unique<Entry>(std::move(route));
    Result<Entries*> place = place_for(root_, *entry);
    if (!place) return std::move(place).error();
    if (const Entry* other = find(**place, entry->route.method)) {
      return bad_route(entry->route, "the same as " + other->route.pattern);
    }
    (*place)->push_back(std::move(entry));
    every_.add(**place);
    return {};
  }

  Task<Response> call(Request request) const {
    const std::string_view method = request.method.text();
    if (method == "OPTIONS" && request.target == "*") return not_routed(true, Allowed(every_).text());
    Search search(method);
    const std::string& given = request.url.path();
    const std::string spelt = given.find('%') == given.npos ? std::string() : normal_spelling(given);
    const Entry* entry = search.walk(root_, std::string_view(spelt.empty() ? given : spelt).substr(1));
    if (entry != nullptr) {
      PathParams params(entry->route.pattern, entry->names, search.values());
      tell_who_answers(request, entry->route.code);
      return entry->route.handler(std::move(request), std::move(params));
    }
    if (!search.path_known()) {
      tell_who_answers(request, otherwise_.handler_code());
      return otherwise_(std::move(request));
    }
    return not_routed(method == "OPTIONS", search.allowed().text());
  }

 private:
  Node root_;
  Service otherwise_;
  Allowed every_;  // methods of all routes; their texts belong to the entries
};

std::string_view PathParams::operator[](std::string_view name) const {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if ((*names_)[i] == name) return values_[i];
  }
  return {};
}

Result<Router> Router::make(std::vector<Route> routes) { return make(std::move(routes), Service(not_found)); }

Result<Router> Router::make(std::vector<Route> routes, Service otherwise) {
  auto table = std::make_shared<Table>(std::move(otherwise));
  for (Route& route : routes) {
    Result<> added = table->add(std::move(route));
    if (!added) return std::move(added).error();
  }
  return Router(std::move(table));
}

Task<Response> Router::operator()(Request request) const { return table_->call(std::move(request)); }

}  // namespace escapement::http
