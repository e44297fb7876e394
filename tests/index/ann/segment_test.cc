// A segment by itself: what upkeep does to it while its writer is in the middle of a batch, and what a search says of
// rows that cannot be read.
#include "index/ann/segment.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <tuple>

#include "base/log.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

constexpr size_t kSegmentDim = 8;
constexpr uint32_t kChunkRows = 4;

class SegmentTest : public ::testing::Test {
 protected:
  SegmentTest() { base::SetLogLevel(base::Severity::kOff); }

  static SegmentShape Shape() {
    SegmentShape shape;
    shape.chunk = {kSegmentDim, DescriptorPrecision::kFloat32};
    shape.chunk_rows = kChunkRows;
    shape.max_rows = 64;
    return shape;
  }

  void Append(uint64_t key) {
    std::vector<float> descriptor = RandomVector(random_, kSegmentDim);
    segment_.Append({key, std::to_string(key), descriptor.data(), nullptr});
    descriptors_.push_back(std::move(descriptor));
  }

  // What upkeep does with a chunk; the path of its file.
  std::string Seal(uint32_t chunk) {
    const std::string path = folder_.path() + "/" + std::to_string(next_file_++);
    const auto info = segment_.WriteChunk(chunk, files_, path);
    EXPECT_TRUE(info.ok()) << info.status();
    segment_.SetChunkFile(chunk, *info);
    const absl::Status read = segment_.ReadFromFile(chunk, files_, path);
    EXPECT_TRUE(read.ok()) << read;
    return path;
  }

  sightline::testing::TempFolder folder_;
  const Files files_;
  std::mt19937 random_{3};
  int next_file_ = 0;
  int asked_ = 0;  // times that the store was asked
  absl::Status store_ = base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
  Segment segment_{Shape(), [this](uint64_t) -> absl::StatusOr<std::vector<float>> {
                     ++asked_;
                     return store_;
                   }};
  std::vector<std::vector<float>> descriptors_;
};

// A batch that goes over the end of a chunk closes it before the batch's rows are published.
TEST_F(SegmentTest, AChunkSealedInTheMiddleOfABatchKeepsTheBatch) {
  Append(1);
  Append(2);
  segment_.Publish();
  for (uint64_t key = 3; key <= 5; ++key) Append(key);
  ASSERT_EQ(segment_.ChunkToSeal(0), 0u);
  Seal(0);
  segment_.Publish();
  std::vector<float> read(kSegmentDim);
  for (uint32_t row = 0; row < 5; ++row) {
    ASSERT_TRUE(segment_.Read(row, read.data()).ok()) << row;
    EXPECT_EQ(read, descriptors_[row]);
  }
  EXPECT_EQ(asked_, 0);
  // What was not in the file yet is sealed next.
  EXPECT_EQ(segment_.unsealed_rows(), 3u);
  ASSERT_EQ(segment_.ChunkToSeal(0), 0u);
  Seal(0);
  EXPECT_EQ(segment_.chunk_file(0)->rows, kChunkRows);
  EXPECT_EQ(segment_.ChunkToSeal(0), std::nullopt);
}

TEST_F(SegmentTest, AChunkThatIsNotFullIsSealedForRowsUpToAKey) {
  Append(5);
  segment_.Publish();
  EXPECT_EQ(segment_.ChunkToSeal(4), std::nullopt);
  ASSERT_EQ(segment_.ChunkToSeal(5), 0u);
  Seal(0);
  EXPECT_EQ(segment_.ChunkToSeal(5), std::nullopt);
  Append(6);
  segment_.Publish();
  EXPECT_EQ(segment_.ChunkToSeal(5), std::nullopt);
  EXPECT_EQ(segment_.ChunkToSeal(6), 0u);
}

TEST_F(SegmentTest, RowsThatAClosedChunkLeavesUnusedAreNotCounted) {
  Append(1);
  segment_.Publish();
  segment_.CloseChunk();
  Append(2);
  segment_.Publish();
  ASSERT_EQ(segment_.rows(), kChunkRows + 1);
  Roaring all;
  all.addRange(0, segment_.rows());
  EXPECT_EQ(segment_.CountAlive(all), 2);
  segment_.RemoveDead(&all);
  EXPECT_EQ(all.cardinality(), 2u);
}

TEST(RowTableTest, CountsIdsThatTakeMemoryOfTheirOwn) {
  RowTable rows(8);
  rows.Set(0, 1, "short");
  const int64_t before = rows.memory_bytes();
  rows.Set(1, 2, "s");
  EXPECT_EQ(rows.memory_bytes(), before);
  rows.Set(2, 3, std::string(20, 'x'));
  EXPECT_GE(rows.memory_bytes(), before + 20);
}

// A snapshot may come from anywhere, with checksums that fit. Sorting scores that are no numbers leads anywhere.
TEST(ChunkFileTest, RefusesCodesWhoseScoresWouldBeNoNumbers) {
  const sightline::testing::TempFolder folder;
  const ChunkShape shape{kSegmentDim, DescriptorPrecision::kFloat32};
  const kernels::CodeLayout layout(kSegmentDim);
  const std::vector<float> values(kSegmentDim, 0.35F);
  MemoryDescriptors descriptors(kSegmentDim, 1);
  descriptors.Append(values.data());
  const std::vector<uint64_t> keys = {7};
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [scale, error, fine] : {std::tuple(0.01F, 0.1F, true),
                                           {0.0F, 0.0F, true},
                                           {kNan, 0.1F, false},
                                           {kInfinity, 0.1F, false},
                                           {-0.01F, 0.1F, false},
                                           {1e30F, 0.1F, false},
                                           {0.01F, kNan, false},
                                           {0.01F, kInfinity, false},
                                           {0.01F, -0.1F, false}}) {
    std::vector<uint8_t> codes(layout.stride);
    kernels::EncodeRow(layout, values.data(), codes.data());
    const kernels::CodeTrailer trailer{scale, error};
    std::memcpy(codes.data() + layout.stride - sizeof(trailer), &trailer, sizeof(trailer));
    const std::string path = folder.Path("chunk");
    const auto info = WriteChunkFile(
        Files(), path, {.shape = shape, .keys = keys, .codes = codes.data(), .descriptors = &descriptors});
    ASSERT_TRUE(info.ok()) << info.status();
    const auto chunk = ChunkFile::Open(Files(), path, *info, shape);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    std::vector<uint64_t> read_keys;
    const absl::Status loaded = (*chunk)->LoadRows(&read_keys, codes.data());
    EXPECT_EQ(loaded.ok(), fine) << scale << " " << error << " " << loaded;
    EXPECT_EQ(base::GetErrorInfo(loaded).reason, fine ? "UNKNOWN" : "DATA_DAMAGED");
  }
}

TEST_F(SegmentTest, RowsThatCannotBeReadAreCountedAndThoseThatAreGoneAreNot) {
  for (uint64_t key = 1; key <= kChunkRows; ++key) Append(key);
  segment_.Publish();
  const std::string path = Seal(0);
  // Descriptors are the end of the file; their checksums stand before them.
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - kSegmentDim * sizeof(float));
  SegmentQuery query;
  query.query = descriptors_[0].data();
  query.k = kChunkRows;
  query.rows = segment_.rows();
  SegmentResult found = segment_.Search(query);
  EXPECT_EQ(found.best.size(), kChunkRows - 1);
  EXPECT_EQ(found.unreadable, 0);
  store_ = base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED", "it is damaged. Restore a backup.");
  found = segment_.Search(query);
  EXPECT_EQ(found.best.size(), kChunkRows - 1);
  EXPECT_EQ(found.unreadable, 1);
  // Also where a graph chose it.
  while (segment_.GrowLinks(kChunkRows, nullptr)) {
  }
  query.links = true;
  found = segment_.Search(query);
  EXPECT_STREQ(found.used, "hnsw");
  EXPECT_EQ(found.unreadable, 1);
}

}  // namespace
}  // namespace sightline::index
