// The engine over restarts: nothing is built again, and what is damaged is.
#include "tests/index/engine_fixture.h"

namespace sightline::index {
namespace {

TEST_F(EngineTest, ARestartBuildsNothingAgain) {
  Start();
  Fill(1200);
  Optimize();
  const auto files = SegmentFiles();
  for (int i = 0; i < 3; ++i) {
    Restart();
    const CollectionStats stats = collection_->Stats();
    EXPECT_EQ(stats.graph_backlog, 0);
    EXPECT_EQ(stats.tail_images, 0);
    EXPECT_EQ(SegmentFiles(), files);
    Check();
  }
  // What came after the last file is read from the log.
  Fill(30);
  Restart();
  Check();
  EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(truth_.size()));
}

TEST_F(EngineTest, DamagedFilesAreSetAsideAndMadeAgain) {
  Start();
  Fill(1200);
  Optimize();
  const auto rows = SegmentFiles(".rows");
  const auto links = SegmentFiles(".links");
  ASSERT_GE(rows.size(), 10u);
  ASSERT_GE(links.size(), 2u);
  collection_.reset();
  database_.reset();
  FlipByte(rows[2], 5000);  // its codes
  FlipByte(rows[5], 10);    // its header
  fs::resize_file(rows[7], fs::file_size(rows[7]) / 2);
  fs::remove(rows[8]);
  FlipByte(links[1], 200);
  Open();
  collection_ = *database_->Find("shop");
  EXPECT_EQ(collection_->Stats().images, 1200);
  Check();
  EXPECT_TRUE(fs::exists(rows[2].string() + ".damaged"));
  EXPECT_TRUE(fs::exists(links[1].string() + ".damaged"));
  Optimize();
  Check();
  Restart();
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  Check();
}

TEST_F(EngineTest, ADamagedDescriptorIsReadFromTheStore) {
  config_.index_kind = IndexKind::kExact;
  Start();
  Fill(128);
  Optimize();
  Restart();
  DamageDescriptors();
  Check();
}

TEST_F(EngineTest, WhatNeitherFileNorStoreGivesIsSaid) {
  config_.index_kind = IndexKind::kExact;
  Start();
  Fill(128);
  Optimize();
  Restart();
  DamageDescriptors();
  SearchQuery query;
  const auto vector = Draw();
  query.descriptor = vector;
  EXPECT_TRUE(Ask(query).degraded_reasons.empty());
  // The table of the descriptors is the largest: the others are compressed.
  fs::path largest;
  for (const auto& entry : fs::recursive_directory_iterator(options_.directory + "/collections")) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  ASSERT_FALSE(largest.empty());
  Restart();
  FlipByte(largest, 1000);
  EXPECT_EQ(Ask(query).degraded_reasons.size(), 1u);
}

TEST_F(EngineTest, FilesThatNothingNamesAreRemoved) {
  Start();
  Fill(100);
  Optimize();
  const std::string folder = SegmentFiles()[0].parent_path();
  collection_.reset();
  database_.reset();
  for (const char* name : {"/000900.rows", "/000901.links.tmp", "/stray"}) std::ofstream(folder + name) << "x";
  Open();
  collection_ = *database_->Find("shop");
  EXPECT_FALSE(fs::exists(folder + "/000900.rows"));
  EXPECT_FALSE(fs::exists(folder + "/000901.links.tmp"));
  Check();
  // Numbers are not given again.
  Fill(200);
  Optimize();
  EXPECT_TRUE(SegmentFiles("000901.rows").empty());
  EXPECT_FALSE(SegmentFiles("000902.rows").empty());
}

}  // namespace
}  // namespace sightline::index
