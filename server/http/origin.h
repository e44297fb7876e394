// OriginPolicy: which web pages may use the HTTP port through the browser of somebody who can reach it.
//
// A browser sends requests for every page it shows. Three things keep other people's pages out. What changes something
// must come in a way that a page of another origin cannot ask for without this server's consent, which it does not give
// (no Access-Control headers), or from an origin that the operator named. An Origin that is not the server's own is
// refused whatever it asks for. And without keys the server answers only to names that no stranger can point at it, so
// that a page whose name suddenly leads here (DNS rebinding) is not taken for the console.
//
// Threading: immutable once made. Failure: PERMISSION_DENIED for a stranger, INVALID_ARGUMENT for a body that no page
// must be able to send.
#ifndef SIGHTLINE_SERVER_HTTP_ORIGIN_H_
#define SIGHTLINE_SERVER_HTTP_ORIGIN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/http/http_call.h"

namespace sightline::server {

struct OriginPolicy {
  std::vector<std::string> allowed_origins;  // "https://photos.example.org"; exact
  std::vector<std::string> hosts;            // names that the server is called by, beside those nobody can point at it
  bool any_host = false;                     // callers must show keys: a page that was rebound has none

  // Whether the server may be called by the name of the request's Host.
  absl::Status CheckHost(const HttpHead& head) const;
  absl::Status CheckOrigin(const HttpHead& head) const;
  // Of what is not GET or HEAD.
  absl::Status CheckWrite(const HttpHead& head) const;

  // The Origin of the request if it is one of the allowed ones; empty otherwise.
  std::string AllowedOrigin(const HttpHead& head) const;
};

// The type in a Content-Type, in lower case, without its parameters.
std::string MediaType(absl::string_view content_type);

// "https://photos.example.org:8443": scheme, host and port of an origin, nothing behind.
absl::Status CheckOriginSetting(absl::string_view origin);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_ORIGIN_H_
