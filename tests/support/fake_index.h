// FakeCollection and FakeDatabase: an index that remembers what it was asked and answers what the test says.
//
// Threading: the answers are set before use; one call at a time. Ownership: FakeDatabase holds the one collection it
// has.
#ifndef SIGHTLINE_TESTS_SUPPORT_FAKE_INDEX_H_
#define SIGHTLINE_TESTS_SUPPORT_FAKE_INDEX_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "index/collection.h"
#include "index/database.h"

namespace sightline::testing {

class FakeCollection : public index::Collection {
 public:
  explicit FakeCollection(const std::string& name) {
    config_.name = name;
    config_.embedding_space = "space";
    config_.descriptor_dim = 4;
  }

  const index::CollectionConfig& config() const override { return config_; }
  absl::Status ChangeSettings(const index::SettingsChange& change) override {
    changed = change;
    if (change.description) config_.description = *change.description;
    if (change.drop_tokens) config_.drop_tokens = *change.drop_tokens;
    if (change.device) config_.device = *change.device;
    if (change.token_space) config_.token_space = *change.token_space;
    return absl::OkStatus();
  }
  void SetTokenSpace(const std::string& space) { config_.token_space = space; }
  index::CollectionStats Stats() const override { return stats; }
  absl::StatusOr<index::WriteResult> Put(index::Write) override { return index::WriteResult(); }
  void PutAsync(index::Write, std::function<void(absl::StatusOr<index::WriteResult>)> done) override { done(written); }
  absl::StatusOr<index::Record> Get(const std::string& id, index::RecordView) const override { return RecordOf(id); }
  absl::StatusOr<std::vector<std::optional<index::PatchTokens>>> ReadTokens(
      absl::Span<const std::string> ids) const override {
    std::vector<std::optional<index::PatchTokens>> found;
    for (const std::string& id : ids) {
      const auto known = tokens.find(id);
      found.push_back(known == tokens.end() ? std::nullopt : std::optional(known->second));
    }
    return found;
  }
  absl::StatusOr<index::RecordPage> List(int, const std::string&, index::RecordView,
                                         const std::string& filter) const override {
    asked_filter = filter;
    return index::RecordPage();
  }
  absl::StatusOr<index::DeleteResult> Delete(absl::Span<const std::string> ids) override {
    deleted_ids.assign(ids.begin(), ids.end());
    return index::DeleteResult{static_cast<int64_t>(ids.size()), 0};
  }
  absl::StatusOr<index::DeleteResult> DeleteMatching(const std::string& filter) override {
    asked_filter = filter;
    return index::DeleteResult{7, 0};
  }
  absl::StatusOr<index::AttributeCountPage> CountValues(const std::string& key, const std::string& filter,
                                                        int page_size, const std::string& page_token) const override {
    asked_key = key;
    asked_filter = filter;
    asked_page_size = page_size;
    asked_page_token = page_token;
    return counts;
  }
  absl::StatusOr<index::Record> UpdateAttributes(const std::string& id, const index::AttributeChange&) override {
    return RecordOf(id);
  }
  absl::StatusOr<index::SearchOutcome> Search(const index::SearchQuery& query) const override {
    asked = query;
    asked_descriptor.assign(query.descriptor.begin(), query.descriptor.end());
    return outcome;
  }
  absl::Status Optimize(const index::OptimizeOptions& options, const index::Progress& progress) override {
    optimized = options;
    progress(3, 4);
    return optimize_status;
  }
  std::optional<index::FittedConfidence> Confidence() const override { return confidence; }
  absl::Status SetConfidence(const index::FittedConfidence& fitted) override {
    confidence = fitted;
    return absl::OkStatus();
  }
  int64_t SearchCost() const override { return search_cost; }

  // What the test says. `records` are beside those made up for every id; `tokens` are theirs too.
  std::map<std::string, index::Record> records;
  std::map<std::string, index::PatchTokens> tokens;
  index::CollectionStats stats;
  absl::StatusOr<index::WriteResult> written = index::WriteResult();
  absl::StatusOr<index::SearchOutcome> outcome = index::SearchOutcome();
  index::AttributeCountPage counts;
  absl::Status optimize_status;
  std::optional<index::FittedConfidence> confidence;
  int64_t search_cost = 0;

  // What it was asked.
  mutable index::SearchQuery asked;
  mutable std::vector<float> asked_descriptor;
  mutable std::string asked_filter, asked_key, asked_page_token;
  mutable int asked_page_size = 0;
  std::vector<std::string> deleted_ids;
  index::SettingsChange changed;
  index::OptimizeOptions optimized;

 private:
  index::Record RecordOf(const std::string& id) const {
    index::Record record;
    record.descriptor = {1, 0, 0, 0};
    if (const auto known = records.find(id); known != records.end()) record = known->second;
    if (const auto known = tokens.find(id); known != tokens.end()) record.tokens = known->second;
    record.id = id;
    return record;
  }

  index::CollectionConfig config_;
};

class FakeDatabase : public index::Database {
 public:
  explicit FakeDatabase(std::shared_ptr<FakeCollection> collection) : collection_(std::move(collection)) {}

  absl::Status OpenCollections(const index::Progress&) override { return absl::OkStatus(); }
  absl::StatusOr<std::shared_ptr<index::Collection>> Create(const index::CollectionConfig& config) override {
    created = config;
    return collection_;
  }
  absl::StatusOr<std::shared_ptr<index::Collection>> Find(const std::string& name) const override {
    if (name == collection_->config().name) return collection_;
    return base::NotFound("COLLECTION_NOT_FOUND", "there is none. Create it.");
  }
  std::vector<std::shared_ptr<index::Collection>> List() const override { return {collection_}; }
  absl::StatusOr<int64_t> Delete(const std::string&) override { return 0; }
  std::vector<index::DamagedCollection> damaged() const override { return set_aside; }
  absl::StatusOr<std::shared_ptr<index::Collection>> SetAlias(const std::string& alias,
                                                              const std::string& name) override {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, Find(name));
    aliases.push_back(alias);
    return collection;
  }
  absl::Status DeleteAlias(const std::string& alias) override {
    return std::erase(aliases, alias) > 0 ? absl::OkStatus() : base::NotFound("ALIAS_NOT_FOUND", "none. Set it.");
  }
  std::vector<std::string> AliasesOf(const std::string&) const override { return aliases; }
  std::string aliases_set_aside() const override { return ""; }
  int64_t memory_bytes() const override { return collection_->stats.memory.total(); }
  void SetMemoryBudget(int64_t) override {}
  absl::StatusOr<index::SnapshotInfo> CreateSnapshot(const std::string&, const index::Progress&) override {
    return index::SnapshotInfo();
  }
  absl::StatusOr<std::vector<index::SnapshotInfo>> ListSnapshots(const std::string&) const override {
    return std::vector<index::SnapshotInfo>();
  }
  absl::Status DeleteSnapshot(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::shared_ptr<index::Collection>> RestoreSnapshot(const std::string&, const std::string&,
                                                                     const index::Progress&) override {
    return collection_;
  }
  absl::StatusOr<std::unique_ptr<index::SnapshotReader>> ReadSnapshot(const std::string&) const override {
    return base::NotFound("SNAPSHOT_NOT_FOUND", "there is none. List them.");
  }
  absl::StatusOr<std::unique_ptr<index::SnapshotWriter>> WriteSnapshot(const std::string&) override {
    return base::NotFound("SNAPSHOT_NOT_FOUND", "there is none. List them.");
  }
  absl::StatusOr<std::unique_ptr<index::SpaceTransfer>> OpenTransfer(const index::CollectionConfig&) override {
    return base::FailedPrecondition("NO_OTHER_SPACE", "there is none. Make one.");
  }
  std::optional<index::OtherSpace> FindOtherSpace(const std::string&) const override { return other; }
  absl::StatusOr<std::shared_ptr<index::Collection>> FindFillingSpace(const std::string&) const override {
    return base::FailedPrecondition("NO_OTHER_SPACE", "there is none. Make one.");
  }
  absl::Status DropOtherSpace(const std::string& name) override {
    dropped = name;
    return absl::OkStatus();
  }
  void TidySpaces() override {}
  const index::RecordLimits& limits() const override { return limits_; }

  index::CollectionConfig created;
  std::optional<index::OtherSpace> other;
  std::vector<index::DamagedCollection> set_aside;
  std::string dropped;
  std::vector<std::string> aliases;

 private:
  const std::shared_ptr<FakeCollection> collection_;
  const index::RecordLimits limits_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_FAKE_INDEX_H_
