#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/store.h"
#include "index/store/token_codec.h"

namespace sightline::index {
namespace {

// Ends a page early: a thousand previews must not become gigabytes.
constexpr size_t kMaxPageBytes = 16 << 20;

size_t BytesOf(const PatchTokens& tokens) {
  const size_t floats = tokens.floats.size() + tokens.scales.size() + tokens.importance.size() + tokens.centre.size();
  return tokens.values.size() + floats * sizeof(float);
}

size_t BytesOf(const Record& record) {
  size_t bytes =
      record.id.size() + record.source_uri.size() + record.image.size() + record.descriptor.size() * sizeof(float);
  if (record.tokens) bytes += BytesOf(*record.tokens);
  return bytes;
}

}  // namespace

StoreView::StoreView(const Store& store) : store_(store), lease_(store) {
  if (lease_.status().ok()) snapshot_ = std::make_unique<rocksdb::ManagedSnapshot>(&lease_.db());
}

rocksdb::ReadOptions StoreView::Options() const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_->snapshot();
  return options;
}

absl::StatusOr<std::optional<std::string>> StoreView::Find(Family family, const std::string& key) const {
  SIGHTLINE_RETURN_IF_ERROR(lease_.status());
  std::string value;
  const rocksdb::Status status = lease_.db().Get(Options(), lease_.family(family), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(status, "read"));
  return std::optional<std::string>(std::move(value));
}

absl::StatusOr<std::string> StoreView::Need(Family family, const std::string& key, absl::string_view what) const {
  SIGHTLINE_ASSIGN_OR_RETURN(std::optional<std::string> value, Find(family, key));
  if (!value) return DamagedError(what, "it is missing");
  return *std::move(value);
}

absl::StatusOr<std::optional<uint64_t>> StoreView::FindKey(const std::string& id) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<std::string> value, Find(Family::kIds, id));
  if (!value) return std::optional<uint64_t>();
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t key, DecodeRecordKey(id, *value));
  return std::optional<uint64_t>(key);
}

absl::StatusOr<StoredRecord> StoreView::ReadRecord(uint64_t key) const {
  const std::string record_key = RecordKey(key);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string value, Need(Family::kRecords, record_key, "record"));
  return DecodeRecord(record_key, value);
}

absl::StatusOr<std::optional<StoredRequest>> StoreView::FindRequest(const std::string& request_id) const {
  const std::string key = RequestKey(request_id);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<std::string> value, Find(Family::kRequests, key));
  if (!value) return std::optional<StoredRequest>();
  SIGHTLINE_ASSIGN_OR_RETURN(StoredRequest request, DecodeRequest(key, *value));
  return std::optional<StoredRequest>(std::move(request));
}

absl::StatusOr<std::vector<std::pair<absl::Time, std::string>>> StoreView::ExpiredRequests(absl::Time before,
                                                                                           int most) const {
  SIGHTLINE_RETURN_IF_ERROR(lease_.status());
  std::vector<std::pair<absl::Time, std::string>> expired;
  const std::string end = RequestTimeKey(before, "");
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions options = Options();
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(lease_.db().NewIterator(options, family(Family::kRequests)));
  for (it->Seek("t"); it->Valid() && static_cast<int>(expired.size()) < most; it->Next()) {
    std::optional<RequestTime> request = ParseRequestTimeKey(ToView(it->key()));
    if (!request) return DamagedError("request id", "its key has the wrong shape");
    expired.emplace_back(request->time, std::move(request->request_id));
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "read the request ids"));
  return expired;
}

absl::StatusOr<Record> StoreView::Complete(uint64_t key, StoredRecord stored, RecordView view) const {
  const std::string record_key = RecordKey(key);
  Record record = std::move(stored.record);
  if (view == RecordView::kImage && stored.has_image) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string value, Need(Family::kImages, record_key, "image"));
    SIGHTLINE_ASSIGN_OR_RETURN(record.image, DecodeImage(record_key, value));
    const CollectionConfig& config = store_.config();
    record.image_kind = stored.marked_image.value_or(config.first_keep_image.value_or(config.keep_image));
  }
  if (view == RecordView::kVectors) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string value, Need(Family::kDescriptors, record_key, "descriptor"));
    SIGHTLINE_ASSIGN_OR_RETURN(record.descriptor, DecodeDescriptor(record_key, value, store_.config().descriptor_dim));
    if (stored.has_tokens) {
      SIGHTLINE_ASSIGN_OR_RETURN(const std::string tokens, Need(Family::kTokens, record_key, "patch tokens"));
      SIGHTLINE_ASSIGN_OR_RETURN(record.tokens, DecodeTokens(record_key, tokens));
    }
  }
  return record;
}

absl::StatusOr<Record> StoreView::Read(uint64_t key, RecordView view) const {
  SIGHTLINE_ASSIGN_OR_RETURN(StoredRecord stored, ReadRecord(key));
  return Complete(key, std::move(stored), view);
}

absl::StatusOr<std::vector<Record>> StoreView::ReadPage(uint64_t after, int page_size, RecordView view,
                                                        std::optional<uint64_t>* last_key) const {
  SIGHTLINE_RETURN_IF_ERROR(lease_.status());
  std::vector<Record> records;
  size_t bytes = 0;
  uint64_t last = 0;
  const std::unique_ptr<rocksdb::Iterator> it(lease_.db().NewIterator(Options(), lease_.family(Family::kRecords)));
  for (it->Seek(RecordKey(after)); it->Valid(); it->Next()) {
    const std::optional<uint64_t> key = ParseRecordKey(ToView(it->key()));
    if (!key) return DamagedError("record", "its key has the wrong size");
    if (*key == after) continue;
    if (static_cast<int>(records.size()) == page_size || bytes >= kMaxPageBytes) {
      *last_key = last;
      return records;
    }
    SIGHTLINE_ASSIGN_OR_RETURN(StoredRecord stored, DecodeRecord(ToView(it->key()), ToView(it->value())));
    SIGHTLINE_ASSIGN_OR_RETURN(Record record, Complete(*key, std::move(stored), view));
    bytes += BytesOf(record);
    last = *key;
    records.push_back(std::move(record));
  }
  SIGHTLINE_RETURN_IF_ERROR(FromRocks(it->status(), "list the records"));
  return records;
}

absl::StatusOr<std::optional<Record>> StoreView::ReadIfThere(uint64_t key, RecordView view) const {
  const std::string record_key = RecordKey(key);
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<std::string> value, Find(Family::kRecords, record_key));
  if (!value) return std::optional<Record>();
  SIGHTLINE_ASSIGN_OR_RETURN(StoredRecord stored, DecodeRecord(record_key, *value));
  SIGHTLINE_ASSIGN_OR_RETURN(Record record, Complete(key, std::move(stored), view));
  return std::optional<Record>(std::move(record));
}

absl::StatusOr<std::vector<Record>> StoreView::ReadKeys(absl::Span<const uint64_t> keys, int page_size, RecordView view,
                                                        std::optional<uint64_t>* last_key) const {
  std::vector<Record> records;
  size_t bytes = 0;
  uint64_t last = 0;
  for (const uint64_t key : keys) {
    if (static_cast<int>(records.size()) == page_size || bytes >= kMaxPageBytes) {
      *last_key = last;
      return records;
    }
    last = key;
    absl::StatusOr<std::optional<Record>> record = ReadIfThere(key, view);
    if (absl::IsDataLoss(record.status()) && store_.only_what_is_left()) continue;
    SIGHTLINE_RETURN_IF_ERROR(record.status());
    if (!record->has_value()) continue;  // deleted since it was found
    bytes += BytesOf(**record);
    records.push_back(**std::move(record));
  }
  if (keys.size() > static_cast<size_t>(page_size)) *last_key = last;
  return records;
}

}  // namespace sightline::index
