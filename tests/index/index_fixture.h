// What the tests of collections share: a database in a temporary folder, on a clock that the test moves.
#ifndef SIGHTLINE_TESTS_INDEX_INDEX_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_INDEX_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "index/database.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {

inline std::vector<float> RandomVector(std::mt19937& random, int dim) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(static_cast<size_t>(dim));
  for (float& value : vector) value = normal(random);
  return vector;
}

inline PatchTokens RandomTokens(std::mt19937& random, int height, int width, int dim) {
  PatchTokens tokens{height, width, dim, {}, {}, {}, RandomVector(random, dim)};
  const size_t cells = static_cast<size_t>(height * width);
  for (size_t i = 0; i < cells * static_cast<size_t>(dim); ++i) tokens.values.push_back(static_cast<int8_t>(random()));
  for (size_t i = 0; i < cells; ++i) tokens.scales.push_back(static_cast<float>(random() % 1000) * 1e-3f);
  tokens.importance.assign(cells, 1.0f / static_cast<float>(cells));
  return tokens;
}

inline Write MakeWrite(std::string id, std::vector<float> descriptor, std::string request_id = "") {
  Write write;
  write.record.id = std::move(id);
  write.record.descriptor = std::move(descriptor);
  write.request_id = std::move(request_id);
  return write;
}

class IndexTest : public ::testing::Test {
 protected:
  IndexTest() {
    base::SetLogLevel(base::Severity::kOff);
    options_.directory = folder_.path() + "/data";
    options_.clock = &clock_;
    config_.name = "shop";
    config_.embedding_space = "space";
    config_.token_space = "tokens";
    config_.descriptor_dim = 8;
    config_.keep_image = KeepImage::kOriginal;
  }

  void Open() {
    auto database = Database::Open(options_);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }

  // Opens the database and makes the collection of config_.
  void Start() {
    Open();
    auto collection = database_->Create(config_);
    ASSERT_TRUE(collection.ok()) << collection.status();
    collection_ = *std::move(collection);
  }

  // Closes and opens again, as a new process would.
  void Restart() {
    collection_.reset();
    database_.reset();
    Open();
    auto collection = database_->Find(config_.name);
    ASSERT_TRUE(collection.ok()) << collection.status();
    collection_ = *std::move(collection);
  }

  std::vector<Hit> Search(const std::vector<float>& descriptor, int top_k) const {
    SearchQuery query;
    query.descriptor = descriptor;
    query.top_k = top_k;
    auto outcome = collection_->Search(query);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->hits : std::vector<Hit>();
  }

  sightline::testing::TempFolder folder_;
  sightline::testing::FakeClock clock_;
  DatabaseOptions options_;
  CollectionConfig config_;
  std::unique_ptr<Database> database_;
  std::shared_ptr<Collection> collection_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_INDEX_FIXTURE_H_
