#include "index/store/checkpoint.h"

#include <rocksdb/utilities/checkpoint.h>

#include <exception>
#include <memory>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/small_codec.h"

namespace sightline::index {
namespace {

// A log up to this size is copied and replayed by who opens the checkpoint; a longer one is first written as tables.
// Always doing that would leave tiny tables behind every snapshot.
constexpr uint64_t kMostCopiedLogBytes = 32 << 20;

// RocksDB would leave a log file of its own in a folder that is only read.
class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

absl::StatusOr<std::string> ReadManifestValue(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                              absl::string_view key) {
  std::string value;
  const rocksdb::Status status = db.Get(rocksdb::ReadOptions(), family, ToSlice(key), &value);
  if (status.IsNotFound()) return DamagedError("manifest", absl::StrCat("it has no ", key));
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
  return value;
}

absl::StatusOr<CheckpointContent> ReadOpened(rocksdb::DB& db,
                                             const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  const auto family = [&](Family name) { return handles[static_cast<size_t>(name)]; };
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string config_value,
                             ReadManifestValue(db, family(Family::kManifest), kConfigKey));
  SIGHTLINE_ASSIGN_OR_RETURN(const CollectionConfig config, DecodeConfig(kConfigKey, config_value));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string counters_value,
                             ReadManifestValue(db, family(Family::kManifest), kCountersKey));
  SIGHTLINE_ASSIGN_OR_RETURN(const Counters counters, DecodeCounters(kCountersKey, counters_value));
  CheckpointContent content{config.name, counters.sequence, 0};
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 1 << 20;
  const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(options, family(Family::kIds)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++content.images;
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "count the images"));
  return content;
}

}  // namespace

absl::Status MakeCheckpoint(Store& store, const std::string& folder) {
  rocksdb::Checkpoint* made = nullptr;
  const rocksdb::Status created = rocksdb::Checkpoint::Create(&store.db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(created, "take a snapshot"));
  return store.BetweenWrites(
      [&] { return FromRocks(checkpoint->CreateCheckpoint(folder, kMostCopiedLogBytes), "take a snapshot"); });
}

absl::StatusOr<CheckpointContent> ReadCheckpoint(const std::string& folder, const RocksResources& resources) {
  rocksdb::DBOptions options = MakeDbOptions(resources);
  options.info_log = std::make_shared<SilentLogger>();
  // Replaying the log must not count against, or flush, what collections in use have in memory.
  options.write_buffer_manager = nullptr;
  options.skip_stats_update_on_db_open = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    families.emplace_back(kFamilyNames[i], MakeFamilyOptions(resources, static_cast<Family>(i)));
  }
  // Damaged files can make RocksDB ask for absurd amounts of memory.
  try {
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, folder, families, &handles, &opened);
    const std::unique_ptr<rocksdb::DB> db(opened);
    SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, absl::StrCat("open ", folder)));
    const absl::Cleanup release = [&] {
      for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    };
    return ReadOpened(*db, handles);
  } catch (const std::exception& error) {
    return DamagedError(absl::StrCat("data in ", folder), error.what());
  }
}

absl::Status RenameStoredCollection(const std::string& folder, const std::string& name, const RocksResources& resources,
                                    const RecordLimits& limits) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(folder, resources, limits));
  CollectionConfig config = store->config();
  config.name = name;
  rocksdb::WriteBatch batch;
  batch.Put(store->family(Family::kManifest), ToSlice(kConfigKey), EncodeConfig(kConfigKey, config));
  return store->Write(&batch);
}

}  // namespace sightline::index
