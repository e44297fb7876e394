#include "index/store/store.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/log_tail.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr size_t kMaxCopyBytes = 1 << 20;  // of one batch of copied request ids

constexpr std::chrono::milliseconds kResumePatience{2'000};

// A Resume that cannot even make a file leaves a RocksDB that only a restart helps.
constexpr uint64_t kLeastToResume = 1 << 20;

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

rocksdb::ReadOptions Scan() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 4 << 20;
  return options;
}

}  // namespace

absl::Status Store::OpenRocks(const std::string& folder, const RocksResources& resources, bool create) {
  rocksdb::DBOptions options = MakeDbOptions(resources);
  options.create_if_missing = create;
  options.create_missing_column_families = create;
  options.error_if_exists = create;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    families.emplace_back(kFamilyNames[i], MakeFamilyOptions(resources, static_cast<Family>(i)));
  }
  // Damaged files can make RocksDB ask for absurd amounts of memory.
  try {
    rocksdb::DB* db = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(options, folder, families, &handles_, &db);
    if (status.IsCorruption() && !create) {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool cut, CutTornLogs(resources.env.get(), folder));
      if (cut) status = rocksdb::DB::Open(options, folder, families, &handles_, &db);
    }
    db_.reset(db);
    return FromRocks(status, absl::StrCat("open ", folder));
  } catch (const std::exception& error) {
    return DamagedError(absl::StrCat("data in ", folder), error.what());
  }
}

absl::Status Store::Create(const std::string& folder, const CollectionConfig& config, const RocksResources& resources) {
  Store store;
  // RocksDB would make it too, and complain first that it is not there.
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(folder));
  SIGHTLINE_RETURN_IF_ERROR(store.OpenRocks(folder, resources, /*create=*/true));
  rocksdb::WriteBatch batch;
  batch.Put(store.family(Family::kManifest), ToSlice(kConfigKey), EncodeConfig(kConfigKey, config));
  batch.Put(store.family(Family::kManifest), ToSlice(kCountersKey), EncodeCounters(kCountersKey, Counters()));
  return store.Write(&batch);
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& folder, const RocksResources& resources,
                                                   const RecordLimits& limits) {
  std::unique_ptr<Store> store(new Store());
  SIGHTLINE_RETURN_IF_ERROR(store->OpenRocks(folder, resources, /*create=*/false));
  SIGHTLINE_RETURN_IF_ERROR(store->ReadManifest(limits));
  return store;
}

Store::~Store() {
  if (db_ == nullptr) return;
  resumer_.reset();
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
}

absl::Status Store::ReadManifest(const RecordLimits& limits) {
  std::string value;
  for (const absl::string_view key : {kConfigKey, kCountersKey}) {
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), family(Family::kManifest), ToSlice(key), &value);
    if (status.IsNotFound()) return DamagedError("manifest", absl::StrCat("it has no ", key));
    SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
    if (key == kConfigKey) {
      SIGHTLINE_ASSIGN_OR_RETURN(config_, DecodeConfig(key, value));
    } else {
      SIGHTLINE_ASSIGN_OR_RETURN(counters_, DecodeCounters(key, value));
    }
  }
  return ValidateConfig(config_, limits);
}

absl::StatusOr<std::vector<std::pair<uint64_t, std::string>>> Store::LiveKeys() const {
  std::vector<std::pair<uint64_t, std::string>> live;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(Scan(), family(Family::kIds)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view id = ToView(it->key());
    SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t key, DecodeRecordKey(id, ToView(it->value())));
    if (key >= counters_.next_key) return DamagedError("id", "it leads to a record that was never written");
    live.emplace_back(key, id);
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the ids"));
  std::sort(live.begin(), live.end());
  return live;
}

absl::Status Store::ForEachRecord(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto live, LiveKeys());
  rocksdb::WriteBatch orphans;
  auto next = live.begin();
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(Scan(), family(Family::kRecords)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<uint64_t> key = ParseRecordKey(ToView(it->key()));
    if (!key) return DamagedError("record", "its key has the wrong size");
    if (next == live.end() || *key < next->first) {
      // A write that failed, and that reached the disk all the same; a later one did not know of it.
      for (const Family family_of : {Family::kRecords, Family::kDescriptors, Family::kTokens, Family::kImages}) {
        orphans.Delete(family(family_of), it->key());
      }
      continue;
    }
    if (*key > next->first) break;
    SIGHTLINE_ASSIGN_OR_RETURN(StoredRecord record, DecodeRecord(ToView(it->key()), ToView(it->value())));
    if (record.record.id != next->second) return DamagedError("record", "its id is not the one that leads to it");
    SIGHTLINE_RETURN_IF_ERROR(row(*key, std::move(record)));
    ++next;
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the records"));
  if (next != live.end()) return DamagedError("record", absl::StrCat("number ", next->first, " is missing"));
  if (orphans.Count() == 0) return absl::OkStatus();
  base::Log(base::Severity::kWarning, "removing what a failed write left",
            {{"collection", config_.name}, {"records", absl::StrCat(orphans.Count() / 4)}});
  return Write(&orphans);
}

absl::StatusOr<std::vector<float>> Store::ReadDescriptor(uint64_t key) const {
  const std::string record_key = RecordKey(key);
  std::string value;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), family(Family::kDescriptors), record_key, &value);
  if (status.IsNotFound()) return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read a descriptor"));
  return DecodeDescriptor(record_key, value, config_.descriptor_dim);
}

absl::StatusOr<std::optional<SegmentManifest>> Store::ReadSegmentManifest() const {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), family(Family::kManifest), ToSlice(kSegmentsKey), &value);
  if (status.IsNotFound()) return std::optional<SegmentManifest>();
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
  SIGHTLINE_ASSIGN_OR_RETURN(SegmentManifest manifest, DecodeSegmentManifest(kSegmentsKey, value));
  return std::optional<SegmentManifest>(std::move(manifest));
}

absl::Status Store::WriteSegmentManifest(const SegmentManifest& manifest) {
  rocksdb::WriteBatch batch;
  batch.Put(family(Family::kManifest), ToSlice(kSegmentsKey), EncodeSegmentManifest(kSegmentsKey, manifest));
  return Write(&batch);
}

DescriptorCursor::DescriptorCursor(const Store& store)
    : store_(store), it_(store.db().NewIterator(Scan(), store.family(Family::kDescriptors))) {}

absl::StatusOr<std::vector<float>> DescriptorCursor::At(uint64_t key) {
  const std::string wanted = RecordKey(key);
  if (it_->Valid()) it_->Next();
  if (!it_->Valid() || it_->key() != wanted) it_->Seek(wanted);
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it_->status(), "read the descriptors"));
  if (!it_->Valid() || it_->key() != wanted) {
    return DamagedError("descriptor", absl::StrCat("that of record ", key, " is missing"));
  }
  return DecodeDescriptor(wanted, ToView(it_->value()), store_.config().descriptor_dim);
}

absl::StatusOr<std::vector<std::pair<absl::Time, std::string>>> Store::ExpiredRequests(absl::Time before,
                                                                                       int most) const {
  std::vector<std::pair<absl::Time, std::string>> expired;
  const std::string end = RequestTimeKey(before, "");
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, family(Family::kRequests)));
  for (it->Seek("t"); it->Valid() && static_cast<int>(expired.size()) < most; it->Next()) {
    std::optional<RequestTime> request = ParseRequestTimeKey(ToView(it->key()));
    if (!request) return DamagedError("request id", "its key has the wrong shape");
    expired.emplace_back(request->time, std::move(request->request_id));
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the request ids"));
  return expired;
}

absl::Status Store::CopyRequests(const Store& from, absl::Time since) {
  rocksdb::WriteBatch batch;
  const std::unique_ptr<rocksdb::Iterator> it(from.db_->NewIterator(Scan(), from.family(Family::kRequests)));
  const std::string begin = since == absl::InfinitePast() ? "t" : RequestTimeKey(since, "");
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const std::optional<RequestTime> request = ParseRequestTimeKey(ToView(it->key()));
    if (!request) return DamagedError("request id", "its key has the wrong shape");
    const std::string key = RequestKey(request->request_id);
    std::string value;
    const rocksdb::Status found = from.db_->Get(rocksdb::ReadOptions(), from.family(Family::kRequests), key, &value);
    if (found.IsNotFound()) continue;
    SIGHTLINE_RETURN_IF_ERROR(FromRocks(found, "read a request id"));
    batch.Put(family(Family::kRequests), it->key(), "");
    batch.Put(family(Family::kRequests), key, value);
    if (batch.GetDataSize() < kMaxCopyBytes) continue;
    SIGHTLINE_RETURN_IF_ERROR(Write(&batch));
    batch.Clear();
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the request ids"));
  return batch.Count() == 0 ? absl::OkStatus() : Write(&batch);
}

absl::Status Store::FillMemtable() {
  uint64_t entries = 0;
  if (db_->GetIntProperty(family(Family::kManifest), rocksdb::DB::Properties::kNumEntriesActiveMemTable, &entries) &&
      entries > 0) {
    return absl::OkStatus();
  }
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  return FromRocks(db_->Put(unlogged, family(Family::kDefault), "", ""), "write");
}

absl::Status Store::Write(rocksdb::WriteBatch* batch) {
  // One after the other, and none between a failure and Resume: Debian's RocksDB ends the process when a log that has
  // failed is written again, and lets a write that waited behind the failed one do just that.
  base::MutexLock lock(write_mutex_);
  if (!write_failure_.ok()) return write_failure_;
  SIGHTLINE_RETURN_IF_ERROR(FillMemtable());
  write_failure_ = FromRocks(db_->Write(Synced(), batch), "write");
  return write_failure_;
}

absl::Status Store::write_failure() const {
  base::MutexLock lock(write_mutex_);
  return write_failure_;
}

absl::Status Store::BetweenWrites(absl::FunctionRef<absl::Status()> work) {
  base::MutexLock lock(write_mutex_);
  return write_failure_.ok() ? work() : write_failure_;
}

absl::Status Store::Resume() {
  uint64_t free_bytes = 0;
  if (db_->GetEnv()->GetFileSystem()->GetFreeSpace(db_->GetName(), rocksdb::IOOptions(), &free_bytes, nullptr).ok() &&
      free_bytes < kLeastToResume) {
    return FromRocks(rocksdb::Status::NoSpace(absl::StrCat(free_bytes, " bytes are free")),
                     "go on after a failed write");
  }
  if (resumer_ == nullptr) resumer_ = std::make_unique<Resumer>(*db_);
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(resumer_->Resume(kResumePatience), "go on after a failed write"));
  base::MutexLock lock(write_mutex_);
  write_failure_ = absl::OkStatus();
  return absl::OkStatus();
}

absl::Status Store::Flush() { return FromRocks(db_->Flush(rocksdb::FlushOptions(), handles_), "flush"); }

int64_t Store::Property(Family family_of, const std::string& name) const {
  uint64_t value = 0;
  return db_->GetIntProperty(family(family_of), name, &value) ? static_cast<int64_t>(value) : 0;
}

LayerBytes Store::DiskBytes() const {
  const auto tables = [this](Family family_of) {
    return Property(family_of, rocksdb::DB::Properties::kLiveSstFilesSize) +
           Property(family_of, rocksdb::DB::Properties::kLiveBlobFileSize);
  };
  LayerBytes bytes;
  bytes.descriptors = tables(Family::kDescriptors);
  bytes.tokens = tables(Family::kTokens);
  bytes.images = tables(Family::kImages);
  bytes.attributes = tables(Family::kRecords) + tables(Family::kIds) + tables(Family::kRequests) +
                     tables(Family::kManifest) + tables(Family::kDefault);
  rocksdb::VectorLogPtr logs;
  if (db_->GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) bytes.log += static_cast<int64_t>(log->SizeFileBytes());
  }
  return bytes;
}

int64_t Store::WriteBufferBytes() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    bytes += Property(static_cast<Family>(i), rocksdb::DB::Properties::kCurSizeAllMemTables);
  }
  return bytes;
}

}  // namespace sightline::index
