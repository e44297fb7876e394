// RocksDB as this project runs it: its options, and its statuses in our words.
//
// Threading: RocksResources may be shared by all threads; the functions are pure. Failure: Status.
#ifndef SIGHTLINE_INDEX_STORE_ROCKS_H_
#define SIGHTLINE_INDEX_STORE_ROCKS_H_

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>
#include <rocksdb/write_buffer_manager.h>

#include <array>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// The column families, in the order in which they are opened. Their names are part of the format.
enum class Family { kDefault, kRecords, kIds, kDescriptors, kTokens, kImages, kRequests, kManifest };
inline constexpr std::array<const char*, 8> kFamilyNames = {"default", "records", "ids",      "descriptors",
                                                            "tokens",  "images",  "requests", "manifest"};

// What the collections of one database share.
struct RocksResources {
  RocksResources(size_t block_cache_bytes, size_t write_buffer_bytes, rocksdb::Env* env = nullptr,
                 int recovery_rest = 0, bool low_memory = false);
  std::shared_ptr<rocksdb::Cache> block_cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  rocksdb::Env* env;  // never null
  int recovery_rest;  // between two attempts of Store::Resume, in times as long as the first took
  bool low_memory;    // few tables are kept open, and their indexes are in the cache
};

rocksdb::DBOptions MakeDbOptions(const RocksResources& resources);
rocksdb::ColumnFamilyOptions MakeFamilyOptions(const RocksResources& resources, Family family);

// `action` completes "cannot ...". A full disk becomes RESOURCE_EXHAUSTED, damage DATA_LOSS, other trouble with files
// UNAVAILABLE.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view action);

inline rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }
inline absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_ROCKS_H_
