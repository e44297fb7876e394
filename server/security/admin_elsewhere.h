// AdminElsewhere: sends callers of administrators' methods to the address that serves them (--admin_grpc_listen), so
// that a network which reaches the main address cannot even try them.
//
// Threading: as CallObserver. Ownership: borrows the metrics. Failure: PERMISSION_DENIED that says where to go.
#ifndef SIGHTLINE_SERVER_SECURITY_ADMIN_ELSEWHERE_H_
#define SIGHTLINE_SERVER_SECURITY_ADMIN_ELSEWHERE_H_

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/call_observer.h"
#include "server/metrics.h"

namespace sightline::server {

class AdminElsewhere final : public CallObserver {
 public:
  explicit AdminElsewhere(Metrics& metrics) : metrics_(metrics) {}

  absl::Status Arrived(const CallMetadata&, CallInfo* call) override {
    if (call->access != Access::kAdmin) return absl::OkStatus();
    metrics_.CountAuthFailure("listener");
    return base::Error(absl::StatusCode::kPermissionDenied, "ADMIN_ELSEWHERE",
                       absl::StrCat(call->method,
                                    " is not served at this address. Call it at the one that the server's operator "
                                    "gave as --admin_grpc_listen."));
  }
  void Ended(const Request&, const absl::Status&) override {}

 private:
  Metrics& metrics_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_ADMIN_ELSEWHERE_H_
