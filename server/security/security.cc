#include "server/security/security.h"

#include <chrono>

#include "base/log.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// A key that is withdrawn stops working within these seconds; looking costs a stat and a read of a few kilobytes.
constexpr auto kWatchPeriod = std::chrono::seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<Security>> Security::Open(const SecurityOptions& options, Metrics& metrics,
                                                         const base::Clock& clock) {
  std::unique_ptr<Security> security(new Security(metrics, clock));
  if (!options.api_keys.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(security->keys_, KeyStore::Open(options.api_keys));
    security->authoriser_ = std::make_unique<Authoriser>(*security->keys_, metrics, clock);
  }
  if (!options.audit_log.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(security->audit_, AuditLog::Open(options.audit_log, metrics, clock));
  }
  if (!options.tls.certificate.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(security->tls_, TlsFiles::Open(options.tls));
  }
  if (security->has_keys() || security->has_tls()) {
    security->watcher_ = std::make_unique<Housekeeper>(kWatchPeriod, [raw = security.get()] { raw->Watch(); });
  }
  return security;
}

std::vector<CallObserver*> Security::Observers(bool admin_elsewhere) {
  std::vector<CallObserver*> observers = {&introduction_};
  if (audit_ != nullptr) observers.push_back(audit_.get());
  if (admin_elsewhere) observers.push_back(&admin_elsewhere_);
  if (authoriser_ != nullptr) observers.push_back(authoriser_.get());
  return observers;
}

std::shared_ptr<grpc::ServerCredentials> Security::Credentials() const {
  return tls_ == nullptr ? grpc::InsecureServerCredentials() : tls_->Credentials();
}

void Security::Watch() {
  if (keys_ != nullptr) keys_->ReloadIfChanged();
  if (tls_ != nullptr) tls_->ReloadIfChanged();
}

void Security::Reload() {
  if (keys_ != nullptr) {
    if (const absl::Status status = keys_->Reload(); !status.ok()) {
      base::Log(base::Severity::kError, "keys not read again: those before stay in force",
                {{"error", std::string(status.message())}});
    }
  }
  if (tls_ != nullptr) tls_->ReloadIfChanged();
  if (audit_ != nullptr) audit_->Reopen();
}

std::vector<Metrics::Sample> Security::Samples() const {
  std::vector<Metrics::Sample> samples;
  if (keys_ != nullptr) samples.push_back({"sightline_api_keys", {}, static_cast<double>(keys_->size())});
  if (tls_ != nullptr) {
    samples.push_back(
        {"sightline_tls_certificate_expiry_seconds", {}, absl::ToDoubleSeconds(tls_->expires() - clock_.Now())});
  }
  return samples;
}

}  // namespace sightline::server
