// RecoveryGuard: what a server in recovery (--recovery) answers calls that would write or build: reading and deleting
// is all there is.
//
// Threading, ownership: see CallObserver. Failure: FAILED_PRECONDITION with RECOVERY_MODE.
#ifndef SIGHTLINE_SERVER_RECOVERY_GUARD_H_
#define SIGHTLINE_SERVER_RECOVERY_GUARD_H_

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/call_observer.h"

namespace sightline::server {

class RecoveryGuard final : public CallObserver {
 public:
  absl::Status Arrived(const CallMetadata& /*metadata*/, CallInfo* call) override {
    // Snapshots are copied away by those who may; who may, others decide.
    static constexpr std::array<absl::string_view, 6> kAllowed = {
        "IndexService/DeleteImages",       "CollectionService/DeleteCollection", "CollectionService/DeleteSnapshot",
        "CollectionService/ListSnapshots", "CollectionService/DownloadSnapshot", "OperationService/CancelOperation"};
    // Reads by what they ask, and starts work that takes long.
    static constexpr absl::string_view kWork = "CollectionService/FindDuplicates";
    const bool reads = (call->access == Access::kOpen || call->access == Access::kRead) && call->method != kWork;
    if (reads || std::find(kAllowed.begin(), kAllowed.end(), call->method) != kAllowed.end()) return absl::OkStatus();
    return base::FailedPrecondition("RECOVERY_MODE",
                                    absl::StrCat(call->method, " is not done: the server runs with --recovery, which ",
                                                 "reads and deletes only. Start it without --recovery."),
                                    {{"method", call->method}});
  }
  void Ended(const Request& /*request*/, const absl::Status& /*status*/) override {}
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RECOVERY_GUARD_H_
