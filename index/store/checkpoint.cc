#include "index/store/checkpoint.h"

#include <rocksdb/utilities/checkpoint.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/rocks_handle.h"
#include "index/store/small_codec.h"

namespace sightline::index {
namespace {

// A log up to this size is copied and replayed by who opens the checkpoint; a longer one is first written as tables.
// Always doing that would leave tiny tables behind every snapshot.
constexpr uint64_t kMostCopiedLogBytes = 32 << 20;

absl::StatusOr<std::string> ReadManifestValue(const RocksHandle& rocks, absl::string_view key) {
  std::string value;
  const rocksdb::Status status =
      rocks.db().Get(rocksdb::ReadOptions(), rocks.family(Family::kManifest), ToSlice(key), &value);
  if (status.IsNotFound()) return DamagedError("manifest", absl::StrCat("it has no ", key));
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
  return value;
}

absl::StatusOr<CheckpointContent> ReadOpened(const RocksHandle& rocks) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string config_value, ReadManifestValue(rocks, kConfigKey));
  SIGHTLINE_ASSIGN_OR_RETURN(const CollectionConfig config, DecodeConfig(kConfigKey, config_value));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string counters_value, ReadManifestValue(rocks, kCountersKey));
  SIGHTLINE_ASSIGN_OR_RETURN(const Counters counters, DecodeCounters(kCountersKey, counters_value));
  CheckpointContent content{config.name, counters.sequence, 0};
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 1 << 20;
  const std::unique_ptr<rocksdb::Iterator> it(rocks.db().NewIterator(options, rocks.family(Family::kIds)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++content.images;
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "count the images"));
  return content;
}

}  // namespace

absl::Status MakeCheckpoint(Store& store, const std::string& folder) {
  return store.BetweenWrites([&](rocksdb::DB& db) {
    rocksdb::Checkpoint* made = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(&db, &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (status.ok()) status = checkpoint->CreateCheckpoint(folder, kMostCopiedLogBytes);
    return FromRocks(status, "take a snapshot");
  });
}

absl::StatusOr<CheckpointContent> ReadCheckpoint(const std::string& folder, const RocksResources& resources) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<RocksHandle> rocks,
                             RocksHandle::Open(folder, resources, RocksHandle::Mode::kReadOnly));
  return ReadOpened(*rocks);
}

absl::Status RenameStoredCollection(const std::string& folder, const std::string& name, const RocksResources& resources,
                                    const RecordLimits& limits) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(folder, resources, limits));
  CollectionConfig config = store->config();
  config.name = name;
  return store->WriteConfig(config);
}

}  // namespace sightline::index
