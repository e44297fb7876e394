// CallObserver: sees every call when it arrives and when it ends. What a server checks or writes down about all calls
// alike is one: keys and rates, request ids and traces, the audit log, the log of slow requests.
//
// Threading: both methods from any thread, those of different calls at once. Ownership: the server's; outlives calls.
#ifndef SIGHTLINE_SERVER_CALL_OBSERVER_H_
#define SIGHTLINE_SERVER_CALL_OBSERVER_H_

#include "absl/status/status.h"
#include "server/call_info.h"
#include "server/request.h"

namespace sightline::server {

class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // Before any work for the call is done. May fill in what it knows about the caller; a status other than OK is the
  // call's answer, and observers behind this one are not asked.
  virtual absl::Status Arrived(const CallMetadata& metadata, CallInfo* call) = 0;

  // Once for every call that Arrived of this observer was asked about, refused ones included. `request.call()` is what
  // Arrived left.
  virtual void Ended(const Request& request, const absl::Status& status) = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_CALL_OBSERVER_H_
