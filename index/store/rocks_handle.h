// RocksHandle: an open RocksDB with the column families of a store.
//
// Threading: all methods may be called from any thread. Ownership: owns the database; what was made from it (iterators,
// snapshots) must not outlive it. Failure: Status; DATA_LOSS for damaged files.
#ifndef SIGHTLINE_INDEX_STORE_ROCKS_HANDLE_H_
#define SIGHTLINE_INDEX_STORE_ROCKS_HANDLE_H_

#include <rocksdb/db.h>
#include <rocksdb/wal_filter.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/store/rocks.h"

namespace sightline::index {

class RocksHandle {
 public:
  enum class Mode {
    kCreate,    // there must be none
    kWrite,     // what a power loss has left at the end of a log is cut off
    kReadOnly,  // changes no file, and needs no space
    kSalvage,   // the same, passing over what is damaged of a log, and opening what it can of the rest
  };

  static constexpr rocksdb::SequenceNumber kWholeLog = std::numeric_limits<rocksdb::SequenceNumber>::max();

  // Batches in the log with a sequence number above `last` are taken as never written.
  static absl::StatusOr<std::unique_ptr<RocksHandle>> Open(const std::string& folder, const RocksResources& resources,
                                                           Mode mode, rocksdb::SequenceNumber last = kWholeLog);
  ~RocksHandle();
  RocksHandle(const RocksHandle&) = delete;
  RocksHandle& operator=(const RocksHandle&) = delete;

  // Another for every handle of this process, from 1: under one number a record key never comes to mean something else.
  uint64_t number() const { return number_; }
  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* family(Family family) const { return handles_[static_cast<size_t>(family)]; }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families() const { return handles_; }

 private:
  class UpTo : public rocksdb::WalFilter {
   public:
    explicit UpTo(rocksdb::SequenceNumber last) : last_(last) {}
    rocksdb::SequenceNumber last() const { return last_; }
    const char* Name() const override { return "UpTo"; }
    WalProcessingOption LogRecord(const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* new_batch,
                                  bool* batch_changed) const override;

   private:
    const rocksdb::SequenceNumber last_;
  };

  explicit RocksHandle(rocksdb::SequenceNumber last);
  absl::Status OpenFiles(const std::string& folder, const RocksResources& resources, Mode mode);

  const uint64_t number_;
  UpTo up_to_;  // outlives db_
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // destroyed through db_, as RocksDB asks
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_ROCKS_HANDLE_H_
