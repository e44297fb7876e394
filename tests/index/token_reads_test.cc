// Many images' patch tokens in one read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

using ::testing::HasSubstr;

class TokenReadsTest : public IndexTest {
 protected:
  TokenReadsTest() { Start(); }

  void Put(const std::string& id, std::optional<PatchTokens> tokens) {
    Write write = MakeWrite(id, RandomVector(random_, 8));
    write.record.tokens = std::move(tokens);
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }

  // ReadTokens gives what Get gives one by one.
  void ExpectAsOneByOne(const std::vector<std::string>& ids) {
    const auto together = collection_->ReadTokens(ids);
    ASSERT_TRUE(together.ok()) << together.status();
    ASSERT_EQ(together->size(), ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      SCOPED_TRACE(ids[i]);
      const auto alone = collection_->Get(ids[i], RecordView::kVectors);
      const bool has = alone.ok() && alone->tokens.has_value();
      ASSERT_EQ((*together)[i].has_value(), has);
      if (!has) continue;
      EXPECT_EQ((*together)[i]->height, alone->tokens->height);
      EXPECT_EQ((*together)[i]->precision, alone->tokens->precision);
      EXPECT_EQ((*together)[i]->values, alone->tokens->values);
      EXPECT_EQ((*together)[i]->scales, alone->tokens->scales);
      EXPECT_EQ((*together)[i]->importance, alone->tokens->importance);
      EXPECT_EQ((*together)[i]->centre, alone->tokens->centre);
      EXPECT_EQ((*together)[i]->floats, alone->tokens->floats);
    }
  }

  std::mt19937 random_{20250301};
};

TEST_F(TokenReadsTest, GivesWhatSingleReadsGive) {
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) {
    ids.push_back(absl::StrCat("image-", i));
    if (i % 7 == 3) {
      Put(ids.back(), std::nullopt);
    } else if (i % 7 == 4) {
      PatchTokens floats = RandomTokens(random_, 2, 3, 4);
      floats.precision = TokenPrecision::kFloat32;
      floats.values.clear();
      floats.scales.clear();
      floats.floats = RandomVector(random_, 24);
      Put(ids.back(), std::move(floats));
    } else {
      // Some are large enough for blob files.
      Put(ids.back(), RandomTokens(random_, 1 + i % 14, 7, 64));
    }
  }
  std::shuffle(ids.begin(), ids.end(), random_);
  ids.push_back("never written");
  ids.push_back(ids[0]);  // twice
  for (int round = 0; round < 2; ++round) {
    ExpectAsOneByOne(ids);
    ExpectAsOneByOne({});
    Restart();  // from files
  }
  const std::vector<std::string> gone(ids.begin() + 10, ids.begin() + 60);
  ASSERT_TRUE(collection_->Delete(gone).ok());
  ExpectAsOneByOne(ids);
  Put(ids[70], RandomTokens(random_, 3, 3, 8));  // another record under the same id
  ExpectAsOneByOne(ids);
}

// Who keeps copies of tokens elsewhere goes by their names.
TEST_F(TokenReadsTest, NamesStandForTheTokensThatTheyWereGivenTo) {
  Put("a", RandomTokens(random_, 2, 2, 8));
  Put("b", RandomTokens(random_, 2, 2, 8));
  const auto name = [this](const std::string& id) {
    const auto tokens = collection_->ReadTokens({{id}});
    EXPECT_TRUE(tokens.ok()) << tokens.status();
    return tokens->front()->stored_as;
  };
  const StoredName first = name("a");
  EXPECT_NE(first.store, 0u);
  EXPECT_EQ(name("a"), first);
  EXPECT_NE(name("b"), first);
  AttributeChange change;
  change.set["colour"] = std::string("red");
  ASSERT_TRUE(collection_->UpdateAttributes("a", change).ok());
  EXPECT_EQ(name("a"), first);
  Put("a", RandomTokens(random_, 2, 2, 8));
  const StoredName second = name("a");
  EXPECT_NE(second, first);
  Restart();
  EXPECT_NE(name("a").store, second.store) << "what comes back from a snapshot may have the same keys";
}

TEST_F(TokenReadsTest, RefusesWhatCanBeNoId) {
  EXPECT_EQ(base::GetErrorInfo(collection_->ReadTokens({""}).status()).reason, "ID_INVALID");
  EXPECT_EQ(base::GetErrorInfo(collection_->ReadTokens({"a", std::string(600, 'x')}).status()).reason, "ID_INVALID");
}

TEST_F(TokenReadsTest, NamesTheImageWhoseTokensAreDamaged) {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) {
    ids.push_back(absl::StrCat("image-", i));
    PatchTokens tokens = RandomTokens(random_, 14, 14, 64);
    // Bytes to find the value by.
    std::fill(tokens.values.begin(), tokens.values.end(), static_cast<int8_t>(i == 23 ? 101 : 7));
    Put(ids.back(), std::move(tokens));
  }
  collection_.reset();
  database_.reset();
  int damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const size_t at = bytes.find(std::string(14 * 14 * 64, 101));
    if (at == std::string::npos) continue;
    bytes[at + 100] ^= 1;
    std::ofstream(entry.path(), std::ios::binary) << bytes;
    ++damaged;
  }
  ASSERT_EQ(damaged, 1) << "the value is in one file";
  Open();
  auto found = database_->Find(config_.name);
  ASSERT_TRUE(found.ok()) << found.status();
  collection_ = *found;
  const absl::Status status = collection_->ReadTokens(ids).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("image-23"));
  // The others are read.
  ids.erase(ids.begin() + 23);
  ExpectAsOneByOne(ids);
}

}  // namespace
}  // namespace sightline::index
