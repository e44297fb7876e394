#include "index/store/rocks_handle.h"

#include <rocksdb/write_batch.h>

#include <atomic>
#include <exception>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/log_tail.h"

namespace sightline::index {
namespace {

uint64_t NextNumber() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

}  // namespace

RocksHandle::RocksHandle(rocksdb::SequenceNumber last) : number_(NextNumber()), up_to_(last) {}

rocksdb::WalFilter::WalProcessingOption RocksHandle::UpTo::LogRecord(const rocksdb::WriteBatch& batch,
                                                                     rocksdb::WriteBatch* /*new_batch*/,
                                                                     bool* /*batch_changed*/) const {
  // A batch begins with its sequence number.
  rocksdb::SequenceNumber sequence = 0;
  for (size_t i = 0; i < sizeof sequence; ++i) {
    sequence |= rocksdb::SequenceNumber{static_cast<unsigned char>(batch.Data()[i])} << (8 * i);
  }
  return sequence <= last_ ? WalProcessingOption::kContinueProcessing : WalProcessingOption::kIgnoreCurrentRecord;
}

absl::Status RocksHandle::OpenFiles(const std::string& folder, const RocksResources& resources, Mode mode) {
  rocksdb::DBOptions options = MakeDbOptions(resources);
  options.create_if_missing = options.create_missing_column_families = options.error_if_exists = mode == Mode::kCreate;
  options.wal_filter = &up_to_;
  // Files that were open a moment ago open fast; sixteen threads for each would take longer on a busy machine.
  if (up_to_.last() != kWholeLog) options.max_file_opening_threads = 1;
  const bool read_only = mode == Mode::kReadOnly || mode == Mode::kSalvage;
  if (read_only) {
    // Replaying the log must not count against, or flush, what collections in use have in memory.
    options.write_buffer_manager = nullptr;
    options.skip_stats_update_on_db_open = true;
  }
  if (mode == Mode::kSalvage) {
    options.paranoid_checks = false;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
    options.track_and_verify_wals_in_manifest = false;
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    families.emplace_back(kFamilyNames[i], MakeFamilyOptions(resources, static_cast<Family>(i)));
  }
  const auto open = [&] {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = read_only ? rocksdb::DB::OpenForReadOnly(options, folder, families, &handles_, &db)
                                             : rocksdb::DB::Open(options, folder, families, &handles_, &db);
    db_.reset(db);
    return status;
  };
  if (mode != Mode::kCreate && mode != Mode::kSalvage) {
    SIGHTLINE_RETURN_IF_ERROR(CheckLogEnds(resources.env, folder));
  }
  // Damaged files can make RocksDB ask for absurd amounts of memory.
  try {
    rocksdb::Status status = open();
    if (status.IsCorruption() && mode == Mode::kWrite) {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool mended, MendTornLogs(resources.env, folder));
      if (mended) status = open();
    }
    return FromRocks(status, absl::StrCat("open ", folder));
  } catch (const std::exception& error) {
    return DamagedError(absl::StrCat("data in ", folder), error.what());
  }
}

absl::StatusOr<std::unique_ptr<RocksHandle>> RocksHandle::Open(const std::string& folder,
                                                               const RocksResources& resources, Mode mode,
                                                               rocksdb::SequenceNumber last) {
  std::unique_ptr<RocksHandle> handle(new RocksHandle(last));
  SIGHTLINE_RETURN_IF_ERROR(handle->OpenFiles(folder, resources, mode));
  return handle;
}

RocksHandle::~RocksHandle() {
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
}

}  // namespace sightline::index
