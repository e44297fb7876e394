#include "index/store/write_plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/errors.h"
#include "index/store/keys.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

// Old request ids removed with a batch: more than a batch of ordinary size adds, so that they cannot pile up.
constexpr int kExpiredPerBatch = 64;

Attributes Changed(Attributes attributes, const AttributeChange& change) {
  if (change.replace) attributes.clear();
  for (const std::string& key : change.remove) attributes.erase(key);
  for (const auto& [key, value] : change.set) attributes[key] = value;
  return attributes;
}

}  // namespace

WritePlan::WritePlan(const Store& store, const RecordLimits& limits, Times times, Counters counters)
    : store_(store),
      view_(std::in_place, store),
      limits_(limits),
      times_(times),
      counters_(counters),
      first_sequence_(counters.sequence) {}

absl::StatusOr<std::optional<WritePlan::Live>> WritePlan::Find(const std::string& id) const {
  if (const auto it = changed_.find(id); it != changed_.end()) return it->second;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<uint64_t> key, view_->FindKey(id));
  if (!key) return std::optional<Live>();
  SIGHTLINE_ASSIGN_OR_RETURN(StoredRecord stored, view_->ReadRecord(*key));
  return std::optional<Live>(Live{*key, std::move(stored)});
}

absl::StatusOr<std::optional<StoredRequest>> WritePlan::FindRequest(const std::string& request_id) const {
  std::optional<StoredRequest> request;
  if (const auto it = remembered_.find(request_id); it != remembered_.end()) {
    request = it->second;
  } else {
    SIGHTLINE_ASSIGN_OR_RETURN(request, view_->FindRequest(request_id));
  }
  if (request && request->time + times_.retention <= times_.now) request.reset();
  return request;
}

void WritePlan::PutValue(Family family, const std::string& key, std::string value) {
  SealValue(key, &value);
  batch_.Put(view_->family(family), key, value);
}

void WritePlan::Remember(const std::string& request_id, const WriteResult& result) {
  StoredRequest request{times_.now, result.id, result.revision};
  const std::string key = RequestKey(request_id);
  batch_.Put(view_->family(Family::kRequests), key, EncodeRequest(key, request));
  batch_.Put(view_->family(Family::kRequests), RequestTimeKey(times_.now, request_id), "");
  remembered_[request_id] = std::move(request);
}

void WritePlan::Kill(uint64_t key) {
  const std::string record_key = RecordKey(key);
  for (const Family family : {Family::kRecords, Family::kDescriptors, Family::kTokens, Family::kImages}) {
    batch_.Delete(view_->family(family), record_key);
  }
  effect_.killed.push_back(key);
}

absl::StatusOr<WriteResult> WritePlan::Put(PutOperation operation) {
  if (!operation.request_id.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<StoredRequest> request, FindRequest(operation.request_id));
    if (request) return WriteResult{request->id, request->revision, /*replayed=*/true};
  }
  Record& record = operation.stored.record;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<Live> before, Find(record.id));
  if (operation.copy) {
    if (before && before->stored.record.update_time > record.update_time) {
      return WriteResult{record.id, before->stored.record.revision, /*replayed=*/true};
    }
  } else {
    record.revision = before ? before->stored.record.revision + 1 : 1;
    record.create_time = before ? before->stored.record.create_time : times_.now;
    record.update_time = times_.now;
  }
  if (before) Kill(before->key);

  const uint64_t key = counters_.next_key++;
  ++counters_.sequence;
  const std::string record_key = RecordKey(key);
  PutValue(Family::kRecords, record_key, EncodeRecord(operation.stored));
  PutValue(Family::kDescriptors, record_key, std::move(operation.descriptor_value));
  if (operation.stored.has_tokens) PutValue(Family::kTokens, record_key, std::move(operation.tokens_value));
  if (operation.stored.has_image) PutValue(Family::kImages, record_key, std::move(operation.image_value));
  batch_.Put(view_->family(Family::kIds), record.id, EncodeRecordKey(record.id, key));
  effect_.added.push_back({key, record.id, std::move(operation.descriptor), record.attributes});

  WriteResult result{record.id, record.revision, /*replayed=*/false};
  if (!operation.request_id.empty()) Remember(operation.request_id, result);
  changed_[result.id] = Live{key, std::move(operation.stored)};
  return result;
}

absl::StatusOr<DeleteResult> WritePlan::Delete(const DeleteOperation& operation) {
  // Everything that can fail comes first: all or nothing.
  std::unordered_map<std::string, std::optional<Live>> found;
  for (const std::string& id : operation.ids) {
    if (found.contains(id)) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(found[id], Find(id));
  }
  DeleteResult result;
  for (const auto& [id, live] : found) {
    if (!live) {
      ++result.not_found;
      continue;
    }
    Kill(live->key);
    batch_.Delete(view_->family(Family::kIds), id);
    changed_[id] = std::nullopt;
    ++counters_.sequence;
    ++result.deleted;
  }
  return result;
}

absl::StatusOr<Record> WritePlan::Update(const UpdateOperation& operation) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::optional<Live> live, Find(operation.id));
  if (!live) return RecordNotFound(operation.id, store_.config().name);
  Record& record = live->stored.record;
  record.attributes = Changed(std::move(record.attributes), operation.change);
  SIGHTLINE_RETURN_IF_ERROR(ValidateAttributes(record.attributes, limits_));
  ++record.revision;
  record.update_time = times_.now;
  ++counters_.sequence;
  PutValue(Family::kRecords, RecordKey(live->key), EncodeRecord(live->stored));
  effect_.attributes.emplace_back(live->key, record.attributes);
  Record result = record;
  changed_[operation.id] = std::move(live);
  return result;
}

absl::Status WritePlan::Finish() {
  const int most = kExpiredPerBatch + 2 * static_cast<int>(remembered_.size());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto expired, view_->ExpiredRequests(times_.now - times_.retention, most));
  for (const auto& [time, request_id] : expired) {
    batch_.Delete(view_->family(Family::kRequests), RequestTimeKey(time, request_id));
    // A request id used again after its time has a newer entry, which stays.
    SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<StoredRequest> request, FindRequest(request_id));
    if (!request) batch_.Delete(view_->family(Family::kRequests), RequestKey(request_id));
  }
  batch_.Put(view_->family(Family::kManifest), ToSlice(kCountersKey), EncodeCounters(kCountersKey, counters_));
  view_.reset();
  return absl::OkStatus();
}

}  // namespace sightline::index
