// EngineTest: a collection whose segments are so small that everything happens to them, and the truth to compare with.
#ifndef SIGHTLINE_TESTS_INDEX_ENGINE_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/kernels/inner_product.h"
#include "index/validate.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {

namespace fs = std::filesystem;

inline constexpr int kDim = 24;

class EngineTest : public IndexTest {
 protected:
  EngineTest() {
    options_.segments = {
        .chunk_rows = 64, .segment_rows = 512, .max_dead_share = 0.2, .max_code_share = 0.25, .background = false};
    config_.descriptor_dim = kDim;
    config_.index_kind = IndexKind::kHnsw;
  }

  // Clusters, so that neighbours mean something.
  std::vector<float> Draw() {
    if (centres_.empty()) {
      for (int i = 0; i < 20; ++i) centres_.push_back(RandomVector(random_, kDim));
    }
    std::vector<float> vector = centres_[random_() % centres_.size()];
    for (float& value : vector) value += 0.4F * std::normal_distribution<float>()(random_);
    return vector;
  }

  // Durable only after Await: writes that wait together share a sync.
  void BeginPut(const std::string& id, const std::vector<float>& vector, Attributes attributes) {
    Write write = MakeWrite(id, vector);
    write.record.attributes = attributes;
    {
      base::MutexLock lock(mutex_);
      ++pending_;
    }
    collection_->PutAsync(std::move(write), [this](const absl::StatusOr<WriteResult>& result) {
      EXPECT_TRUE(result.ok()) << result.status();
      base::MutexLock lock(mutex_);
      --pending_;
      changed_.NotifyOne();
    });
    truth_[id] = {next_++, *NormalizeDescriptor(vector, kDim), std::move(attributes)};
  }

  void Await() {
    base::MutexLock lock(mutex_);
    while (pending_ > 0) changed_.Wait(mutex_);
  }

  void Put(const std::string& id, const std::vector<float>& vector, Attributes attributes = {}) {
    BeginPut(id, vector, std::move(attributes));
    Await();
  }

  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      const int number = next_;
      Attributes attributes{{"parity", std::string(number % 2 == 0 ? "even" : "odd")},
                            {"number", static_cast<int64_t>(number)}};
      BeginPut(absl::StrCat("r", number), Draw(), std::move(attributes));
      // A batch is never split over two segments.
      if (i % 50 == 49) Await();
    }
    Await();
  }

  // `count` times an image again, or not any more: one in `deleted`.
  void Change(int count, int deleted) {
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("r", random_() % static_cast<unsigned>(next_));
      if (truth_.count(id) == 0) continue;
      if (i % deleted == 0) {
        Delete(id);
      } else {
        Put(id, Draw(), {{"parity", std::string("even")}});
      }
    }
  }

  void Delete(const std::string& id) {
    ASSERT_TRUE(collection_->Delete(absl::MakeConstSpan(&id, 1)).ok());
    truth_.erase(id);
  }

  struct Entry {
    int order = 0;
    std::vector<float> vector;
    Attributes attributes;
  };

  // The best `k` ids by comparing with every image that `passes`.
  std::vector<std::string> Expected(const std::vector<float>& query, size_t k,
                                    const std::function<bool(const Entry&)>& passes = nullptr) const {
    const auto normal = *NormalizeDescriptor(query, kDim);
    std::vector<std::tuple<float, int, std::string>> scored;
    for (const auto& [id, entry] : truth_) {
      if (passes && !passes(entry)) continue;
      float score = 0;
      kernels::InnerProducts(normal.data(), entry.vector.data(), kDim, kDim, 1, &score);
      scored.emplace_back(-score, entry.order, id);
    }
    std::sort(scored.begin(), scored.end());
    std::vector<std::string> ids;
    for (size_t i = 0; i < std::min(k, scored.size()); ++i) ids.push_back(std::get<2>(scored[i]));
    return ids;
  }

  SearchOutcome Ask(const SearchQuery& query) const {
    auto outcome = collection_->Search(query);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *std::move(outcome) : SearchOutcome();
  }

  static std::vector<std::string> Ids(const SearchOutcome& outcome) {
    std::vector<std::string> ids;
    for (const Hit& hit : outcome.hits) ids.push_back(hit.id);
    return ids;
  }

  // Exact searches must give what comparing gives; searches of the graph nearly that.
  void Check(const std::string& filter = "", const std::function<bool(const Entry&)>& passes = nullptr) {
    int found = 0, wanted = 0;
    for (int i = 0; i < 30; ++i) {
      const auto vector = Draw();
      const auto expected = Expected(vector, 10, passes);
      SearchQuery query;
      query.descriptor = vector;
      query.filter = filter;
      query.exact = true;
      ASSERT_EQ(Ids(Ask(query)), expected) << filter;
      query.exact = false;
      const auto ids = Ids(Ask(query));
      ASSERT_EQ(ids.size(), expected.size()) << filter;
      ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
      for (const std::string& id : ids) found += std::count(expected.begin(), expected.end(), id) > 0 ? 1 : 0;
      wanted += static_cast<int>(expected.size());
    }
    EXPECT_GE(found, wanted * 97 / 100) << filter;
  }

  void Optimize(const OptimizeOptions& options = {}) {
    const absl::Status status = collection_->Optimize(options, nullptr);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<fs::path> SegmentFiles(const std::string& suffix = "") const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(options_.directory + "/collections")) {
      if (absl::StrContains(entry.path().string(), "/segments/") && absl::EndsWith(entry.path().string(), suffix)) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static void FlipByte(const fs::path& path, int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(at);
    file.put(byte);
  }

  // The last bytes of a file of rows are descriptors, which are checked when they are read.
  void DamageDescriptors() {
    for (const fs::path& file : SegmentFiles(".rows")) {
      const auto size = static_cast<int64_t>(fs::file_size(file));
      for (int i = 1; i < 64; ++i) FlipByte(file, size - i * kDim * 4);
    }
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  int pending_ ABSL_GUARDED_BY(mutex_) = 0;
  std::mt19937 random_{7};
  std::vector<std::vector<float>> centres_;
  std::map<std::string, Entry> truth_;
  int next_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_ENGINE_FIXTURE_H_
