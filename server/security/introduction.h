// Introduction: writes down where a call comes from, and whose certificate TLS has verified. The first observer of all,
// so that a call that is refused later still has a peer and, where it is known, a caller.
//
// Threading: as CallObserver. Failure: none.
#ifndef SIGHTLINE_SERVER_SECURITY_INTRODUCTION_H_
#define SIGHTLINE_SERVER_SECURITY_INTRODUCTION_H_

#include "server/call_observer.h"

namespace sightline::server {

class Introduction final : public CallObserver {
 public:
  absl::Status Arrived(const CallMetadata& metadata, CallInfo* call) override {
    if (call->peer.empty()) call->peer = metadata.Peer();
    if (call->caller.empty()) call->caller = metadata.CertificateName();
    return absl::OkStatus();
  }
  void Ended(const Request&, const absl::Status&) override {}
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_INTRODUCTION_H_
