#include "tests/index/durability/truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "index/validate.h"

namespace sightline::index {
namespace {

constexpr std::chrono::seconds kMostToRecover{30};

constexpr int kIds = 40;  // few, so that most are written several times

}  // namespace

CollectionConfig TruthConfig(const std::string& name) {
  CollectionConfig config;
  config.name = name;
  config.embedding_space = "space";
  config.token_space = "tokens";
  config.descriptor_dim = kTruthDim;
  return config;
}

Write NumberedWrite(const std::string& id, int64_t number) {
  std::mt19937 random(static_cast<unsigned>(number));
  std::normal_distribution<float> normal;
  Write write;
  Record& record = write.record;
  record.id = id;
  record.attributes = {{"number", number}, {"text", std::string(static_cast<size_t>(number % 50), 'x')}};
  for (int i = 0; i < kTruthDim; ++i) record.descriptor.push_back(normal(random));
  PatchTokens tokens{7, 7, number % 2 == 0 ? 96 : 8, {}, {}, {}, {}};
  const size_t dim = static_cast<size_t>(tokens.dim);
  for (size_t i = 0; i < 49 * dim; ++i) tokens.values.push_back(static_cast<int8_t>(random()));
  for (size_t i = 0; i < 49; ++i) tokens.scales.push_back(normal(random));
  tokens.importance.assign(49, 1.0f / 49);
  for (size_t i = 0; i < dim; ++i) tokens.centre.push_back(normal(random));
  record.tokens = std::move(tokens);
  return write;
}

Truth::Maybe Truth::Acknowledged(const std::string& id) const {
  const auto it = acknowledged_.find(id);
  return it == acknowledged_.end() ? std::nullopt : it->second;
}

bool Truth::Write(Collection& collection) {
  const std::string id = absl::StrCat("id", random_() % kIds);
  const int64_t number = next_++;
  const Maybe before = Acknowledged(id);
  Maybe after;
  absl::Status status;
  switch (before ? random_() % 4 : 0) {
    case 0:
    case 1:
      after = State{number, std::nullopt};
      status = collection.Put(NumberedWrite(id, number)).status();
      break;
    case 2:
      after = State{before->number, number};
      status = collection.UpdateAttributes(id, {.set = {{"changed", number}}, .remove = {}, .replace = false}).status();
      break;
    default: const std::array<std::string, 1> ids = {id}; status = collection.Delete(ids).status();
  }
  if (!status.ok()) {
    possible_[id].push_back(after);
    refusal_ = status;
    return false;
  }
  acknowledged_[id] = after;
  possible_.erase(id);
  return true;
}

bool Truth::WriteOnceWell(Collection& collection) {
  const auto deadline = std::chrono::steady_clock::now() + kMostToRecover;
  while (!Write(collection)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

absl::StatusOr<Truth::Maybe> Truth::Look(const Collection& collection, const std::string& id) {
  const auto got = collection.Get(id, RecordView::kVectors);
  if (absl::IsNotFound(got.status())) return Maybe();
  if (!got.ok()) return got.status();
  State state;
  Attributes attributes = got->attributes;
  if (const auto it = attributes.find("changed"); it != attributes.end()) {
    if (const auto* changed = std::get_if<int64_t>(&it->second)) state.changed = *changed;
    attributes.erase(it);
  }
  const auto number = attributes.find("number");
  if (number == attributes.end() || !std::holds_alternative<int64_t>(number->second)) {
    ADD_FAILURE() << id << " has no number";
    return Maybe();
  }
  state.number = std::get<int64_t>(number->second);
  const Record expected = NumberedWrite(id, state.number).record;
  EXPECT_EQ(got->id, id);
  EXPECT_EQ(attributes, expected.attributes) << id;
  EXPECT_EQ(got->descriptor, *NormalizeDescriptor(expected.descriptor, kTruthDim)) << id;
  if (!got->tokens) {
    ADD_FAILURE() << id << " has lost its tokens";
    return Maybe(state);
  }
  EXPECT_EQ(got->tokens->values, expected.tokens->values) << id;
  EXPECT_EQ(got->tokens->scales, expected.tokens->scales) << id;
  EXPECT_EQ(got->tokens->importance, expected.tokens->importance) << id;
  EXPECT_EQ(got->tokens->centre, expected.tokens->centre) << id;
  return Maybe(state);
}

void Truth::CheckSearch(const Collection& collection, const std::string& id, const State& state) {
  const Record record = NumberedWrite(id, state.number).record;
  SearchQuery query;
  query.descriptor = record.descriptor;
  query.top_k = 1;
  const auto outcome = collection.Search(query);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ASSERT_EQ(outcome->hits.size(), 1u);
  EXPECT_EQ(outcome->hits[0].id, id);
  EXPECT_GT(outcome->hits[0].score, 0.99999);
}

bool Truth::Check(const Collection& collection, bool reopened) {
  for (int i = 0; i < kIds; ++i) {
    const std::string id = absl::StrCat("id", i);
    const auto found = Look(collection, id);
    if (!found.ok()) {
      ADD_FAILURE() << id << ": " << found.status();
      continue;
    }
    const Maybe expected = Acknowledged(id);
    bool allowed = *found == expected;
    if (const auto it = possible_.find(id); reopened && it != possible_.end()) {
      allowed |= std::find(it->second.begin(), it->second.end(), *found) != it->second.end();
      acknowledged_[id] = *found;
    }
    EXPECT_TRUE(allowed) << id << ": found " << (*found ? absl::StrCat("number ", (*found)->number) : "nothing")
                         << ", acknowledged " << (expected ? absl::StrCat("number ", expected->number) : "nothing");
    if (*found) CheckSearch(collection, id, **found);
  }
  if (reopened) possible_.clear();
  const auto page = collection.List(1000, "", RecordView::kMetadata, "");
  EXPECT_TRUE(page.ok()) << page.status();
  if (page.ok()) {
    EXPECT_EQ(static_cast<int64_t>(page->records.size()), records());
  }
  EXPECT_EQ(collection.Stats().images, records());
  return !::testing::Test::HasFailure();
}

int64_t Truth::CheckReadable(const Collection& collection, absl::StatusCode code) const {
  int64_t unreadable = 0;
  for (int i = 0; i < kIds; ++i) {
    const std::string id = absl::StrCat("id", i);
    const auto found = Look(collection, id);
    if (!found.ok()) {
      EXPECT_EQ(found.status().code(), code) << found.status();
      ++unreadable;
      continue;
    }
    EXPECT_EQ(*found, Acknowledged(id)) << id;
  }
  return unreadable;
}

int64_t Truth::records() const {
  return std::count_if(acknowledged_.begin(), acknowledged_.end(), [](const auto& entry) { return entry.second; });
}

}  // namespace sightline::index
