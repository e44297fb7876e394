// AuditLog: who changed what, and who was turned away: one JSON line for each call that writes or administers, and for
// each call that was refused for who made it.
//
//   {"time":"2026-01-31T12:00:00.000Z","caller":"indexer","peer":"ipv4:10.0.0.7:41000","method":"IndexService/Index",
//    "collection":"shop","request_id":"7f3c","code":"OK","items":1,"milliseconds":12.3}
//
// "items" is how many images were written, changed or deleted, where that is known. A refused line has "reason" too.
// Neither keys nor what is stored is ever written.
//
// Threading: as CallObserver. Ownership: owns its file; borrows the metrics. Failure: lines that cannot be written are
// counted, and a later line says how many.
#ifndef SIGHTLINE_SERVER_SECURITY_AUDIT_LOG_H_
#define SIGHTLINE_SERVER_SECURITY_AUDIT_LOG_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/call_observer.h"
#include "server/metrics.h"
#include "server/security/line_writer.h"

namespace sightline::server {

class AuditLog final : public CallObserver {
 public:
  // `path` "-" is standard error.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::string& path, Metrics& metrics,
                                                        const base::Clock& clock);

  absl::Status Arrived(const CallMetadata& metadata, CallInfo* call) override;
  void Ended(const Request& request, const absl::Status& status) override;

  // After the file was renamed.
  void Reopen() { writer_->Reopen(); }

 private:
  AuditLog(std::unique_ptr<LineWriter> writer, const base::Clock& clock) : writer_(std::move(writer)), clock_(clock) {}

  const std::unique_ptr<LineWriter> writer_;
  const base::Clock& clock_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_AUDIT_LOG_H_
