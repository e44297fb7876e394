#include "tests/support/fault_env.h"

#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <utility>

#include "base/mutex.h"

namespace sightline::testing {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// RocksDB waits a second after a background failure before it goes on, also when it only wants to close.
class ImpatientClock : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int micros) override { SystemClockWrapper::SleepForMicroseconds(std::min(micros, 1'000)); }
};

class ImpatientEnv : public rocksdb::EnvWrapper {
 public:
  explicit ImpatientEnv(std::unique_ptr<rocksdb::Env> env) : EnvWrapper(std::move(env)) {
    system_clock_ = std::make_shared<ImpatientClock>();
  }
};

}  // namespace

class FaultFileSystem : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem(const std::string& root, const std::string& attic)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), unsynced_(root, attic) {}

  const char* Name() const override { return "FaultFileSystem"; }

  Unsynced& unsynced() { return unsynced_; }

  void Inject(const Faults& faults) {
    base::MutexLock lock(mutex_);
    faults_ = faults;
    random_.seed(faults.seed);
    counted_ = failed_ = 0;
  }
  uint64_t counted() const {
    base::MutexLock lock(mutex_);
    return counted_;
  }
  uint64_t failed() const {
    base::MutexLock lock(mutex_);
    return failed_;
  }
  bool power() const {
    base::MutexLock lock(mutex_);
    return power_;
  }
  void SetPower(bool on) {
    base::MutexLock lock(mutex_);
    power_ = on;
  }

  // The error that this operation ends in, or OK.
  IOStatus Check(bool Faults::*kind, const std::string& path, bool* short_write = nullptr) {
    base::MutexLock lock(mutex_);
    if (!power_ && kind != &Faults::read) return IOStatus::IOError("the power is off", path);
    if (!(faults_.*kind) || path.find(faults_.path) == std::string::npos) return IOStatus::OK();
    ++counted_;
    const bool by_odds = faults_.one_in > 0 && random_() % faults_.one_in == 0;
    const bool by_count = faults_.nth > 0 && (faults_.from_then_on ? counted_ >= faults_.nth : counted_ == faults_.nth);
    if (!by_odds && !by_count) return IOStatus::OK();
    ++failed_;
    if (faults_.error == Faults::Error::kPowerOff) {
      power_ = false;
      return IOStatus::IOError("the power went off", path);
    }
    if (short_write != nullptr) *short_write = faults_.error == Faults::Error::kShortWrite;
    if (faults_.error == Faults::Error::kNoSpace) {
      IOStatus full = IOStatus::NoSpace("injected", path);
      full.SetRetryable(true);
      return full;
    }
    return IOStatus::IOError("injected", path);
  }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext* dbg) override;
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext* dbg) override;
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* dbg) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* dbg) override;

  // RocksDB as this project runs it uses none of these.
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>*,
                              IODebugContext*) override {
    return IOStatus::NotSupported("reopening", path);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string&, const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("reusing", path);
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&, std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("random writing", path);
  }
  IOStatus Truncate(const std::string& path, size_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("truncating", path);
  }

  IOStatus GetFreeSpace(const std::string& path, const IOOptions& options, uint64_t* bytes,
                        IODebugContext* dbg) override {
    base::MutexLock lock(mutex_);
    if (faults_.free_bytes > 0 ||
        (faults_.error == Faults::Error::kNoSpace && faults_.from_then_on && counted_ >= faults_.nth)) {
      *bytes = faults_.free_bytes;
      return IOStatus::OK();
    }
    return FileSystemWrapper::GetFreeSpace(path, options, bytes, dbg);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    IOStatus status = Check(&Faults::create, path);
    if (status.ok()) status = FileSystemWrapper::CreateDir(path, options, dbg);
    if (status.ok()) unsynced_.FolderCreated(path);
    return status;
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    return std::filesystem::is_directory(path) ? IOStatus::OK() : CreateDir(path, options, dbg);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* dbg) override {
    IOStatus status = Check(&Faults::remove, path);
    if (!status.ok()) return status;
    unsynced_.Removing(path);
    return FileSystemWrapper::DeleteFile(path, options, dbg);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* dbg) override {
    IOStatus status = Check(&Faults::rename, to);
    if (!status.ok()) return status;
    unsynced_.Renaming(from, to);
    return FileSystemWrapper::RenameFile(from, to, options, dbg);
  }
  // A hard link is a new name of a file that is there.
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* dbg) override {
    IOStatus status = Check(&Faults::create, to);
    if (status.ok()) status = FileSystemWrapper::LinkFile(from, to, options, dbg);
    if (status.ok()) unsynced_.Linked(to);
    return status;
  }

 private:
  Unsynced unsynced_;
  mutable base::Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  uint64_t counted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool power_ ABSL_GUARDED_BY(mutex_) = true;
};

namespace {

class WrittenFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WrittenFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path, FaultFileSystem& system)
      : FSWritableFileOwnerWrapper(std::move(file)),
        path_(std::move(path)),
        inode_(Unsynced::InodeOf(path_)),
        system_(system) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    bool short_write = false;
    const IOStatus status = system_.Check(&Faults::append, path_, &short_write);
    if (!status.ok() && !short_write) return status;
    const Slice part(data.data(), status.ok() ? data.size() : data.size() / 2);
    IOStatus written = FSWritableFileOwnerWrapper::Append(part, options, dbg);
    if (written.ok()) system_.unsynced().Wrote(inode_, end_ += part.size());
    return status.ok() ? written : status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& /*info*/,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("appending at a position", path_);
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, const rocksdb::DataVerificationInfo&,
                            IODebugContext*) override {
    return IOStatus::NotSupported("appending at a position", path_);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    const uint64_t end = end_;
    IOStatus status = system_.Check(&Faults::sync, path_);
    if (!status.ok()) {
      if (system_.power()) system_.unsynced().SyncFailed(inode_, end);
      return status;
    }
    // To the real disk it does not matter, and a test has thousands.
    (void)options, (void)dbg;
    system_.unsynced().Synced(inode_, end);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override { return Sync(options, dbg); }
  // A hint to the system: nothing is durable by it.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const std::string path_;
  const Unsynced::Inode inode_;
  FaultFileSystem& system_;
  std::atomic<uint64_t> end_ = 0;
};

class ReadFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  ReadFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path, FaultFileSystem& system)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)), system_(system) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* dbg) const override {
    IOStatus status = system_.Check(&Faults::read, path_);
    if (status.ok()) status = FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, dbg);
    return status;
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* dbg) override {
    for (size_t i = 0; i < count; ++i) {
      rocksdb::FSReadRequest& request = requests[i];
      request.status = Read(request.offset, request.len, options, &request.result, request.scratch, dbg);
    }
    return IOStatus::OK();
  }

 private:
  const std::string path_;
  FaultFileSystem& system_;
};

class ReadThroughFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  ReadThroughFile(std::unique_ptr<rocksdb::FSSequentialFile> file, std::string path, FaultFileSystem& system)
      : FSSequentialFileOwnerWrapper(std::move(file)), path_(std::move(path)), system_(system) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* dbg) override {
    IOStatus status = system_.Check(&Faults::read, path_);
    if (status.ok()) status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, dbg);
    return status;
  }

 private:
  const std::string path_;
  FaultFileSystem& system_;
};

class SyncedFolder : public rocksdb::FSDirectoryWrapper {
 public:
  SyncedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string path, FaultFileSystem& system)
      : FSDirectoryWrapper(std::move(folder)), path_(std::move(path)), system_(system) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    IOStatus status = system_.Check(&Faults::folder_sync, path_);
    if (status.ok()) system_.unsynced().FolderSynced(path_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& /*reason*/) override {
    return Fsync(options, dbg);
  }

 private:
  const std::string path_;
  FaultFileSystem& system_;
};

}  // namespace

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext* dbg) {
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, result, dbg);
  if (status.ok()) *result = std::make_unique<ReadThroughFile>(std::move(*result), path, *this);
  return status;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                              IODebugContext* dbg) {
  IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, result, dbg);
  if (status.ok()) *result = std::make_unique<ReadFile>(std::move(*result), path, *this);
  return status;
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* dbg) {
  IOStatus status = Check(&Faults::create, path);
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(path, options, result, dbg);
  if (!status.ok()) return status;
  unsynced_.Created(path);
  *result = std::make_unique<WrittenFile>(std::move(*result), path, *this);
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* dbg) {
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, result, dbg);
  if (status.ok()) *result = std::make_unique<SyncedFolder>(std::move(*result), path, *this);
  return status;
}

FaultEnv::FaultEnv(const std::string& root, const std::string& attic) {
  std::filesystem::create_directories(root);
  std::filesystem::create_directories(attic);
  file_system_ = std::make_shared<FaultFileSystem>(root, attic);
  env_ = std::make_unique<ImpatientEnv>(rocksdb::NewCompositeEnv(file_system_));
}

FaultEnv::~FaultEnv() = default;

void FaultEnv::Inject(const Faults& faults) { file_system_->Inject(faults); }
uint64_t FaultEnv::counted() const { return file_system_->counted(); }
uint64_t FaultEnv::failed() const { return file_system_->failed(); }
bool FaultEnv::power() const { return file_system_->power(); }
void FaultEnv::Cut() { file_system_->SetPower(false); }

void FaultEnv::Boot(const PowerLoss& loss) {
  Heal();
  file_system_->unsynced().Lose(loss);
  file_system_->SetPower(true);
}

}  // namespace sightline::testing
