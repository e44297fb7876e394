#include "index/store/store.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/errors.h"
#include "index/store/keys.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr size_t kMaxCopyBytes = 1 << 20;  // of one batch of copied request ids

// That readers are waited for, before files are opened again.
constexpr std::chrono::milliseconds kPatience{2'000};

// Less is never enough to open files for writing.
constexpr uint64_t kLeastSpace = 1 << 20;

// So much more space than at the last attempt is reason for another.
constexpr uint64_t kMuchMore = 2;

constexpr absl::string_view kGoOn = "go on after a failed write";

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

// 0 when it is not known.
int64_t Property(const StoreLease& lease, Family family, const std::string& name) {
  uint64_t value = 0;
  return lease.db().GetIntProperty(lease.family(family), name, &value) ? static_cast<int64_t>(value) : 0;
}

}  // namespace

StoreLease::StoreLease(const Store& store, Wait wait) ABSL_NO_THREAD_SAFETY_ANALYSIS : store_(store) {
  if (wait == Wait::kNever) {
    held_ = store_.rocks_mutex_.TryLockShared();
  } else {
    store_.rocks_mutex_.LockShared();
    held_ = true;
  }
  if (held_) rocks_ = store_.rocks_.get();
}

StoreLease::~StoreLease() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (held_) store_.rocks_mutex_.UnlockShared();
}

absl::Status StoreLease::status() const {
  if (rocks_ != nullptr) return absl::OkStatus();
  return FromRocks(rocksdb::Status::Busy(held_ ? "its files could not be opened again" : "its files are being opened"),
                   absl::StrCat("read ", store_.folder_));
}

absl::Status Store::OpenFirst(RocksHandle::Mode mode) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<RocksHandle> rocks, RocksHandle::Open(folder_, resources_, mode));
  base::MutexLock lock(write_mutex_);
  acknowledged_ = rocks->db().GetLatestSequenceNumber();
  // Nobody else knows the store yet.
  while (!rocks_mutex_.TryLockFor(kPatience)) continue;
  rocks_ = std::move(rocks);
  rocks_mutex_.Unlock();
  return absl::OkStatus();
}

absl::Status Store::Create(const std::string& folder, const CollectionConfig& config, const RocksResources& resources) {
  Store store(folder, resources);
  // RocksDB would make it too, and complain first that it is not there.
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(folder));
  SIGHTLINE_RETURN_IF_ERROR(store.OpenFirst(RocksHandle::Mode::kCreate));
  return store.Put(Family::kManifest, {{std::string(kConfigKey), EncodeConfig(kConfigKey, config)},
                                       {std::string(kCountersKey), EncodeCounters(kCountersKey, Counters())}});
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& folder, const RocksResources& resources,
                                                   const RecordLimits& limits, Care care) {
  std::unique_ptr<Store> store(new Store(folder, resources, care));
  const RocksHandle::Mode mode = care == Care::kWhole  ? RocksHandle::Mode::kWrite
                                 : care == Care::kLook ? RocksHandle::Mode::kReadOnly
                                                       : RocksHandle::Mode::kSalvage;
  SIGHTLINE_RETURN_IF_ERROR(store->OpenFirst(mode));
  SIGHTLINE_RETURN_IF_ERROR(store->ReadManifest(limits));
  return store;
}

absl::Status Store::ReadManifest(const RecordLimits& limits) {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  std::string value;
  for (const absl::string_view key : {kConfigKey, kCountersKey}) {
    const rocksdb::Status status =
        lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kManifest), ToSlice(key), &value);
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

absl::StatusOr<std::vector<std::pair<uint64_t, std::string>>> Store::LiveKeys(const StoreLease& lease) const {
  std::vector<std::pair<uint64_t, std::string>> live;
  const std::unique_ptr<rocksdb::Iterator> it(lease.db().NewIterator(Scan(), lease.family(Family::kIds)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view id = ToView(it->key());
    const absl::StatusOr<uint64_t> key = DecodeRecordKey(id, ToView(it->value()));
    if (care_ == Care::kWhatIsLeft && !(key.ok() && *key < counters_.next_key)) continue;
    SIGHTLINE_RETURN_IF_ERROR(key.status());
    if (*key >= counters_.next_key) return DamagedError("id", "it leads to a record that was never written");
    live.emplace_back(*key, id);
  }
  if (care_ != Care::kWhatIsLeft) SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the ids"));
  std::sort(live.begin(), live.end());
  return live;
}

absl::Status Store::ForEachRecord(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row) {
  if (care_ == Care::kWhatIsLeft) return ReadWhatIsLeft(row);
  rocksdb::WriteBatch orphans;
  SIGHTLINE_RETURN_IF_ERROR(ReadRecords(row, &orphans));
  if (orphans.Count() == 0 || care_ == Care::kLook) return absl::OkStatus();
  base::Log(base::Severity::kWarning, "removing what a failed write left",
            {{"collection", config_.name}, {"records", absl::StrCat(orphans.Count() / 4)}});
  return Write(&orphans);
}

absl::Status Store::ReadRecords(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row,
                                rocksdb::WriteBatch* orphans) const {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto live, LiveKeys(lease));
  auto next = live.begin();
  const std::unique_ptr<rocksdb::Iterator> it(lease.db().NewIterator(Scan(), lease.family(Family::kRecords)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<uint64_t> key = ParseRecordKey(ToView(it->key()));
    if (!key) return DamagedError("record", "its key has the wrong size");
    if (next == live.end() || *key < next->first) {
      // A write that failed, and that reached the disk all the same; a later one did not know of it.
      for (const Family family : {Family::kRecords, Family::kDescriptors, Family::kTokens, Family::kImages}) {
        orphans->Delete(lease.family(family), it->key());
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
  return absl::OkStatus();
}

absl::Status Store::ReadWhatIsLeft(const std::function<absl::Status(uint64_t key, StoredRecord record)>& row) const {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto live, LiveKeys(lease));
  int64_t lost = 0;
  for (const auto& [key, id] : live) {
    // One by one: a scan would end at the first damaged block.
    const std::string record_key = RecordKey(key);
    std::string value;
    absl::Status status = FromRocks(
        lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kRecords), record_key, &value), "read a record");
    if (status.ok()) {
      absl::StatusOr<StoredRecord> record = DecodeRecord(record_key, value);
      status = record.status();
      if (record.ok() && record->record.id == id) status = row(key, *std::move(record));
    }
    if (!status.ok()) ++lost;
  }
  base::Log(base::Severity::kError, "records of a damaged collection were read as far as possible",
            {{"collection", config_.name}, {"ids", absl::StrCat(live.size())}, {"passed_over", absl::StrCat(lost)}});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> Store::ReadDescriptor(uint64_t key) const {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  const std::string record_key = RecordKey(key);
  std::string value;
  const rocksdb::Status status =
      lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kDescriptors), record_key, &value);
  if (status.IsNotFound()) return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read a descriptor"));
  return DecodeDescriptor(record_key, value, config_.descriptor_dim);
}

absl::StatusOr<std::optional<SegmentManifest>> Store::ReadSegmentManifest() const {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  std::string value;
  const rocksdb::Status status =
      lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kManifest), ToSlice(kSegmentsKey), &value);
  if (status.IsNotFound()) return std::optional<SegmentManifest>();
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
  SIGHTLINE_ASSIGN_OR_RETURN(SegmentManifest manifest, DecodeSegmentManifest(kSegmentsKey, value));
  return std::optional<SegmentManifest>(std::move(manifest));
}

absl::Status Store::WriteSegmentManifest(const SegmentManifest& manifest) {
  return Put(Family::kManifest, {{std::string(kSegmentsKey), EncodeSegmentManifest(kSegmentsKey, manifest)}});
}

absl::Status Store::WriteConfig(const CollectionConfig& config) {
  return Put(Family::kManifest, {{std::string(kConfigKey), EncodeConfig(kConfigKey, config)}});
}

absl::Status Store::Put(Family family, const Values& values) {
  rocksdb::WriteBatch batch;
  {
    const StoreLease lease(*this);
    SIGHTLINE_RETURN_IF_ERROR(lease.status());
    for (const auto& [key, value] : values) batch.Put(lease.family(family), key, value);
  }
  return Write(&batch);
}

absl::StatusOr<std::optional<FittedConfidence>> Store::ReadConfidence() const {
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  std::string value;
  const rocksdb::Status status =
      lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kManifest), ToSlice(kConfidenceKey), &value);
  if (status.IsNotFound()) return std::optional<FittedConfidence>();
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read the manifest"));
  SIGHTLINE_ASSIGN_OR_RETURN(const FittedConfidence confidence, DecodeConfidence(kConfidenceKey, value));
  return std::optional<FittedConfidence>(confidence);
}

absl::Status Store::WriteConfidence(const FittedConfidence& confidence) {
  return Put(Family::kManifest, {{std::string(kConfidenceKey), EncodeConfidence(kConfidenceKey, confidence)}});
}

DescriptorCursor::DescriptorCursor(const Store& store) : store_(store), lease_(store) {
  if (lease_.status().ok()) it_.reset(lease_.db().NewIterator(Scan(), lease_.family(Family::kDescriptors)));
}

absl::StatusOr<std::vector<float>> DescriptorCursor::At(uint64_t key) {
  SIGHTLINE_RETURN_IF_ERROR(lease_.status());
  const std::string wanted = RecordKey(key);
  if (it_->Valid()) it_->Next();
  if (!it_->Valid() || it_->key() != wanted) it_->Seek(wanted);
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it_->status(), "read the descriptors"));
  if (!it_->Valid() || it_->key() != wanted) {
    return DamagedError("descriptor", absl::StrCat("that of record ", key, " is missing"));
  }
  return DecodeDescriptor(wanted, ToView(it_->value()), store_.config().descriptor_dim);
}

absl::Status Store::CopyRequests(const Store& from, absl::Time since) {
  const StoreLease lease(from);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  Values values;
  size_t bytes = 0;
  const std::unique_ptr<rocksdb::Iterator> it(lease.db().NewIterator(Scan(), lease.family(Family::kRequests)));
  const std::string begin = since == absl::InfinitePast() ? "t" : RequestTimeKey(since, "");
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const std::optional<RequestTime> request = ParseRequestTimeKey(ToView(it->key()));
    if (!request) return DamagedError("request id", "its key has the wrong shape");
    std::string key = RequestKey(request->request_id);
    std::string value;
    const rocksdb::Status found = lease.db().Get(rocksdb::ReadOptions(), lease.family(Family::kRequests), key, &value);
    if (found.IsNotFound()) continue;
    SIGHTLINE_RETURN_IF_ERROR(FromRocks(found, "read a request id"));
    bytes += it->key().size() + key.size() + value.size();
    values.emplace_back(it->key().ToString(), "");
    values.emplace_back(std::move(key), std::move(value));
    if (bytes < kMaxCopyBytes) continue;
    SIGHTLINE_RETURN_IF_ERROR(Put(Family::kRequests, values));
    values.clear();
    bytes = 0;
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the request ids"));
  return values.empty() ? absl::OkStatus() : Put(Family::kRequests, values);
}

absl::Status Store::Write(rocksdb::WriteBatch* batch) {
  // One after the other, and none between a failure and Resume: Debian's RocksDB ends the process when a log that has
  // failed is written again, and lets a write that waited behind the failed one do just that.
  base::MutexLock lock(write_mutex_);
  if (care_ != Care::kWhole) return OnlyWhatIsLeft(config_.name);
  if (!write_failure_.ok()) return write_failure_;
  const StoreLease lease(*this);
  write_failure_ = FromRocks(lease.db().Write(Synced(), batch), "write");
  if (write_failure_.ok()) acknowledged_ = lease.db().GetLatestSequenceNumber();
  return write_failure_;
}

absl::Status Store::write_failure() const {
  base::MutexLock lock(write_mutex_);
  return write_failure_;
}

absl::Status Store::BetweenWrites(absl::FunctionRef<absl::Status(rocksdb::DB& db)> work) {
  base::MutexLock lock(write_mutex_);
  if (care_ != Care::kWhole) return OnlyWhatIsLeft(config_.name);
  if (!write_failure_.ok()) return write_failure_;
  const StoreLease lease(*this);
  return work(lease.db());
}

absl::Status Store::WorthTrying(uint64_t free_bytes) const {
  if (free_bytes < kLeastSpace) {
    return FromRocks(rocksdb::Status::NoSpace(absl::StrCat(free_bytes, " bytes are free")), kGoOn);
  }
  if (std::chrono::steady_clock::now() >= not_again_before_ || free_bytes >= kMuchMore * free_bytes_then_) {
    return absl::OkStatus();
  }
  return FromRocks(rocksdb::Status::Busy("it was tried just now"), kGoOn);
}

absl::Status Store::Resume() {
  uint64_t free_bytes = kLeastSpace;
  // One that does not tell how much is free may have enough.
  (void)resources_.env->GetFileSystem()->GetFreeSpace(folder_, rocksdb::IOOptions(), &free_bytes, nullptr);
  base::MutexLock lock(write_mutex_);
  SIGHTLINE_RETURN_IF_ERROR(WorthTrying(free_bytes));
  if (!rocks_mutex_.TryLockFor(kPatience)) {
    return FromRocks(rocksdb::Status::Busy("reads under way take too long"), kGoOn);
  }
  const auto begin = std::chrono::steady_clock::now();
  absl::Status opened = OpenAgain();
  rocks_mutex_.Unlock();
  const auto end = std::chrono::steady_clock::now();
  not_again_before_ = end + resources_.recovery_rest * (end - begin);
  free_bytes_then_ = free_bytes;
  if (opened.ok()) write_failure_ = absl::OkStatus();
  return opened;
}

absl::Status Store::OpenAgain() {
  rocks_ = nullptr;
  // The log may hold the batch that failed, whole. Who sent it was told so, and what is in memory knows
  // nothing of it.
  auto opened = RocksHandle::Open(folder_, resources_, RocksHandle::Mode::kWrite, acknowledged_);
  if (opened.ok()) {
    rocks_ = *std::move(opened);
    return absl::OkStatus();
  }
  auto readable = RocksHandle::Open(folder_, resources_, RocksHandle::Mode::kReadOnly, acknowledged_);
  if (readable.ok()) {
    rocks_ = *std::move(readable);
  } else {
    base::Log(base::Severity::kError, "the records of a collection cannot be read for now",
              {{"collection", config_.name}, {"reason", std::string(readable.status().message())}});
  }
  return opened.status();
}

absl::Status Store::Flush() {
  if (care_ != Care::kWhole) return absl::OkStatus();
  SIGHTLINE_RETURN_IF_ERROR(write_failure());
  const StoreLease lease(*this);
  SIGHTLINE_RETURN_IF_ERROR(lease.status());
  return FromRocks(lease.db().Flush(rocksdb::FlushOptions(), lease.families()), "flush");
}

LayerBytes Store::DiskBytes() const {
  LayerBytes bytes;
  const StoreLease lease(*this, StoreLease::Wait::kNever);
  if (!lease.status().ok()) return bytes;
  const auto tables = [&lease](Family family) {
    return Property(lease, family, rocksdb::DB::Properties::kLiveSstFilesSize) +
           Property(lease, family, rocksdb::DB::Properties::kLiveBlobFileSize);
  };
  bytes.descriptors = tables(Family::kDescriptors);
  bytes.tokens = tables(Family::kTokens);
  bytes.images = tables(Family::kImages);
  bytes.attributes = tables(Family::kRecords) + tables(Family::kIds) + tables(Family::kRequests) +
                     tables(Family::kManifest) + tables(Family::kDefault);
  rocksdb::VectorLogPtr logs;
  if (lease.db().GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) bytes.log += static_cast<int64_t>(log->SizeFileBytes());
  }
  return bytes;
}

int64_t Store::WriteBufferBytes() const {
  const StoreLease lease(*this, StoreLease::Wait::kNever);
  if (!lease.status().ok()) return 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    bytes += Property(lease, static_cast<Family>(i), rocksdb::DB::Properties::kCurSizeAllMemTables);
  }
  return bytes;
}

}  // namespace sightline::index
