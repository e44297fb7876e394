// HttpTls: TLS for HTTP listeners, by GnuTLS, which is what libmicrohttpd speaks: TLS 1.2 at least, with the
// certificate that gRPC serves, read again when its files change, and, with client authorities, no caller without a
// certificate of theirs.
//
// GnuTLS asks for the certificate in every handshake, and its question carries nothing of ours: there is one HttpTls in
// a process at a time.
//
// Threading: all methods from any thread. Ownership: borrows the files; must outlive the listeners. Failure: Make says
// what GnuTLS does not take; later, what was served stays, and the log says so.
#ifndef SIGHTLINE_SERVER_HTTP_HTTP_TLS_H_
#define SIGHTLINE_SERVER_HTTP_HTTP_TLS_H_

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/security/tls.h"

namespace sightline::server {

class HttpTls {
 public:
  static absl::StatusOr<std::unique_ptr<HttpTls>> Make(const TlsFiles& files);
  ~HttpTls();
  HttpTls(const HttpTls&) = delete;
  HttpTls& operator=(const HttpTls&) = delete;

  // For libmicrohttpd.
  static const char* Priorities();
  static gnutls_certificate_retrieve_function2* Retriever();

  // The common name of the certificate that the caller showed and that was verified; empty without one.
  static std::string CallerName(gnutls_session_t session);

 private:
  struct Served;

  explicit HttpTls(const TlsFiles& files);
  absl::Status Load();
  // What the files held last.
  const Served* Current();
  int Verify(gnutls_session_t session) const;

  const TlsFiles& files_;
  base::Mutex mutex_;
  // Handshakes under way point into what they began with, so nothing is ever dropped: a few kilobytes for each change.
  std::vector<std::unique_ptr<Served>> served_ ABSL_GUARDED_BY(mutex_);
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<const Served*> current_ = nullptr;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_HTTP_TLS_H_
