#include <escapement/io/tls/detail/name_constraints.h>

#include <algorithm>
#include <array>

#include <mbedtls/x509_crt.h>

#include <escapement/core/detail/ascii.h>

namespace escapement::detail {

namespace {

constexpr unsigned char oid_tag = 0x06, boolean_tag = 0x01, octets_tag = 0x04, sequence_tag = 0x30;
constexpr unsigned char set_tag = 0x31, context_class = 0x80, constructed = 0x20, number_mask = 0x1f;

// The limit on comparisons of one certificate's names with another's constraints: more is an attack.
constexpr std::size_t comparisons_max = 100'000;

using namespace std::string_view_literals;

constexpr auto alternative_name_oid = "\x55\x1d\x11"sv;
constexpr auto name_constraints_oid = "\x55\x1d\x1e"sv;
constexpr auto email_address_oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"sv;

// The extensions that OpenSSL 3 counts as supported: key usage, basic constraints, CRL distribution points,
// policies, their mappings and constraints, extended key usage, the inhibition of any policy; Netscape's
// certificate type.
constexpr std::array known_oids = {alternative_name_oid,
                                   name_constraints_oid,
                                   "\x55\x1d\x0f"sv,
                                   "\x55\x1d\x13"sv,
                                   "\x55\x1d\x1f"sv,
                                   "\x55\x1d\x20"sv,
                                   "\x55\x1d\x21"sv,
                                   "\x55\x1d\x24"sv,
                                   "\x55\x1d\x25"sv,
                                   "\x55\x1d\x36"sv,
                                   "\x60\x86\x48\x01\x86\xf8\x42\x01\x01"sv};

std::string_view view(const mbedtls_x509_buf& bytes) {
  return {reinterpret_cast<const char*>(bytes.p), bytes.len};
}

bool read_names(std::string_view der, std::vector<GeneralName>& names) {
  const std::optional<std::string_view> sequence = Der(der).take(sequence_tag);
  if (!sequence) return false;
  for (Der elements(*sequence); !elements.empty();) {
    const std::optional<Der::Element> element = elements.next();
    if (!element || (element->tag & context_class) == 0) return false;
    names.push_back({static_cast<unsigned char>(element->tag & number_mask), element->content});
  }
  return true;
}

// --- Directory names: a list of sets of attributes

// Normalizes a text as OpenSSL compares it: ignoring case and runs of spaces.
std::string canonical(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c != ' ') {
      plain += lower(c);
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
  }
  if (!plain.empty() && plain.back() == ' ') plain.pop_back();
  return plain;
}

bool is_text(unsigned char tag) {
  constexpr std::string_view text_tags = "\x0c\x13\x14\x16\x1a"sv;  // UTF8, Printable, T61, IA5, Visible
  return text_tags.find(static_cast<char>(tag)) != text_tags.npos;
}

// Returns one text for each set of attributes; nullopt if it is no Name.
std::optional<std::vector<std::string>> labels_of(std::string_view name) {
  const std::optional<std::string_view> sequence = Der(name).take(sequence_tag);
  if (!sequence) return std::nullopt;
  std::vector<std::string> parts;
  for (Der sets(*sequence); !sets.empty();) {
    const std::optional<std::string_view> set = sets.take(set_tag);
    if (!set) return std::nullopt;
    std::string part;
    for (Der attributes(*set); !attributes.empty();) {
      const std::optional<std::string_view> attribute = attributes.take(sequence_tag);
      Der fields(attribute.value_or(std::string_view()));
      const std::optional<std::string_view> oid = fields.take(oid_tag);
      const std::optional<Der::Element> value = fields.next();
      if (!oid || !value) return std::nullopt;
      part.append(*oid) += '=';
      part += is_text(value->tag) ? canonical(value->content)
                                  : static_cast<char>(value->tag) + std::string(value->content);
      part += '\0';
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

bool within_directory(std::string_view name, std::string_view base) {
  const std::optional<std::vector<std::string>> parts = labels_of(name);
  const std::optional<std::vector<std::string>> wanted = labels_of(base);
  return parts && wanted && parts->size() >= wanted->size() &&
         std::equal(wanted->begin(), wanted->end(), parts->begin());
}

std::vector<std::string_view> email_addresses_in(std::string_view name) {
  std::vector<std::string_view> found;
  for (Der sets(Der(name).take(sequence_tag).value_or(std::string_view())); !sets.empty();) {
    const std::optional<Der::Element> set = sets.next();
    if (!set) break;
    for (Der attributes(set->content); !attributes.empty();) {
      const std::optional<Der::Element> attribute = attributes.next();
      if (!attribute) break;
      Der fields(attribute->content);
      const bool email = fields.take(oid_tag) == email_address_oid;
      const std::optional<Der::Element> value = fields.next();
      if (email && value) found.push_back(value->content);
    }
  }
  return found;
}

// --- One name, and the base of one subtree

// Returns whether the name is the base or stands below it; with a leading dot in the base, only below.
bool within_domain(std::string_view name, std::string_view base) {
  if (base.empty()) return true;
  if (!ends_ignoring_case(name, base)) return false;
  return name.size() == base.size() || base.front() == '.' || name[name.size() - base.size() - 1] == '.';
}

// A wildcard stands for every name with one more label: an exclusion of any of those excludes it.
bool excluded_by_domain(std::string_view name, std::string_view base) {
  if (within_domain(name, base)) return true;
  if (!name.starts_with("*.")) return false;
  const std::string_view parent = name.substr(1);
  const std::size_t dot = base.find('.');
  return dot != base.npos && dot != 0 && equal_ignoring_case(base.substr(dot), parent);
}

// Applies the rules for URIs and mailboxes: a host alone means only that host.
bool within_host(std::string_view host, std::string_view base) {
  if (base.starts_with('.')) return host.size() > base.size() && ends_ignoring_case(host, base);
  return equal_ignoring_case(host, base);
}

std::optional<bool> within_mailbox(std::string_view name, std::string_view base) {
  const std::size_t at = name.rfind('@');
  if (at == name.npos) return std::nullopt;
  const std::string_view host = name.substr(at + 1);
  const std::size_t base_at = base.rfind('@');
  if (base_at == base.npos) return base.empty() || within_host(host, base);
  return name.substr(0, at) == base.substr(0, base_at) && equal_ignoring_case(host, base.substr(base_at + 1));
}

std::optional<bool> within_uri(std::string_view name, std::string_view base) {
  const std::size_t begin = name.find("://");
  if (begin == name.npos) return std::nullopt;
  std::string_view host = name.substr(begin + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  host = host.substr(host.rfind('@') + 1);  // npos + 1 == 0
  if (host.starts_with('[')) return std::nullopt;
  host = host.substr(0, host.find(':'));
  if (host.empty()) return std::nullopt;
  return base.empty() || within_host(host, base);
}

bool within_network(std::string_view address, std::string_view base) {
  if (base.size() != 2 * address.size()) return false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const int mask = base[address.size() + i];
    if ((address[i] & mask) != (base[i] & mask)) return false;
  }
  return true;
}

// Returns nullopt if the question cannot be answered.
std::optional<bool> within(GeneralName name, std::string_view base) {
  switch (name.kind) {
    case GeneralName::dns: return within_domain(name.bytes, base);
    case GeneralName::address: return within_network(name.bytes, base);
    case GeneralName::directory: return within_directory(name.bytes, base);
    case GeneralName::email: return within_mailbox(name.bytes, base);
    case GeneralName::uri: return within_uri(name.bytes, base);
    default: return std::nullopt;
  }
}

bool read_subtrees(std::string_view der, std::vector<GeneralName>& bases) {
  for (Der subtrees(der); !subtrees.empty();) {
    const std::optional<std::string_view> subtree = subtrees.take(sequence_tag);
    if (!subtree) return false;
    Der fields(*subtree);
    const std::optional<Der::Element> base = fields.next();
    if (!base || (base->tag & context_class) == 0 || !fields.empty()) return false;
    const auto kind = static_cast<unsigned char>(base->tag & number_mask);
    if (kind == GeneralName::address && base->content.size() != 8 && base->content.size() != 32) return false;
    bases.push_back({kind, base->content});
  }
  return true;
}

// Returns whether the extension is known here.
bool read_extension(std::string_view oid, std::string_view value, CertificateExtensions& into) {
  if (oid == alternative_name_oid) {
    into.well_formed = read_names(value, into.alternative_names) && into.well_formed;
  } else if (oid == name_constraints_oid) {
    if (into.name_constraints) into.well_formed = false;
    into.name_constraints = value;
  }
  return std::find(known_oids.begin(), known_oids.end(), oid) != known_oids.end();
}

}  // namespace

std::optional<Der::Element> Der::next() {
  if (rest_.size() < 2) return std::nullopt;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(rest_[at]); };
  std::size_t header = 2;
  std::size_t length = byte(1);
  if (length >= 0x80) {
    const std::size_t octets = length - 0x80;
    if (octets == 0 || octets > 3 || rest_.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | byte(2 + i);
    header += octets;
  }
  if (rest_.size() - header < length) return std::nullopt;
  const Element element{byte(0), rest_.substr(header, length)};
  rest_ = rest_.substr(header + length);
  return element;
}

std::optional<std::string_view> Der::take(unsigned char tag) {
  const std::optional<Element> element = next();
  if (!element || element->tag != tag) return std::nullopt;
  return element->content;
}

CertificateExtensions extensions_of(const mbedtls_x509_crt& certificate) {
  CertificateExtensions found;
  if (certificate.v3_ext.len == 0) return found;
  for (Der list(Der(view(certificate.v3_ext)).take(sequence_tag).value_or(std::string_view()));
       !list.empty();) {
    Der fields(list.take(sequence_tag).value_or(std::string_view()));
    const std::optional<std::string_view> oid = fields.take(oid_tag);
    std::optional<Der::Element> value = fields.next();
    const bool critical = value && value->tag == boolean_tag;
    if (critical) value = fields.next();
    found.well_formed = found.well_formed && oid && value && value->tag == octets_tag;
    if (!found.well_formed) break;
    const bool known = read_extension(*oid, value->content, found);
    if (critical && !known) found.understood = false;
  }
  return found;
}

std::optional<NameConstraints> NameConstraints::parse(std::string_view der) {
  constexpr unsigned char permitted_tag = context_class | constructed | 0;
  constexpr unsigned char excluded_tag = context_class | constructed | 1;
  NameConstraints constraints;
  const std::optional<std::string_view> sequence = Der(der).take(sequence_tag);
  if (!sequence) return std::nullopt;
  for (Der lists(*sequence); !lists.empty();) {
    const std::optional<Der::Element> list = lists.next();
    if (!list || (list->tag != permitted_tag && list->tag != excluded_tag)) return std::nullopt;
    const bool permitted = list->tag == permitted_tag;
    if (!read_subtrees(list->content, permitted ? constraints.permitted_ : constraints.excluded_))
      return std::nullopt;
  }
  return constraints;
}

bool NameConstraints::constrain(unsigned char kind) const {
  const auto is = [kind](const GeneralName& base) { return base.kind == kind; };
  return std::any_of(permitted_.begin(), permitted_.end(), is) ||
         std::any_of(excluded_.begin(), excluded_.end(), is);
}

bool NameConstraints::allow(GeneralName name) const {
  bool constrained = false;
  bool inside = false;
  for (const GeneralName& base : permitted_) {
    if (base.kind != name.kind) continue;
    constrained = true;
    inside = inside || within(name, base.bytes).value_or(false);
  }
  if (constrained && !inside) return false;
  return std::none_of(excluded_.begin(), excluded_.end(), [&](const GeneralName& base) {
    if (base.kind != name.kind) return false;
    if (name.kind == GeneralName::dns) return excluded_by_domain(name.bytes, base.bytes);
    return within(name, base.bytes).value_or(true);
  });
}

bool NameConstraints::hold_for(const mbedtls_x509_crt& certificate,
                               const CertificateExtensions& extensions) const {
  const std::vector<GeneralName>& names = extensions.alternative_names;
  if ((names.size() + 1) * (permitted_.size() + excluded_.size()) > comparisons_max) return false;
  if (!std::all_of(names.begin(), names.end(), [&](GeneralName name) { return allow(name); })) return false;
  const std::string_view subject = view(certificate.subject_raw);
  if (certificate.subject.oid.p != nullptr && !allow({GeneralName::directory, subject})) return false;
  if (!constrain(GeneralName::email)) return true;
  const std::vector<std::string_view> addresses = email_addresses_in(subject);
  return std::all_of(addresses.begin(), addresses.end(),
                     [&](std::string_view address) { return allow({GeneralName::email, address}); });
}

bool same_directory_name(std::string_view one, std::string_view other) {
  if (one == other) return true;
  const std::optional<std::vector<std::string>> parts = labels_of(one);
  return parts && parts == labels_of(other);
}

}  // namespace escapement::detail
