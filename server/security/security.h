// Security: the parts that decide who may do what, put together as the options ask for: keys, certificates, the audit
// log, and the thread that looks for changes of their files.
//
// Threading: all methods from any thread. Ownership: owns its parts; must outlive the servers that use its observers
// and credentials. Failure: Open says which file keeps the server from starting.
//
//   auto security = Security::Open(options.security, metrics, base::Clock::Real());
//   CallEnvironment environment(clock, limits, metrics, (*security)->Observers(/*admin_elsewhere=*/false));
#ifndef SIGHTLINE_SERVER_SECURITY_SECURITY_H_
#define SIGHTLINE_SERVER_SECURITY_SECURITY_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/call_observer.h"
#include "server/housekeeper.h"
#include "server/metrics.h"
#include "server/security/admin_elsewhere.h"
#include "server/security/audit_log.h"
#include "server/security/authoriser.h"
#include "server/security/introduction.h"
#include "server/security/key_store.h"
#include "server/security/tls.h"

namespace sightline::server {

struct SecurityOptions {
  std::string api_keys;   // file; empty: every caller may do everything
  std::string audit_log;  // file, "-" for standard error; empty: none
  TlsPaths tls;           // no certificate: plain
};

class Security {
 public:
  static absl::StatusOr<std::unique_ptr<Security>> Open(const SecurityOptions& options, Metrics& metrics,
                                                        const base::Clock& clock);

  // In the order in which a listener asks them. `admin_elsewhere`: another address serves administrators.
  std::vector<CallObserver*> Observers(bool admin_elsewhere);
  std::shared_ptr<grpc::ServerCredentials> Credentials() const;

  // Reads every file again and opens the audit log again. What is broken is logged, and what was in force stays.
  void Reload();

  bool has_keys() const { return keys_ != nullptr; }
  bool has_tls() const { return tls_ != nullptr; }
  const TlsFiles* tls() const { return tls_.get(); }  // null without

  // Values for the page of metrics.
  std::vector<Metrics::Sample> Samples() const;

 private:
  Security(Metrics& metrics, const base::Clock& clock) : clock_(clock), admin_elsewhere_(metrics) {}
  void Watch();

  const base::Clock& clock_;
  Introduction introduction_;
  AdminElsewhere admin_elsewhere_;
  std::unique_ptr<KeyStore> keys_;          // null without keys
  std::unique_ptr<Authoriser> authoriser_;  // null without keys
  std::unique_ptr<AuditLog> audit_;         // null without
  std::unique_ptr<TlsFiles> tls_;           // null without
  std::unique_ptr<Housekeeper> watcher_;    // last: it uses all of the above
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_SECURITY_H_
