// SharedMutex: many hold it shared, or one alone, who can give up waiting. Unlike std::shared_mutex it lets nobody in
// before one who waits to be alone, and it may be unlocked by another thread than the one that locked it.
//
// For what is held long, such as while a disk is read: every call takes an ordinary mutex for a moment.
//
// Threading: that is what it is for. A thread that holds it shared must not lock it again: one who waits to be alone
// may have come between. Failure: none.
//
//   mutable base::SharedMutex mutex_;
//   Files files_ ABSL_GUARDED_BY(mutex_);
//   ...
//   if (!mutex_.TryLockFor(std::chrono::seconds(2))) return Busy();
//   files_ = Open();
//   mutex_.Unlock();
#ifndef SIGHTLINE_BASE_SHARED_MUTEX_H_
#define SIGHTLINE_BASE_SHARED_MUTEX_H_

#include <chrono>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace sightline::base {

class ABSL_LOCKABLE SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void LockShared() ABSL_SHARED_LOCK_FUNCTION() {
    MutexLock lock(mutex_);
    while (alone_) changed_.Wait(mutex_);
    ++shared_;
  }

  // Without waiting.
  bool TryLockShared() ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    MutexLock lock(mutex_);
    if (alone_) return false;
    ++shared_;
    return true;
  }

  void UnlockShared() ABSL_UNLOCK_FUNCTION() {
    MutexLock lock(mutex_);
    if (--shared_ == 0 && alone_) changed_.NotifyAll();
  }

  // Alone. While it waits, others who come wait too.
  bool TryLockFor(std::chrono::milliseconds patience) ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    MutexLock lock(mutex_);
    while (alone_) {
      if (!changed_.WaitUntil(mutex_, deadline) && alone_) return false;
    }
    alone_ = true;
    while (shared_ > 0) {
      if (changed_.WaitUntil(mutex_, deadline) || shared_ == 0) continue;
      alone_ = false;
      changed_.NotifyAll();
      return false;
    }
    return true;
  }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    MutexLock lock(mutex_);
    alone_ = false;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int shared_ ABSL_GUARDED_BY(mutex_) = 0;
  bool alone_ ABSL_GUARDED_BY(mutex_) = false;  // or waiting to be
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_SHARED_MUTEX_H_
