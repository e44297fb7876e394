#include "index/store/log_guard.h"

#include <rocksdb/file_system.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "base/mutex.h"

namespace sightline::index {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class GuardedLog : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    base::MutexLock lock(mutex_);
    end_ += data.size();
    if (failed_) return CutBack(options, dbg);
    return Judge(FSWritableFileOwnerWrapper::Append(data, options, dbg), options, dbg);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& /*info*/,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    base::MutexLock lock(mutex_);
    if (failed_) return CutBack(options, dbg);
    return Judge(FSWritableFileOwnerWrapper::Flush(options, dbg), options, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    base::MutexLock lock(mutex_);
    if (failed_) return CutBack(options, dbg);
    IOStatus status = Judge(FSWritableFileOwnerWrapper::Sync(options, dbg), options, dbg);
    if (status.ok()) synced_ = end_;
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override { return Sync(options, dbg); }
  // RocksDB may now sync while it appends; here one waits for the other.
  bool IsSyncThreadSafe() const override { return true; }

 private:
  IOStatus Judge(IOStatus status, const IOOptions& options, IODebugContext* dbg) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (status.ok()) return status;
    failed_ = true;
    CutBack(options, dbg).PermitUncheckedError();  // at once if that can be: the process may end here
    return status;
  }

  // OK once nothing but what was synced is in the file, durably; it is `end_` long.
  IOStatus CutBack(const IOOptions& options, IODebugContext* dbg) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!cut_) {
      IOStatus status = Truncate(synced_, options, dbg);
      if (status.ok()) status = FSWritableFileOwnerWrapper::Sync(options, dbg);
      if (!status.ok()) return status;
      cut_ = true;
    }
    return Truncate(end_, options, dbg);
  }

  base::Mutex mutex_;
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;  // as RocksDB believes
  uint64_t synced_ ABSL_GUARDED_BY(mutex_) = 0;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
};

class GuardedFiles : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "GuardedFiles"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* dbg) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(path, options, result, dbg);
    if (status.ok() && absl::EndsWith(path, ".log")) *result = std::make_unique<GuardedLog>(std::move(*result));
    return status;
  }
};

class GuardedEnv : public rocksdb::EnvWrapper {
 public:
  explicit GuardedEnv(rocksdb::Env* target) : EnvWrapper(target) {
    file_system_ = std::make_shared<GuardedFiles>(target->GetFileSystem());
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> GuardLogs(rocksdb::Env* target) { return std::make_unique<GuardedEnv>(target); }

}  // namespace sightline::index
