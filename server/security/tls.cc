#include "server/security/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// The copies are in memory and change seldom: looking at them costs nothing.
constexpr unsigned kGrpcRefreshSeconds = 1;

// Replaces a file's content, or makes the file.
absl::Status Put(const std::string& content, std::unique_ptr<MemoryFile>* file) {
  if (*file != nullptr) return (*file)->Replace(content);
  SIGHTLINE_ASSIGN_OR_RETURN(*file, MemoryFile::Create(content));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::Open(const TlsPaths& paths) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(paths));
  SIGHTLINE_RETURN_IF_ERROR(files->Load());
  return files;
}

absl::Status TlsFiles::Load() {
  SIGHTLINE_ASSIGN_OR_RETURN(const Identity identity, ReadIdentity(paths_.certificate, paths_.key));
  std::string authorities;
  if (!paths_.client_authorities.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(authorities, ReadAuthorities(paths_.client_authorities));
  }
  base::MutexLock lock(mutex_);
  last_error_.clear();
  if (identity.pem == identity_pem_ && authorities == authorities_pem_) return absl::OkStatus();
  if (!authorities.empty()) SIGHTLINE_RETURN_IF_ERROR(Put(authorities, &authorities_));
  SIGHTLINE_RETURN_IF_ERROR(Put(identity.pem, &identity_));
  identity_pem_ = identity.pem;
  authorities_pem_ = authorities;
  expires_ = identity.not_after;
  ++version_;
  const std::string until = absl::FormatTime(absl::RFC3339_sec, expires_, absl::UTCTimeZone());
  base::Log(base::Severity::kInfo, "certificate read", {{"file", paths_.certificate}, {"valid_until", until}});
  if (ReadableByAll(paths_.key)) {
    base::Log(base::Severity::kWarning,
              "the private key can be read by every user of this machine, who can then pose as this server: run chmod "
              "o-r on it",
              {{"file", paths_.key}});
  }
  const absl::Time now = absl::Now();
  if (now >= identity.not_after || now < identity.not_before) {
    base::Log(base::Severity::kWarning, "the certificate is not valid now: clients refuse this server",
              {{"file", paths_.certificate}, {"valid_until", until}});
  }
  return absl::OkStatus();
}

void TlsFiles::ReloadIfChanged() {
  const absl::Status status = Load();
  if (status.ok()) return;
  base::MutexLock lock(mutex_);
  if (last_error_ == status.message()) return;
  last_error_ = std::string(status.message());
  base::Log(base::Severity::kError, "certificate not read again: the one before is served", {{"error", last_error_}});
}

TlsFiles::Content TlsFiles::content() const {
  base::MutexLock lock(mutex_);
  return {version_, identity_pem_, authorities_pem_};
}

absl::Time TlsFiles::expires() const {
  base::MutexLock lock(mutex_);
  return expires_;
}

std::shared_ptr<grpc::ServerCredentials> TlsFiles::Credentials() const {
  namespace tls = grpc::experimental;
  base::MutexLock lock(mutex_);
  const auto provider = std::make_shared<tls::FileWatcherCertificateProvider>(
      identity_->path(), identity_->path(), authorities_ == nullptr ? "" : authorities_->path(), kGrpcRefreshSeconds);
  tls::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  if (authorities_ != nullptr) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls::TlsServerCredentials(options);
}

}  // namespace sightline::server
