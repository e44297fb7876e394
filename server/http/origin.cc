#include "server/http/origin.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr size_t kShownOrigin = 120;

// Ends of names that no public name server answers for.
constexpr std::array<absl::string_view, 7> kPrivateEnds = {".localhost", ".local", ".internal",   ".lan",
                                                           ".home.arpa", ".test",  ".localdomain"};

// "Photos.example.org:8080" -> "photos.example.org"; "[::1]:8080" -> "::1".
std::string HostName(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) return absl::AsciiStrToLower(host.substr(0, host.find(']')));
  return absl::AsciiStrToLower(host.substr(0, host.find(':')));
}

bool IsNumeric(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

absl::Status Denied(absl::string_view reason, absl::string_view message, absl::string_view actual) {
  return base::Error(absl::StatusCode::kPermissionDenied, reason, message,
                     {{"actual", std::string(actual.substr(0, kShownOrigin))}});
}

bool IsOwnOrigin(const HttpHead& head, absl::string_view origin) {
  // A proxy in front may speak TLS where this server does not: names decide, not schemes.
  if (!absl::ConsumePrefix(&origin, "https://") && !absl::ConsumePrefix(&origin, "http://")) return false;
  return absl::EqualsIgnoreCase(origin, head.Header("host"));
}

}  // namespace

std::string MediaType(absl::string_view content_type) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
}

absl::Status OriginPolicy::CheckHost(const HttpHead& head) const {
  const absl::string_view header = head.Header("host");
  if (any_host || header.empty()) return absl::OkStatus();  // HTTP/1.0: no browser
  const std::string host = HostName(header);
  // Names without a dot, and these ends, lead to nobody outside of the network; numbers lead where they say.
  const bool ours = host.find('.') == std::string::npos || IsNumeric(host) ||
                    std::find(hosts.begin(), hosts.end(), host) != hosts.end() ||
                    std::any_of(kPrivateEnds.begin(), kPrivateEnds.end(),
                                [&](absl::string_view end) { return absl::EndsWith(host, end); });
  if (ours) return absl::OkStatus();
  return Denied("HOST_REFUSED",
                absl::StrCat("the server is not known to be called ", absl::string_view(host).substr(0, kShownOrigin),
                             ". Call it by its address, or name the host in --http_hosts."),
                host);
}

std::string OriginPolicy::AllowedOrigin(const HttpHead& head) const {
  const std::string origin(head.Header("origin"));
  return std::find(allowed_origins.begin(), allowed_origins.end(), origin) == allowed_origins.end() ? "" : origin;
}

absl::Status OriginPolicy::CheckOrigin(const HttpHead& head) const {
  const absl::string_view origin = head.Header("origin");
  if (origin.empty() || IsOwnOrigin(head, origin) || !AllowedOrigin(head).empty()) {
    // Old browsers leave out the one and have never heard of the other.
    const absl::string_view site = head.Header("sec-fetch-site");
    const bool strange = origin.empty() && site == "cross-site" && head.method != "GET" && head.method != "HEAD";
    if (!strange) return absl::OkStatus();
  }
  return Denied("ORIGIN_REFUSED",
                absl::StrCat("pages of ", origin.empty() ? "another site" : origin.substr(0, kShownOrigin),
                             " may not use this server. Name the origin in --http_allow_origin if they should."),
                origin);
}

absl::Status OriginPolicy::CheckWrite(const HttpHead& head) const {
  // Each of these makes a browser ask first, or shows that the page is the server's own.
  const std::string type = MediaType(head.Header("content-type"));
  const bool asked = !head.Header("authorization").empty() || !head.Header("x-requested-with").empty() ||
                     !head.Header("origin").empty() || head.method != "POST";
  if (asked || type == "application/json" || type == "application/x-ndjson" || type == "application/octet-stream") {
    return absl::OkStatus();
  }
  return base::InvalidArgument(
      "CONTENT_TYPE_REFUSED",
      absl::StrCat("the request is of the type '", absl::string_view(type).substr(0, kShownOrigin),
                   "', which any web page can send. Send `Content-Type: application/json`, or add the header "
                   "`X-Requested-With: curl` to a form."),
      {{"field", "Content-Type"}, {"actual", type.substr(0, kShownOrigin)}});
}

absl::Status CheckOriginSetting(absl::string_view origin) {
  absl::string_view rest = origin;
  const bool scheme = absl::ConsumePrefix(&rest, "https://") || absl::ConsumePrefix(&rest, "http://");
  const bool plain = std::all_of(rest.begin(), rest.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(".-:[]", c);
  });
  if (scheme && plain && !rest.empty()) return absl::OkStatus();
  return base::InvalidArgument(
      "ORIGIN_INVALID",
      absl::StrCat("'", origin.substr(0, kShownOrigin),
                   "' of --http_allow_origin is no origin. Write it like "
                   "https://photos.example.org, without a path and without *."),
      {{"field", "http_allow_origin"}, {"actual", std::string(origin.substr(0, kShownOrigin))}});
}

}  // namespace sightline::server
