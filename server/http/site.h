// Site: what one HTTP address serves, and to whom: pages for probes and operators, the API as JSON below /v1/, and
// files. Requests that are malformed in a way that proxies read differently, and those of other people's web pages, are
// refused before anything else sees them.
//
// Threading: as HttpHandler. Ownership: borrows all of its parts. Failure: errors as JSON, but for pages.
#ifndef SIGHTLINE_SERVER_HTTP_SITE_H_
#define SIGHTLINE_SERVER_HTTP_SITE_H_

#include <memory>
#include <variant>

#include "server/http/http_call.h"
#include "server/http/origin.h"
#include "server/http/pages.h"
#include "server/http/static_files.h"

namespace sightline::server {

class Site final : public HttpHandler {
 public:
  // `api` and `files` may be null.
  Site(OriginPolicy policy, Pages* pages, HttpHandler* api, const StaticFiles* files)
      : policy_(std::move(policy)), pages_(*pages), api_(api), files_(files) {}

  std::variant<HttpReply, std::shared_ptr<HttpCall>> Begin(const HttpHead& head, Waker wake) override;
  void Complete(const HttpHead& head, HttpReply* reply) override;

 private:
  HttpReply Preflight() const;

  const OriginPolicy policy_;
  Pages& pages_;
  HttpHandler* const api_;
  const StaticFiles* const files_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_SITE_H_
