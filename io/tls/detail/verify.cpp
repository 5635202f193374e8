#include <escapement/io/tls/detail/verify.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>

#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/io/tls/detail/name_constraints.h>

namespace escapement::detail {

namespace {

using Certificate = mbedtls_x509_crt;
using Path = std::vector<const Certificate*>;

constexpr std::size_t path_max = 10;                    // mbedTLS's limit: eight intermediates
constexpr int signatures_max = 20;                      // checked in the search for another path
constexpr std::uint32_t for_another_reason = 1U << 24;  // mbedTLS sends certificate_unknown for it

constexpr std::uint32_t usage_flags =
    MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
constexpr std::uint32_t weak_flags =
    MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY;
constexpr std::string_view wrong_use = "is not meant for this use";
constexpr std::string_view too_weak = "has a key or a signature that is too weak";

struct Faults {
  std::uint32_t flags = 0;
  std::vector<std::pair<Fault, std::string>> problems;

  void add(std::uint32_t flag, Fault fault, std::string problem) {
    flags |= flag;
    problems.emplace_back(fault, std::move(problem));
  }
};

std::string_view view(const mbedtls_x509_buf& bytes) {
  return {reinterpret_cast<const char*>(bytes.p), bytes.len};
}

std::string text_of(const mbedtls_x509_name& name) {
  std::array<char, 300> buffer{};
  const int length = mbedtls_x509_dn_gets(buffer.data(), buffer.size(), &name);
  return length < 0 ? std::string("an unprintable name") : std::string(buffer.data());
}

std::string text_of(const mbedtls_x509_time& time) {
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02d", time.year, time.mon, time.day);
  return buffer.data();
}

bool self_issued(const Certificate& certificate) {
  return same_directory_name(view(certificate.issuer_raw), view(certificate.subject_raw));
}

// --- Requirements along a path

bool is_weak(const mbedtls_pk_context& key) {
  const mbedtls_x509_crt_profile& profile = mbedtls_x509_crt_profile_default;
  const mbedtls_pk_type_t type = mbedtls_pk_get_type(&key);
  if (type == MBEDTLS_PK_RSA || type == MBEDTLS_PK_RSASSA_PSS)
    return mbedtls_pk_get_bitlen(&key) < profile.rsa_min_bitlen;
  if (mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) == 0) return true;
  const mbedtls_ecp_group_id group = mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(key));
  return (profile.allowed_curves & MBEDTLS_X509_ID_FLAG(group)) == 0;
}

bool is_weakly_signed(const Certificate& certificate) {
  const mbedtls_x509_crt_profile& profile = mbedtls_x509_crt_profile_default;
  return (profile.allowed_mds & MBEDTLS_X509_ID_FLAG(certificate.MBEDTLS_PRIVATE(sig_md))) == 0;
}

// Returns whether the certificate may be used for this, by everything it says about its uses.
bool is_for(const Certificate& certificate, bool server, bool issuer) {
  const char* usage = server ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
  if (mbedtls_x509_crt_check_extended_key_usage(&certificate, usage,
                                                MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0) {
    return false;
  }
  if (issuer || mbedtls_x509_crt_has_ext_type(&certificate, MBEDTLS_X509_EXT_NS_CERT_TYPE) == 0) return true;
  const unsigned wanted =
      server ? MBEDTLS_X509_NS_CERT_TYPE_SSL_SERVER : MBEDTLS_X509_NS_CERT_TYPE_SSL_CLIENT;
  return (certificate.MBEDTLS_PRIVATE(ns_cert_type) & wanted) != 0;
}

class PathCheck {
 public:
  PathCheck(const Path& path, bool server) : path_(path), server_(server) {
    for (const Certificate* certificate : path_) extensions_.push_back(extensions_of(*certificate));
  }

  // Checks everything but the signatures, and that the last certificate is trusted.
  Faults faults() {
    for (std::size_t i = 0; i < path_.size(); ++i) {
      check_alone(i);
      if (i > 0) check_issuer(i);
    }
    return std::move(faults_);
  }

 private:
  void add(std::size_t at, std::uint32_t flag, Fault fault, std::string problem) {
    if (at > 0) problem = "has an issuer, " + text_of(path_[at]->subject) + ", that " + problem;
    faults_.add(flag, fault, std::move(problem));
  }
  void add_invalid(std::size_t at, std::string problem) {
    add(at, for_another_reason, Fault::certificate_invalid, std::move(problem));
  }

  void check_alone(std::size_t at) {
    const Certificate& certificate = *path_[at];
    const bool last = at + 1 == path_.size();
    if (mbedtls_x509_time_is_past(&certificate.valid_to) != 0)
      add(at, MBEDTLS_X509_BADCERT_EXPIRED, Fault::certificate_expired,
          "expired on " + text_of(certificate.valid_to));
    if (mbedtls_x509_time_is_future(&certificate.valid_from) != 0)
      add(at, MBEDTLS_X509_BADCERT_FUTURE, Fault::certificate_not_yet_valid,
          "is not valid before " + text_of(certificate.valid_from));
    if (!is_for(certificate, server_, at > 0))
      add(at, MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, Fault::certificate_wrong_usage, std::string(wrong_use));
    if (is_weak(certificate.pk) || (!last && is_weakly_signed(certificate)))
      add(at, MBEDTLS_X509_BADCERT_BAD_KEY, Fault::certificate_weak, std::string(too_weak));
    // An old root has no extensions; certificates below it need them to say what they are.
    if (certificate.version < 3 && !(last && at > 0 && self_issued(certificate)))
      add_invalid(at, "is of an old version that cannot say what it is for");
    if (!extensions_[at].well_formed) {
      add_invalid(at, "has extensions that are not DER");
    } else if (!extensions_[at].understood) {
      add_invalid(at, "has a critical extension that is not understood");
    }
  }

  void check_issuer(std::size_t at) {
    const Certificate& issuer = *path_[at];
    std::size_t below = 0;
    for (std::size_t i = 1; i < at; ++i) below += self_issued(*path_[i]) ? 0 : 1;
    const int allowed = issuer.MBEDTLS_PRIVATE(max_pathlen);  // one more than it says; 0: any number
    if (allowed > 0 && below >= static_cast<std::size_t>(allowed))
      add_invalid(at, "allows fewer issuers below it");
    if (!extensions_[at].name_constraints) return;
    const std::optional<NameConstraints> constraints =
        NameConstraints::parse(*extensions_[at].name_constraints);
    if (!constraints) add_invalid(at, "has name constraints that are not understood");
    for (std::size_t i = 0; constraints && i < at; ++i) {
      if (i > 0 && self_issued(*path_[i])) continue;
      if (!constraints->hold_for(*path_[i], extensions_[i]))
        add(i, for_another_reason, Fault::certificate_name_constraints,
            "is outside the name constraints of " + text_of(issuer.subject));
    }
  }

  const Path& path_;
  bool server_;
  std::vector<CertificateExtensions> extensions_;
  Faults faults_;
};

// --- Another path

bool is_signed_by(const Certificate& certificate, const Certificate& issuer) {
  std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> hash{};
  const mbedtls_md_type_t kind = certificate.MBEDTLS_PRIVATE(sig_md);
  const mbedtls_pk_type_t type = certificate.MBEDTLS_PRIVATE(sig_pk);
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(kind);
  if (info == nullptr || mbedtls_md(info, certificate.tbs.p, certificate.tbs.len, hash.data()) != 0)
    return false;
  auto* key = const_cast<mbedtls_pk_context*>(&issuer.pk);
  const mbedtls_x509_buf& signature = certificate.MBEDTLS_PRIVATE(sig);
  return mbedtls_pk_can_do(key, type) != 0 &&
         mbedtls_pk_verify_ext(type, certificate.MBEDTLS_PRIVATE(sig_opts), key, kind, hash.data(),
                               mbedtls_md_get_size(info), signature.p, signature.len) == 0;
}

bool may_issue(const Certificate& issuer, bool trusted) {
  if (issuer.version < 3) return trusted;
  return issuer.MBEDTLS_PRIVATE(ca_istrue) != 0 &&
         mbedtls_x509_crt_check_key_usage(&issuer, MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0;
}

class PathSearch {
 public:
  PathSearch(const Certificate& own, const Certificate* trusted, bool server)
      : path_{&own}, trusted_(trusted), server_(server) {}

  // Returns whether there is a path that passes every check. Tries shorter paths first.
  bool find() { return ends() || (path_.size() < path_max - 1 && goes_on()); }

 private:
  bool ends() {
    return any_of(trusted_, true, [this] { return PathCheck(path_, server_).faults().flags == 0; });
  }
  bool goes_on() {
    return any_of(path_.front()->next, false, [this] { return find(); });
  }

  // Returns whether `good` is true with one of these as the next issuer.
  template <class F>
  bool any_of(const Certificate* list, bool trusted, F good) {
    for (const Certificate* issuer = list; issuer != nullptr; issuer = issuer->next) {
      if (!is_next(*issuer, trusted)) continue;
      path_.push_back(issuer);
      if (good()) return true;
      path_.pop_back();
    }
    return false;
  }

  bool is_next(const Certificate& issuer, bool trusted) {
    const Certificate& last = *path_.back();
    if (issuer.raw.p == nullptr || !may_issue(issuer, trusted)) return false;
    if (!same_directory_name(view(last.issuer_raw), view(issuer.subject_raw))) return false;
    const auto is_it = [&](const Certificate* other) { return view(other->raw) == view(issuer.raw); };
    if (std::any_of(path_.begin(), path_.end(), is_it)) return false;
    return ++signatures_ <= signatures_max && is_signed_by(last, issuer);
  }

  Path path_;
  const Certificate* trusted_;
  bool server_;
  int signatures_ = 0;
};

void add_wrong_name(const Certificate& certificate, std::string_view host, Faults& faults) {
  if (is_for_host(certificate, host)) return;
  constexpr std::size_t names_shown = 4;
  const std::vector<std::string> names = names_of(certificate);
  const Fault fault = names.empty() ? Fault::certificate_no_names : Fault::certificate_wrong_name;
  std::string problem = names.empty() ? "names no host" : "is for other names:";
  for (std::size_t i = 0; i < std::min(names.size(), names_shown); ++i)
    problem += (i == 0 ? " " : ", ") + names[i];
  if (names.size() > names_shown) problem += ", ...";
  faults.add(MBEDTLS_X509_BADCERT_CN_MISMATCH, fault, std::move(problem));
}

}  // namespace

void PeerVerification::add(const mbedtls_x509_crt& certificate, int depth, std::uint32_t flags) {
  const auto at = static_cast<std::size_t>(depth);
  if (path_.size() <= at) path_.resize(at + 1);
  path_[at] = &certificate;
  flags_ |= flags;
}

std::uint32_t PeerVerification::verdict(const Wanted& wanted, CertificateFindings& findings) {
  const mbedtls_x509_crt& own = *path_.front();
  findings.any = true;
  findings.subject = text_of(own.subject);
  Faults faults;
  if (!wanted.host.empty()) add_wrong_name(own, wanted.host, faults);
  Faults path = PathCheck(path_, wanted.server).faults();
  // Names have been checked above.
  path.flags |= flags_ & ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_CN_MISMATCH);
  if (path.flags != 0 && !PathSearch(own, wanted.trusted, wanted.server).find()) {
    faults.flags |= path.flags;
    std::move(path.problems.begin(), path.problems.end(), std::back_inserter(faults.problems));
    if ((flags_ & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
      const bool alone = self_issued(own);
      faults.add(0, alone ? Fault::certificate_self_signed : Fault::certificate_untrusted_issuer,
                 alone ? "is self-signed and not trusted"
                       : "comes from an issuer that is not trusted: " + text_of(own.issuer));
    }
  }
  for (auto& [fault, problem] : faults.problems) findings.add(fault, std::move(problem));
  return faults.flags;
}

Error certificate_error(CertificateFindings findings, std::uint32_t flags, std::string_view whose) {
  const std::vector<std::string>& problems = findings.problems;
  const auto says_use = [](const std::string& problem) { return problem.ends_with(wrong_use); };
  if ((flags & usage_flags) != 0 && std::none_of(problems.begin(), problems.end(), says_use))
    findings.add(Fault::certificate_wrong_usage, std::string(wrong_use));
  if (problems.empty() && (flags & weak_flags) != 0)
    findings.add(Fault::certificate_weak, std::string(too_weak));
  if (problems.empty()) findings.add(Fault::certificate_invalid, "cannot be verified");
  std::string sentence = "the certificate of " + std::string(whose) + ' ';
  for (std::size_t i = 0; i < problems.size(); ++i) sentence += (i == 0 ? "" : ", and ") + problems[i];
  return Error(Errc::untrusted, std::move(sentence)).because(findings.fault);
}

}  // namespace escapement::detail
