#include "server/http/web.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "server/http/address.h"

namespace sightline::server {

Web::Web(Pages::Routes main, Pages::Routes admin)
    : files_(EmbeddedFiles()), pages_(std::move(main)), admin_pages_(std::move(admin)) {}

absl::StatusOr<std::unique_ptr<Web>> Web::Start(const ServerOptions& options, const TlsFiles* tls, Pages::Routes main,
                                                Pages::Routes admin) {
  std::unique_ptr<Web> web(new Web(std::move(main), std::move(admin)));
  SIGHTLINE_RETURN_IF_ERROR(web->Open(options, tls));
  return web;
}

absl::Status Web::Open(const ServerOptions& options, const TlsFiles* tls) {
  const OriginPolicy policy = {.allowed_origins = options.http_allow_origin,
                               .hosts = options.http_hosts,
                               .any_host = !options.security.api_keys.empty()};
  if (!options.http_listen.empty()) {
    if (tls != nullptr) {
      SIGHTLINE_ASSIGN_OR_RETURN(tls_, HttpTls::Make(*tls));
    }
    SIGHTLINE_ASSIGN_OR_RETURN(gateway_, Gateway::Make(options.limits));
    site_ = std::make_unique<Site>(policy, &pages_, gateway_.get(), &files_);
    SIGHTLINE_ASSIGN_OR_RETURN(
        server_,
        HttpServer::Start({.address = options.http_listen, .tls = tls_.get(), .body_time = options.http_body_timeout},
                          site_.get()));
  }
  if (options.admin_listen.empty()) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(const HostPort admin, ParseHostPort(options.admin_listen));
  if (!options.admin_grpc_listen.empty()) {
    // This address has no TLS: where the others have it, keys must not be sent here across a network.
    if (tls == nullptr || IsLoopback(admin.host)) {
      SIGHTLINE_ASSIGN_OR_RETURN(admin_gateway_, Gateway::Make(options.limits));
    } else {
      base::Log(base::Severity::kWarning,
                "the administrators' HTTP address serves no API: it has no TLS and is open to others",
                {{"address", options.admin_listen}});
    }
  }
  admin_site_ = std::make_unique<Site>(policy, &admin_pages_, admin_gateway_.get(), nullptr);
  SIGHTLINE_ASSIGN_OR_RETURN(
      admin_server_,
      HttpServer::Start({.address = options.admin_listen, .body_time = options.http_body_timeout}, admin_site_.get()));
  return absl::OkStatus();
}

void Web::Connect(std::shared_ptr<grpc::Channel> main, std::shared_ptr<grpc::Channel> admin) {
  if (gateway_ != nullptr) gateway_->Connect(std::move(main));
  if (admin_gateway_ != nullptr && admin != nullptr) admin_gateway_->Connect(std::move(admin));
}

void Web::Disconnect() {
  if (gateway_ != nullptr) gateway_->Disconnect();
}

void Web::DisconnectAdmin() {
  if (admin_gateway_ != nullptr) admin_gateway_->Disconnect();
}

void Web::Drain(absl::Duration most) {
  for (Gateway* gateway : {gateway_.get(), admin_gateway_.get()}) {
    if (gateway != nullptr) gateway->Drain(most);
  }
}

}  // namespace sightline::server
