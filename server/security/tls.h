// TlsFiles: the certificate, key and client authorities of the listeners, read again when their files change.
//
// gRPC can watch files itself, and would serve whatever it finds in them: one broken file, or a pair caught between two
// writes, ends every handshake. So the operator's files are read and checked here, and gRPC watches copies in memory
// that only ever hold what passed.
//
// Threading: all methods from any thread. Ownership: must outlive the servers that use its credentials. Failure: Open
// says what is wrong; later a broken file is logged, once for each of its versions, and what was served stays.
#ifndef SIGHTLINE_SERVER_SECURITY_TLS_H_
#define SIGHTLINE_SERVER_SECURITY_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "server/security/memory_file.h"
#include "server/security/pem.h"

namespace sightline::server {

struct TlsPaths {
  std::string certificate;
  std::string key;
  std::string client_authorities;  // empty: clients need no certificate
};

class TlsFiles {
 public:
  static absl::StatusOr<std::unique_ptr<TlsFiles>> Open(const TlsPaths& paths);

  // TLS 1.2 at least; with client authorities, no client without a certificate of theirs. New connections get what the
  // files held last.
  std::shared_ptr<grpc::ServerCredentials> Credentials() const;

  void ReloadIfChanged();

  // The same for servers that are not gRPC: PEM texts, checked. `version` counts changes, from 1.
  struct Content {
    int64_t version = 0;
    std::string identity;     // certificate, chain and key
    std::string authorities;  // empty: clients need no certificate
  };
  Content content() const;
  int64_t version() const { return version_; }

  // When the certificate that is served ends.
  absl::Time expires() const;

 private:
  explicit TlsFiles(TlsPaths paths) : paths_(std::move(paths)) {}
  absl::Status Load();

  const TlsPaths paths_;
  mutable base::Mutex mutex_;
  std::unique_ptr<MemoryFile> identity_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<MemoryFile> authorities_ ABSL_GUARDED_BY(mutex_);  // null without
  std::string identity_pem_ ABSL_GUARDED_BY(mutex_);
  std::string authorities_pem_ ABSL_GUARDED_BY(mutex_);
  absl::Time expires_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> version_ = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_TLS_H_
