#include "index/store/resume.h"

#include <rocksdb/convenience.h>

#include <cstdint>

namespace sightline::index {
namespace {

constexpr std::chrono::milliseconds kLookAgain{10};

bool Busy(rocksdb::DB& db) {
  uint64_t flushes = 0, compactions = 0;
  db.GetIntProperty(rocksdb::DB::Properties::kNumRunningFlushes, &flushes);
  db.GetIntProperty(rocksdb::DB::Properties::kNumRunningCompactions, &compactions);
  return flushes + compactions > 0;
}

}  // namespace

Resumer::~Resumer() {
  bool running = false;
  {
    base::MutexLock lock(mutex_);
    closing_ = true;
    running = running_;
    changed_.NotifyAll();
  }
  if (running) rocksdb::CancelAllBackgroundWork(&db_, /*wait=*/false);
  if (thread_.joinable()) thread_.join();
}

rocksdb::Status Resumer::Resume(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  base::MutexLock lock(mutex_);
  if (!running_) {
    if (thread_.joinable()) thread_.join();
    running_ = true;
    thread_ = std::thread([this] { Run(); });
  }
  while (running_) {
    if (!changed_.WaitUntil(mutex_, deadline) && running_) return rocksdb::Status::TimedOut("it is still being tried");
  }
  return result_;
}

void Resumer::Run() {
  // One that has failed takes a second to end.
  while (Busy(db_)) {
    base::MutexLock lock(mutex_);
    if (closing_) break;
    changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kLookAgain);
  }
  const rocksdb::Status result = db_.Resume();
  base::MutexLock lock(mutex_);
  result_ = result;
  running_ = false;
  changed_.NotifyAll();
}

}  // namespace sightline::index
