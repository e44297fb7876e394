// RequestWorld: all services of the API over a small real collection, up to where something would be written. Reads and
// searches are the index's own; writes are checked as the index checks them and go no further, so that an input means
// the same whatever came before it.
//
// Threading: one request at a time; the services' own threads work for it. Ownership: owns everything, and a folder of
// files that goes with it. Failure: the constructor ends the process.
//
//   static RequestWorld world;
//   const absl::Status status = world.Call(world.searches, &SearchService::Search, message, &reply);
#ifndef SIGHTLINE_TESTS_FUZZ_REQUEST_WORLD_H_
#define SIGHTLINE_TESTS_FUZZ_REQUEST_WORLD_H_

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "index/validate.h"
#include "server/services/collection_service.h"
#include "server/services/duplicates.h"
#include "server/services/index_service.h"
#include "server/services/model_service.h"
#include "server/services/operation_service.h"
#include "server/services/optimize.h"
#include "server/services/reembed.h"
#include "server/services/search_service.h"
#include "server/services/server_service.h"
#include "server/services/snapshot_service.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/support/fake_index.h"
#include "tests/support/fake_model.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {

// A real collection that writes do not change.
class KeptCollection final : public testing::FakeCollection {
 public:
  explicit KeptCollection(std::shared_ptr<index::Collection> real)
      : FakeCollection(real->config().name), real_(std::move(real)) {}

  index::CollectionConfig config() const override { return real_->config(); }
  index::CollectionStats Stats() const override { return real_->Stats(); }
  absl::StatusOr<index::Record> Get(const std::string& id, index::RecordView view) const override {
    return real_->Get(id, view);
  }
  absl::StatusOr<std::vector<std::optional<index::PatchTokens>>> ReadTokens(
      absl::Span<const std::string> ids) const override {
    return real_->ReadTokens(ids);
  }
  absl::StatusOr<index::RecordPage> List(int page_size, const std::string& page_token, index::RecordView view,
                                         const std::string& filter, const index::Cancelled& cancelled) const override {
    return real_->List(page_size, page_token, view, filter, cancelled);
  }
  absl::StatusOr<index::AttributeCountPage> CountValues(const std::string& key, const std::string& filter,
                                                        int page_size, const std::string& page_token) const override {
    return real_->CountValues(key, filter, page_size, page_token);
  }
  absl::StatusOr<index::SearchOutcome> Search(const index::SearchQuery& query) const override {
    return real_->Search(query);
  }
  std::optional<index::FittedConfidence> Confidence() const override { return real_->Confidence(); }
  int64_t SearchCost() const override { return real_->SearchCost(); }

  void PutAsync(index::Write write, std::function<void(absl::StatusOr<index::WriteResult>)> done) override {
    absl::Status status = index::ValidateRequestId(write.request_id, {});
    if (status.ok()) status = index::ValidateRecord(write.record, {}, /*allow_empty_id=*/true);
    if (status.ok()) status = index::NormalizeDescriptor(write.record.descriptor, config().descriptor_dim).status();
    done(status.ok() ? absl::StatusOr<index::WriteResult>(index::WriteResult{.id = write.record.id}) : status);
  }
  absl::StatusOr<index::Record> UpdateAttributes(const std::string& id, const index::AttributeChange& change) override {
    SIGHTLINE_RETURN_IF_ERROR(index::ValidateId(id, {}));
    SIGHTLINE_RETURN_IF_ERROR(index::ValidateAttributes(change.set, {}));
    return real_->Get(id, index::RecordView::kMetadata);
  }
  absl::StatusOr<index::DeleteResult> DeleteMatching(const std::string& filter,
                                                     const index::Cancelled& cancelled) override {
    SIGHTLINE_RETURN_IF_ERROR(real_->List(1, "", index::RecordView::kMetadata, filter, cancelled).status());
    return index::DeleteResult();
  }

 private:
  const std::shared_ptr<index::Collection> real_;
};

// Snapshots of three bytes, and takes in any.
class KeptDatabase final : public testing::FakeDatabase {
 public:
  using FakeDatabase::FakeDatabase;

  absl::StatusOr<std::shared_ptr<index::Collection>> Create(const index::CollectionConfig& config) override {
    SIGHTLINE_RETURN_IF_ERROR(index::ValidateConfig(config, {}));
    return List().front();
  }
  absl::StatusOr<std::shared_ptr<index::Collection>> FindFillingSpace(const std::string&) const override {
    return List().front();
  }
  absl::StatusOr<std::vector<index::SnapshotInfo>> ListSnapshots(const std::string&) const override {
    return std::vector<index::SnapshotInfo>{Info(2), Info(1)};
  }
  absl::StatusOr<std::unique_ptr<index::SnapshotReader>> ReadSnapshot(const std::string&) const override {
    return std::make_unique<Reader>();
  }
  absl::StatusOr<std::unique_ptr<index::SnapshotWriter>> WriteSnapshot(const std::string&) override {
    return std::make_unique<Writer>();
  }

 private:
  class Reader final : public index::SnapshotReader {
   public:
    int64_t size() const override { return 3; }
    absl::StatusOr<std::string> Read(int64_t offset, int64_t most) override {
      if (offset < 0 || offset > size()) return base::InvalidArgument("OFFSET_INVALID", "it is outside. Correct it.");
      return std::string("abc").substr(static_cast<size_t>(offset), static_cast<size_t>(most));
    }
  };
  class Writer final : public index::SnapshotWriter {
   public:
    absl::Status Append(absl::string_view) override { return absl::OkStatus(); }
    absl::StatusOr<index::SnapshotInfo> Finish() override { return Info(3); }
  };
  static index::SnapshotInfo Info(int number) {
    index::SnapshotInfo info;
    info.name = absl::StrCat("snapshots/", number);
    info.collection = "shop";
    return info;
  }
};

class RequestWorld {
 public:
  RequestWorld()
      : real_(*index::Database::Open({.directory = folder_.Path("data"), .segments = {.background = false}})),
        collection_(std::make_shared<KeptCollection>(MakeCollection(*real_))),
        database_(collection_),
        models_(ModelOptions(), limits_, metrics_),
        operations_(
            *Operations::Open({.directory = folder_.path(),
                               .repeatable = {{kOptimizeKind, MakeOptimize(database_)},
                                              {kReembedKind, MakeReembed(database_, models_, embedder_)},
                                              {kFindDuplicatesKind, MakeFindDuplicates(database_, models_)}}})) {
    base::SetLogLevel(base::Severity::kOff);
    KeepModel();
    // One has ended. No other starts: their requests are checked, and writing begins behind that.
    const auto ended =
        operations_->Start("snapshot", "shop", [](const index::Progress&) { return Packed(v1::Snapshot()); });
    testing::Expect(ended.ok());
    while (operations_->CountByState()[v1::Operation::STATE_SUCCEEDED] == 0) std::this_thread::yield();
    operations_->Drain();
  }

  // Loads the model again where a request has unloaded it.
  void KeepModel() {
    if (!models_.Find("fake").ok()) testing::Expect(models_.Load("fake").ok());
  }

  // Waits for the answer of a service's method.
  template <typename Start>
  absl::Status Wait(const Start& start) {
    const auto request =
        std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + std::chrono::hours(1));
    std::promise<absl::Status> answer;
    start(request, [&answer](absl::Status status) { answer.set_value(std::move(status)); });
    return answer.get_future().get();
  }

  template <typename Service, typename Message, typename Reply>
  absl::Status Call(Service& service,
                    void (Service::*method)(const RequestPtr&, const Message&, Reply*,
                                            std::function<void(absl::Status)>),
                    const Message& message, Reply* reply) {
    return Wait([&](const RequestPtr& request, std::function<void(absl::Status)> done) {
      (service.*method)(request, message, reply, std::move(done));
    });
  }

 private:
  static index::PatchTokens Tokens(int shift) {
    index::PatchTokens tokens;
    tokens.height = tokens.width = 2;
    tokens.dim = 4;
    for (int i = 0; i < 16; ++i) tokens.values.push_back(static_cast<int8_t>((i * 37 + shift) % 100 - 50));
    tokens.scales.assign(4, 0.01F);
    tokens.importance.assign(4, 0.25F);
    tokens.centre.assign(4, 0.5F);
    return tokens;
  }

  static std::shared_ptr<index::Collection> MakeCollection(index::Database& database) {
    index::CollectionConfig config;
    config.name = "shop";
    config.model = "fake";
    config.embedding_space = "fake-space";
    config.token_space = "tokens";
    config.descriptor_dim = 4;
    const auto collection = database.Create(config);
    testing::Expect(collection.ok());
    for (int i = 0; i < 12; ++i) {
      index::Write write;
      index::Record& record = write.record;
      record.id = std::string(1, static_cast<char>('a' + i));
      record.descriptor = {1, static_cast<float>(i), static_cast<float>(i % 3), 0};
      if (i % 4 != 3) record.tokens = Tokens(i);
      record.attributes["color"] = std::string(i % 2 == 0 ? "red" : "blue");
      record.attributes["price"] = i / 3.0;
      record.attributes["count"] = int64_t{i};
      record.attributes["tags"] = std::vector<std::string>{"x", i % 2 == 0 ? "y" : "z"};
      if (i % 2 == 0) record.crop = index::RecordCrop{.x0 = 0.1, .y0 = 0.1, .x1 = 0.9, .y1 = 0.8};
      record.width = record.height = 40;
      testing::Expect((*collection)->Put(std::move(write)).ok());
    }
    index::FittedConfidence confidence;
    confidence.fit.model = {.a = 4, .b = 2, .c = -3, .score_only_a = 5, .score_only_c = -3};
    testing::Expect((*collection)->SetConfidence(confidence).ok());
    return *collection;
  }

  ModelHub::Options ModelOptions() {
    std::filesystem::create_directories(folder_.Path("models/fake"));
    ModelHub::Options options;
    options.root = folder_.Path("models");
    options.warm_up = WarmUp::kNone;
    options.load = [](const std::string&, const model::LoadOptions&) -> absl::StatusOr<std::unique_ptr<model::Model>> {
      return std::make_unique<testing::FakeModel>();
    };
    return options;
  }

  static Limits PatientLimits() {
    Limits limits;
    // How long things take must not decide what is answered.
    limits.max_queue_delay = absl::Hours(1);
    limits.max_batch_delay = absl::ZeroDuration();
    limits.image.max_pixels = 1 << 18;
    return limits;
  }

  testing::TempFolder folder_;
  const Limits limits_ = PatientLimits();
  Metrics metrics_;
  ServerFacts facts_;
  std::unique_ptr<index::Database> real_;
  std::shared_ptr<KeptCollection> collection_;
  KeptDatabase database_;
  Embedder embedder_{{.decode_threads = 1}, limits_, metrics_};
  ModelHub models_;
  std::unique_ptr<Operations> operations_;
  base::ThreadPool workers_{{.name = "workers", .threads = 1, .max_queue = 16, .on_thread_start = {}}};
  base::ThreadPool loader_{{.name = "loader", .threads = 1, .max_queue = 4, .on_thread_start = {}}};
  const ServiceContext context_{database_, models_, embedder_, *operations_, workers_,
                                loader_,   limits_, metrics_,  facts_};

 public:
  CollectionService collections{context_};
  IndexService indexing{context_};
  ModelService models{context_};
  OperationService operations{context_};
  SearchService searches{context_};
  ServerService facts{context_};
  SnapshotService snapshots{context_};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_TESTS_FUZZ_REQUEST_WORLD_H_
