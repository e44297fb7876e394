#include "index/store/rocks.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::index {
namespace {

constexpr size_t kMiB = 1 << 20;

// RocksDB would wait for space by itself, look every five seconds, and then write what had failed. Store::Resume opens
// it again instead.
class NoRecovery : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// RocksDB's warnings, in our log. Its own log file is a danger: once a line could not be written because the disk is
// full, the next one ends the process (an assertion).
class ForwardingLogger : public rocksdb::Logger {
 public:
  ForwardingLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level >= rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    std::array<char, 1024> line;
    if (std::vsnprintf(line.data(), line.size(), format, arguments) < 0) return;
    base::Log(base::Severity::kWarning, "RocksDB", {{"text", line.data()}});
  }
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}  // what is less than a warning
  void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}
};

}  // namespace

RocksResources::RocksResources(size_t block_cache_bytes, size_t write_buffer_bytes, rocksdb::Env* env_or_null, int rest,
                               bool little_memory)
    : block_cache(rocksdb::NewLRUCache(block_cache_bytes)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes)),
      env(env_or_null == nullptr ? rocksdb::Env::Default() : env_or_null),
      recovery_rest(rest),
      low_memory(little_memory) {}

rocksdb::DBOptions MakeDbOptions(const RocksResources& resources) {
  rocksdb::DBOptions options;
  options.env = resources.env;
  options.write_buffer_manager = resources.write_buffers;
  options.max_background_jobs = 2;
  options.listeners.push_back(std::make_shared<NoRecovery>());
  // Replay after a crash reads at most this much.
  options.max_total_wal_size = 256 * kMiB;
  // Every batch is synced, so only an incomplete record at the very end may be dropped; anything else that does not
  // check out is damage, and must be reported instead of cutting the log short there.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // Closing a collection flushes what is worth it (Store::Flush).
  options.avoid_flush_during_shutdown = true;
  options.info_log = std::make_shared<ForwardingLogger>();
  if (resources.low_memory) options.max_open_files = 64;
  // Tables leave the machine in snapshots, and need not tell its name.
  options.db_host_id.clear();
  return options;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(const RocksResources& resources, Family family) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = resources.block_cache;
  table.cache_index_and_filter_blocks = resources.low_memory;
  switch (family) {
    case Family::kDefault:
    case Family::kManifest:
    case Family::kRequests: options.write_buffer_size = 4 * kMiB; break;
    case Family::kRecords: options.write_buffer_size = 16 * kMiB; break;
    case Family::kIds:
      options.write_buffer_size = 16 * kMiB;
      // Most writes ask for an id that is not there.
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
      break;
    case Family::kDescriptors:
      options.write_buffer_size = 64 * kMiB;
      options.compression = rocksdb::kNoCompression;
      // Read from end to end at start; floats do not compress.
      table.block_size = 64 << 10;
      break;
    case Family::kTokens:
    case Family::kImages:
      options.write_buffer_size = 64 * kMiB;
      options.compression = rocksdb::kNoCompression;
      // Kept out of the tree, or every compaction would write them again.
      options.enable_blob_files = true;
      options.min_blob_size = 4 << 10;
      options.blob_compression_type = rocksdb::kNoCompression;
      options.enable_blob_garbage_collection = true;
      break;
  }
  if (resources.low_memory) options.write_buffer_size = std::min(options.write_buffer_size, 4 * kMiB);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view action) {
  if (status.ok()) return absl::OkStatus();
  const std::string what = absl::StrCat("cannot ", action, ": ", status.ToString(), ". ");
  if (status.IsNoSpace()) {
    return base::RetryableError(absl::StatusCode::kResourceExhausted, "DISK_FULL",
                                absl::StrCat(what, "Free space on the data directory's disk; then writes go on."),
                                absl::Seconds(5));
  }
  if (!status.IsIOError() && !status.IsBusy() && !status.IsTimedOut() && !status.IsTryAgain() &&
      !status.IsIncomplete() && !status.IsShutdownInProgress() && !status.IsAborted()) {
    return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED",
                       absl::StrCat(what, "Check the disk, and restore a backup."));
  }
  return base::RetryableError(absl::StatusCode::kUnavailable, "STORAGE_FAILED",
                              absl::StrCat(what, "Check the disk and the system log."), absl::Seconds(5));
}

}  // namespace sightline::index
