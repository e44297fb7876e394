// Settings that are changed while a collection is in use: durable, in force from then on, and what was written stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/record_codec.h"
#include "index/store/small_codec.h"
#include "tests/index/engine_fixture.h"
#include "tests/index/spaces_fixture.h"

namespace sightline::index {
namespace {

using ::testing::HasSubstr;

class SettingsTest : public SpacesFixture {
 protected:
  void PutImage(const std::string& id, const std::string& image, std::optional<KeepImage> kind = std::nullopt) {
    Write write = MakeWrite(id, DescriptorOf(1, 8));
    write.record.image = image;
    write.record.image_kind = kind;
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }
  Record Image(const std::string& id) const {
    auto record = collection_->Get(id, RecordView::kImage);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? *std::move(record) : Record();
  }
  void Keep(KeepImage kind) {
    const absl::Status changed = collection_->ChangeSettings({.keep_image = kind});
    ASSERT_TRUE(changed.ok()) << changed;
  }
};

TEST_F(SettingsTest, StayOverARestart) {
  Start();
  const CollectionConfig& before = collection_->config();
  ASSERT_TRUE(collection_
                  ->ChangeSettings({.keep_image = KeepImage::kNone,
                                    .index_kind = IndexKind::kHnsw,
                                    .device = IndexDevice::kCpu,
                                    .drop_tokens = true,
                                    .description = "spring"})
                  .ok());
  // Who looked before sees what was then.
  EXPECT_EQ(before.description, "");
  EXPECT_EQ(before.keep_image, KeepImage::kOriginal);
  for (int round = 0; round < 2; ++round) {
    const CollectionConfig& now = collection_->config();
    EXPECT_EQ(now.keep_image, KeepImage::kNone);
    EXPECT_EQ(now.index_kind, IndexKind::kHnsw);
    EXPECT_EQ(now.device, IndexDevice::kCpu);
    EXPECT_TRUE(now.drop_tokens);
    EXPECT_EQ(now.description, "spring");
    EXPECT_EQ(now.token_space, "tokens");
    EXPECT_EQ(now.name, "shop");
    EXPECT_EQ(now.descriptor_dim, 8);
    Restart();
  }
  ASSERT_TRUE(collection_->ChangeSettings({.description = "summer"}).ok());
  EXPECT_EQ(collection_->config().index_kind, IndexKind::kHnsw) << "what is not named stays";
  // A snapshot has them too.
  const auto snapshot = database_->CreateSnapshot("shop", nullptr);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const auto copy = database_->RestoreSnapshot(snapshot->name, "copy", nullptr);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->config().description, "summer");
  EXPECT_EQ((*copy)->config().keep_image, KeepImage::kNone);
}

TEST_F(SettingsTest, WhatIsWrongChangesNothing) {
  Start();
  const CollectionConfig before = collection_->config();
  EXPECT_EQ(collection_->ChangeSettings({.description = std::string(100'000, 'd')}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(collection_->ChangeSettings({.description = "\xff\xfe"}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Reason(collection_->ChangeSettings({.description = "x", .token_space = "other"})), "TOKEN_SPACE_FIXED");
  EXPECT_TRUE(collection_->config() == before);
  EXPECT_TRUE(collection_->ChangeSettings({}).ok());
  EXPECT_EQ(&collection_->config(), &collection_->config());
  const auto held = collection_;
  ASSERT_TRUE(database_->Delete("shop").ok());
  EXPECT_TRUE(absl::IsNotFound(held->ChangeSettings({.description = "x"})));
  EXPECT_EQ(held->config().name, "shop") << "the reference stays good";
}

TEST_F(SettingsTest, EveryImageStaysWhatItWas) {
  config_.keep_image = KeepImage::kPreview;
  Start();
  PutImage("first", "preview-1");
  Keep(KeepImage::kOriginal);
  PutImage("second", "original-2", KeepImage::kOriginal);
  // One on its way while the setting changed is kept as what it is.
  PutImage("late", "preview-3", KeepImage::kPreview);
  Keep(KeepImage::kNone);
  PutImage("third", "nothing-4", KeepImage::kOriginal);
  Keep(KeepImage::kPreview);
  PutImage("fourth", "preview-5");
  ASSERT_TRUE(collection_->UpdateAttributes("second", {.set = {{"a", true}}, .remove = {}}).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Image("first").image, "preview-1");
    EXPECT_EQ(Image("first").image_kind, KeepImage::kPreview);
    EXPECT_EQ(Image("second").image, "original-2");
    EXPECT_EQ(Image("second").image_kind, KeepImage::kOriginal);
    EXPECT_EQ(Image("late").image_kind, KeepImage::kPreview);
    EXPECT_EQ(Image("third").image, "");
    EXPECT_EQ(Image("third").image_kind, std::nullopt);
    EXPECT_EQ(Image("fourth").image_kind, KeepImage::kPreview);
    EXPECT_TRUE(MayHold(collection_->config(), KeepImage::kPreview));
    EXPECT_TRUE(MayHold(collection_->config(), KeepImage::kOriginal));
    Restart();
  }
  EXPECT_FALSE(MayHold(config_, KeepImage::kOriginal));
}

TEST_F(SettingsTest, TokensFromThenOn) {
  config_.drop_tokens = true;
  config_.token_space = "";
  Start();
  std::mt19937 random(3);
  const auto put = [&](const std::string& id) {
    Write write = MakeWrite(id, DescriptorOf(1, 8));
    write.record.tokens = RandomTokens(random, 2, 2, 4);
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  };
  put("without");
  ASSERT_TRUE(collection_->ChangeSettings({.drop_tokens = false, .token_space = "tokens"}).ok());
  put("with");
  ASSERT_TRUE(collection_->ChangeSettings({.drop_tokens = true}).ok());
  put("again-without");
  Restart();
  const std::vector<std::string> ids = {"without", "with", "again-without"};
  const auto tokens = *collection_->ReadTokens(ids);
  EXPECT_FALSE(tokens[0].has_value());
  EXPECT_TRUE(tokens[1].has_value());
  EXPECT_FALSE(tokens[2].has_value());
}

// A space that was made before a change, or is gone back to after one, has the settings of the collection.
TEST_F(SettingsTest, AnotherSpaceTakesThemOver) {
  config_.keep_image = KeepImage::kPreview;
  other_.keep_image = KeepImage::kPreview;
  Start();
  Fill();
  {
    auto transfer = *database_->OpenTransfer(other_);
    ASSERT_TRUE(CarryAll(*transfer).ok());
    ASSERT_TRUE(collection_
                    ->ChangeSettings({.keep_image = KeepImage::kNone,
                                      .index_kind = IndexKind::kExact,
                                      .device = IndexDevice::kCpu,
                                      .description = "meanwhile"})
                    .ok());
    ASSERT_TRUE(transfer->Swap(clock_.Now() + absl::Hours(1), [] { return absl::OkStatus(); }).ok());
    EXPECT_EQ(Reason(collection_->ChangeSettings({.description = "lost"})), "COLLECTION_MOVED");
  }
  collection_ = *database_->Find("shop");
  EXPECT_EQ(collection_->config().embedding_space, "new-space");
  EXPECT_EQ(collection_->config().description, "meanwhile");
  EXPECT_EQ(collection_->config().keep_image, KeepImage::kNone);
  EXPECT_EQ(collection_->config().index_kind, IndexKind::kExact);
  EXPECT_EQ(collection_->config().device, IndexDevice::kCpu);
  EXPECT_TRUE(MayHold(collection_->config(), KeepImage::kPreview));
  Restart();
  EXPECT_EQ(collection_->config().description, "meanwhile");
}

// Writes, readers of the settings and changes of them, all at once.
TEST_F(SettingsTest, UnderWritesAndReaders) {
  config_.keep_image = KeepImage::kPreview;
  Start();
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) PutImage(absl::StrCat(t, "-", i % 20), "image");
    });
    threads.emplace_back([&] {
      while (!stop) {
        const CollectionConfig& config = collection_->config();
        const std::string description = config.description;
        ASSERT_TRUE(description.empty() || description.size() == 100) << "half a change";
        ASSERT_EQ(config.name, "shop");
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(collection_
                    ->ChangeSettings({.keep_image = i % 2 == 0 ? KeepImage::kOriginal : KeepImage::kPreview,
                                      .description = std::string(100, static_cast<char>('a' + i % 26))})
                    .ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(SettingsCodecTest, AnUnchangedCollectionIsWrittenAsBefore) {
  CollectionConfig config;
  config.name = "shop";
  config.embedding_space = "space";
  config.descriptor_dim = 8;
  config.create_time = absl::FromUnixSeconds(5);
  EXPECT_EQ(EncodeConfig("config", config)[0], 1);
  EXPECT_TRUE(*DecodeConfig("config", EncodeConfig("config", config)) == config);
  config.first_keep_image = KeepImage::kNone;
  config.had_originals = true;
  const std::string changed = EncodeConfig("config", config);
  EXPECT_EQ(changed[0], 2);
  EXPECT_TRUE(*DecodeConfig("config", changed) == config);
  for (size_t at = 0; at < changed.size(); ++at) {
    std::string bad = changed;
    bad[at] = static_cast<char>(bad[at] ^ 0x11);
    EXPECT_FALSE(DecodeConfig("config", bad).ok()) << at;
    EXPECT_FALSE(DecodeConfig("config", changed.substr(0, at)).ok()) << at;
  }
}

TEST(SettingsCodecTest, ADeviceThatWasChosenIsWrittenBesideWhatElseChanged) {
  CollectionConfig config;
  config.name = "shop";
  config.embedding_space = "space";
  config.descriptor_dim = 8;
  config.create_time = absl::FromUnixSeconds(5);
  config.device = IndexDevice::kCpu;
  for (const bool image_changed : {false, true}) {
    if (image_changed) config.first_keep_image = KeepImage::kOriginal;
    config.had_previews = image_changed;
    const std::string encoded = EncodeConfig("config", config);
    EXPECT_EQ(encoded[0], 3);
    EXPECT_TRUE(*DecodeConfig("config", encoded) == config);
    for (size_t at = 0; at < encoded.size(); ++at) {
      EXPECT_FALSE(DecodeConfig("config", encoded.substr(0, at)).ok()) << at;
    }
  }
  config.device = IndexDevice::kAuto;
  EXPECT_EQ(EncodeConfig("config", config)[0], 2) << "the choice taken back, an older server reads it again";
}

// ---- Another kind of index

class IndexKindTest : public EngineTest {
 protected:
  IndexKindTest() { config_.ivf_lists = 16; }
  void Become(IndexKind kind) {
    const absl::Status changed = collection_->ChangeSettings({.index_kind = kind});
    ASSERT_TRUE(changed.ok()) << changed;
  }
  std::string Used() {
    const auto vector = Draw();
    SearchQuery query;
    query.descriptor = vector;
    return Ask(query).index;
  }
};

TEST_F(IndexKindTest, EveryKindBecomesEveryOther) {
  Start();
  Fill(1200);
  Optimize();
  ASSERT_EQ(Used(), "hnsw");
  for (const IndexKind kind : {IndexKind::kIvf, IndexKind::kExact, IndexKind::kHnsw, IndexKind::kAuto}) {
    SCOPED_TRACE(static_cast<int>(kind));
    Become(kind);
    // What there is serves, whatever it is, and writes go on.
    Check();
    Fill(20);
    Optimize();
    const std::string wanted = kind == IndexKind::kIvf ? "ivf" : kind == IndexKind::kHnsw ? "hnsw" : "exact";
    if (kind != IndexKind::kAuto) {
      EXPECT_EQ(Used(), wanted);
    }
    EXPECT_EQ(collection_->Stats().graph_backlog, 0);
    if (kind == IndexKind::kExact) {
      EXPECT_TRUE(SegmentFiles(".links").empty()) << "the graph is gone";
    }
    EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(truth_.size()));
    Check();
    Restart();
    EXPECT_EQ(collection_->config().index_kind, kind);
    if (kind != IndexKind::kAuto) {
      EXPECT_EQ(Used(), wanted);
    }
    Check();
  }
}

// The server ends between the change and the building: the next start goes on, and nothing counts as damaged.
TEST_F(IndexKindTest, ARestartBeforeItIsBuilt) {
  Start();
  Fill(1200);
  Optimize();
  for (const IndexKind kind : {IndexKind::kIvf, IndexKind::kHnsw, IndexKind::kExact}) {
    Become(kind);
    Restart();
    Check();
    EXPECT_TRUE(SegmentFiles(".damaged").empty());
    EXPECT_TRUE(database_->damaged().empty());
    Optimize();
    Check();
    EXPECT_EQ(Used(), kind == IndexKind::kIvf ? "ivf" : kind == IndexKind::kHnsw ? "hnsw" : "exact");
  }
}

TEST_F(IndexKindTest, InTheBackgroundUnderSearchesAndWrites) {
  options_.segments.background = true;
  options_.search_threads = 2;
  Start();
  Fill(1000);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([this, &stop, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      while (!stop) {
        const auto vector = RandomVector(random, kDim);
        SearchQuery query;
        query.descriptor = vector;
        const auto outcome = collection_->Search(query);
        ASSERT_TRUE(outcome.ok()) << outcome.status();
        ASSERT_EQ(outcome->hits.size(), 10u);
      }
    });
  }
  for (int round = 0; round < 2; ++round) {
    for (const IndexKind kind : {IndexKind::kIvf, IndexKind::kExact, IndexKind::kHnsw, IndexKind::kAuto}) {
      Become(kind);
      Fill(20);
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  Become(IndexKind::kHnsw);
  Optimize();
  EXPECT_EQ(Used(), "hnsw");
  Check();
}

}  // namespace
}  // namespace sightline::index
