#include "server/request.h"

#include "base/status.h"

namespace sightline::server {

absl::Status Request::Check() const {
  if (cancelled()) {
    return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                       "the caller cancelled the request. Nothing more was done for it.");
  }
  if (expired()) {
    return base::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                       "the deadline passed before the answer was ready. Allow more time, or ask for less.");
  }
  return absl::OkStatus();
}

void Request::AddStage(const char* name, double milliseconds, int batch_size) {
  if (outer_ != nullptr) outer_->AddStage(name, milliseconds, batch_size);
  base::MutexLock lock(mutex_);
  stages_.push_back({name, milliseconds, batch_size});
}

std::vector<Stage> Request::stages() const {
  base::MutexLock lock(mutex_);
  return stages_;
}

}  // namespace sightline::server
