// Collections through the public interface: writing, reading, deleting, restarting.
#include "index/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/validate.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

using ::testing::HasSubstr;

class CollectionTest : public IndexTest {
 protected:
  CollectionTest() { Start(); }

  std::mt19937 random_{20240601};
};

void ExpectEqual(const Record& a, const Record& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.descriptor, b.descriptor);
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.source_uri, b.source_uri);
  EXPECT_EQ(a.revision, b.revision);
  EXPECT_EQ(a.create_time, b.create_time);
  EXPECT_EQ(a.update_time, b.update_time);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.image_mime_type, b.image_mime_type);
  ASSERT_EQ(a.tokens.has_value(), b.tokens.has_value());
  if (!a.tokens) return;
  EXPECT_EQ(a.tokens->height, b.tokens->height);
  EXPECT_EQ(a.tokens->width, b.tokens->width);
  EXPECT_EQ(a.tokens->dim, b.tokens->dim);
  EXPECT_EQ(a.tokens->values, b.tokens->values);
  EXPECT_EQ(a.tokens->scales, b.tokens->scales);
  EXPECT_EQ(a.tokens->importance, b.tokens->importance);
  EXPECT_EQ(a.tokens->centre, b.tokens->centre);
}

TEST_F(CollectionTest, GivesBackWhatWasWrittenAlsoAfterARestart) {
  Write write = MakeWrite("castle/1", RandomVector(random_, 8));
  write.record.tokens = RandomTokens(random_, 14, 14, 128);
  write.record.attributes = {{"city", "Prague"},
                             {"year", int64_t{1402}},
                             {"height", 96.5},
                             {"open", true},
                             {"tags", std::vector<std::string>{"gothic", ""}}};
  write.record.source_uri = "file:///photos/castle.jpg";
  write.record.width = 1024;
  write.record.height = 768;
  write.record.sha256 = std::string(64, 'a');
  write.record.image = std::string(10000, '\x7f');
  write.record.image_mime_type = "image/jpeg";
  Record expected = write.record;
  expected.descriptor = *NormalizeDescriptor(write.record.descriptor, 8);
  expected.revision = 1;
  expected.create_time = expected.update_time = clock_.Now();

  const auto result = collection_->Put(std::move(write));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->id, "castle/1");
  EXPECT_EQ(result->revision, 1);
  EXPECT_FALSE(result->replayed);

  for (int round = 0; round < 2; ++round) {
    Record with_vectors = expected;
    with_vectors.image.clear();
    const auto vectors = collection_->Get("castle/1", RecordView::kVectors);
    ASSERT_TRUE(vectors.ok()) << vectors.status();
    ExpectEqual(*vectors, with_vectors);

    Record with_image = expected;
    with_image.descriptor.clear();
    with_image.tokens.reset();
    const auto image = collection_->Get("castle/1", RecordView::kImage);
    ASSERT_TRUE(image.ok()) << image.status();
    ExpectEqual(*image, with_image);

    const auto metadata = collection_->Get("castle/1", RecordView::kMetadata);
    ASSERT_TRUE(metadata.ok());
    EXPECT_TRUE(metadata->image.empty());
    EXPECT_TRUE(metadata->descriptor.empty());

    const auto hits = Search(expected.descriptor, 5);
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0].id, "castle/1");
    EXPECT_NEAR(hits[0].score, 1, 1e-6);
    Restart();
  }
}

TEST_F(CollectionTest, AnUpsertKeepsTheCreationTimeAndReplacesEverythingElse) {
  const auto first = RandomVector(random_, 8);
  const auto second = RandomVector(random_, 8);
  Write write = MakeWrite("a", first);
  write.record.tokens = RandomTokens(random_, 2, 2, 4);
  write.record.image = "old";
  write.record.attributes = {{"old", true}};
  ASSERT_TRUE(collection_->Put(write).ok());
  const absl::Time created = clock_.Now();
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(collection_->Put(MakeWrite("a", second))->revision, 2);

  const auto vectors = collection_->Get("a", RecordView::kVectors);
  ASSERT_TRUE(vectors.ok());
  EXPECT_EQ(vectors->create_time, created);
  EXPECT_EQ(vectors->update_time, clock_.Now());
  EXPECT_EQ(vectors->descriptor, *NormalizeDescriptor(second, 8));
  EXPECT_FALSE(vectors->tokens);
  EXPECT_TRUE(vectors->attributes.empty());
  EXPECT_TRUE(collection_->Get("a", RecordView::kImage)->image.empty());
  EXPECT_EQ(Search(first, 10).size(), 1u);
  EXPECT_EQ(collection_->Stats().images, 1);
  EXPECT_EQ(collection_->Stats().deleted_images, 1);
  Restart();
  EXPECT_EQ(Search(first, 10).size(), 1u);
  EXPECT_EQ(collection_->Stats().images, 1);
  ASSERT_TRUE(collection_->Optimize({}, nullptr).ok());
  EXPECT_EQ(Search(first, 10).size(), 1u);
  EXPECT_EQ(collection_->Stats().deleted_images, 0);
}

TEST_F(CollectionTest, GeneratesIdsThatDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    const auto result = collection_->Put(MakeWrite("", RandomVector(random_, 8)));
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->id.size(), 32u);
    ids.insert(result->id);
  }
  EXPECT_EQ(ids.size(), 20u);
}

TEST_F(CollectionTest, DeletesAllAndCountsEachIdOnce) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(collection_->Put(MakeWrite(id, RandomVector(random_, 8))).ok());
  const std::vector<std::string> ids = {"a", "nobody", "a", "c", "nobody"};
  const auto result = collection_->Delete(ids);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->deleted, 2);
  EXPECT_EQ(result->not_found, 1);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(base::GetErrorInfo(collection_->Get("a", RecordView::kMetadata).status()).reason, "IMAGE_NOT_FOUND");
    const auto hits = Search(RandomVector(random_, 8), 10);
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0].id, "b");
    EXPECT_EQ(collection_->Stats().images, 1);
    Restart();
  }
  EXPECT_EQ(collection_->Put(MakeWrite("a", RandomVector(random_, 8)))->revision, 1);
}

TEST_F(CollectionTest, ChangesAttributesWithoutTouchingTheRest) {
  Write write = MakeWrite("a", RandomVector(random_, 8));
  write.record.attributes = {{"keep", int64_t{1}}, {"drop", int64_t{2}}, {"change", int64_t{3}}};
  ASSERT_TRUE(collection_->Put(write).ok());
  AttributeChange change;
  change.set = {{"change", "new"}, {"added", true}};
  change.remove = {"drop", "absent"};
  auto record = collection_->UpdateAttributes("a", change);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->revision, 2);
  EXPECT_EQ(record->attributes, (Attributes{{"keep", int64_t{1}}, {"change", "new"}, {"added", true}}));
  change = {.set = {{"only", 1.5}}, .remove = {}, .replace = true};
  ASSERT_TRUE(collection_->UpdateAttributes("a", change).ok());
  Restart();
  record = collection_->Get("a", RecordView::kVectors);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->revision, 3);
  EXPECT_EQ(record->attributes, (Attributes{{"only", 1.5}}));
  EXPECT_EQ(record->descriptor, *NormalizeDescriptor(write.record.descriptor, 8));
  EXPECT_EQ(collection_->UpdateAttributes("b", change).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CollectionTest, AnUpdateThatBreaksALimitLeavesTheRecordAsItWas) {
  Write write = MakeWrite("a", RandomVector(random_, 8));
  for (int i = 0; i < 64; ++i) write.record.attributes[absl::StrCat("k", i)] = int64_t{i};
  ASSERT_TRUE(collection_->Put(write).ok());
  AttributeChange change;
  change.set = {{"one.more", true}};
  EXPECT_EQ(base::GetErrorInfo(collection_->UpdateAttributes("a", change).status()).reason, "TOO_MANY_ATTRIBUTES");
  EXPECT_EQ(collection_->Get("a", RecordView::kMetadata)->revision, 1);
}

TEST_F(CollectionTest, ListsInTheOrderOfWriting) {
  for (int i = 0; i < 25; ++i)
    ASSERT_TRUE(collection_->Put(MakeWrite(absl::StrCat("r", i), RandomVector(random_, 8))).ok());
  ASSERT_TRUE(collection_->Put(MakeWrite("r3", RandomVector(random_, 8))).ok());
  std::vector<std::string> ids;
  std::string token;
  int pages = 0;
  do {
    const auto page = collection_->List(10, token, RecordView::kMetadata, "");
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Record& record : page->records) ids.push_back(record.id);
    token = page->next_page_token;
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  std::vector<std::string> expected;
  for (int i = 0; i < 25; ++i) {
    if (i != 3) expected.push_back(absl::StrCat("r", i));
  }
  expected.push_back("r3");
  EXPECT_EQ(ids, expected);
}

TEST_F(CollectionTest, RefusesPageTokensItDidNotGive) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(collection_->Put(MakeWrite("", RandomVector(random_, 8))).ok());
  const std::string token = collection_->List(1, "", RecordView::kMetadata, "")->next_page_token;
  ASSERT_FALSE(token.empty());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string wrong = token;
    wrong[i] = wrong[i] == '0' ? '1' : '0';
    EXPECT_EQ(base::GetErrorInfo(collection_->List(1, wrong, RecordView::kMetadata, "").status()).reason,
              "PAGE_TOKEN_INVALID");
  }
  for (const std::string& wrong : {std::string("x"), token + "00", std::string(24, 'z'), std::string("\0", 1)}) {
    EXPECT_EQ(collection_->List(1, wrong, RecordView::kMetadata, "").status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(collection_->List(0, "", RecordView::kMetadata, "").ok());
  EXPECT_FALSE(collection_->List(1001, "", RecordView::kMetadata, "").ok());
}

TEST_F(CollectionTest, EndsAPageEarlyWhenItsRecordsAreLarge) {
  for (int i = 0; i < 5; ++i) {
    Write write = MakeWrite("", RandomVector(random_, 8));
    write.record.image = std::string(7 << 20, 'x');
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }
  const auto page = collection_->List(1000, "", RecordView::kImage, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->records.size(), 3u);
  EXPECT_EQ(collection_->List(1000, page->next_page_token, RecordView::kImage, "")->records.size(), 2u);
  EXPECT_EQ(collection_->List(1000, "", RecordView::kMetadata, "")->records.size(), 5u);
}

TEST_F(CollectionTest, KeepsNeitherTokensNorImagesWhenItsSettingsSaySo) {
  config_.name = "bare";
  config_.token_space.clear();
  config_.keep_image = KeepImage::kNone;
  collection_ = *database_->Create(config_);
  Write write = MakeWrite("a", RandomVector(random_, 8));
  write.record.tokens = RandomTokens(random_, 2, 2, 4);
  write.record.image = "bytes";
  ASSERT_TRUE(collection_->Put(write).ok());
  EXPECT_FALSE(collection_->Get("a", RecordView::kVectors)->tokens);
  EXPECT_TRUE(collection_->Get("a", RecordView::kImage)->image.empty());
}

TEST_F(CollectionTest, HalfPrecisionGivesTheSameScoresAfterARestart) {
  config_.name = "half";
  config_.descriptor_dim = 129;
  config_.descriptor_precision = DescriptorPrecision::kFloat16;
  collection_ = *database_->Create(config_);
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 50; ++i) {
    vectors.push_back(RandomVector(random_, 129));
    ASSERT_TRUE(collection_->Put(MakeWrite(absl::StrCat(i), vectors.back())).ok());
  }
  const auto before = Search(vectors[7], 50);
  Restart();
  const auto after = Search(vectors[7], 50);
  ASSERT_EQ(before.size(), 50u);
  ASSERT_EQ(after.size(), 50u);
  EXPECT_EQ(before[0].id, "7");
  EXPECT_NEAR(before[0].score, 1, 1e-3);
  for (size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(before[i].id, after[i].id);
    EXPECT_EQ(before[i].score, after[i].score);
  }
}

TEST_F(CollectionTest, SequenceGrowsWithEveryWriteAndSurvivesARestart) {
  ASSERT_TRUE(collection_->Put(MakeWrite("a", RandomVector(random_, 8))).ok());
  ASSERT_TRUE(collection_->Put(MakeWrite("a", RandomVector(random_, 8))).ok());
  const std::vector<std::string> ids = {"a"};
  ASSERT_TRUE(collection_->Delete(ids).ok());
  EXPECT_EQ(collection_->Stats().sequence, 3);
  Restart();
  EXPECT_EQ(collection_->Stats().sequence, 3);
}

TEST_F(CollectionTest, StatsCountBytesByLayer) {
  Write write = MakeWrite("a", RandomVector(random_, 8));
  write.record.tokens = RandomTokens(random_, 14, 14, 128);
  ASSERT_TRUE(collection_->Put(write).ok());
  const CollectionStats stats = collection_->Stats();
  EXPECT_GT(stats.memory.descriptors, 0);
  EXPECT_GT(stats.memory.log, 25'000);
  EXPECT_GT(stats.disk.log, 25'000);
  EXPECT_FALSE(stats.read_only);
  EXPECT_THAT(stats.index_choice, HasSubstr("exact"));
}

}  // namespace
}  // namespace sightline::index
