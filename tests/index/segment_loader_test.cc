// Opening segments that are not what upkeep leaves behind: lists from elsewhere, and from other versions.
#include "index/segment_loader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/write_plan.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

constexpr uint32_t kSmallChunk = 4;

class SegmentLoaderTest : public IndexTest {
 protected:
  SegmentLoaderTest() {
    const std::string store_folder = folder_.path() + "/store";
    EXPECT_TRUE(Store::Create(store_folder, config_, resources_).ok());
    store_ = *Store::Open(store_folder, resources_, limits_);
    segments_ = folder_.path() + "/segments";
    EXPECT_TRUE(files_.CreateFolder(segments_).ok());
  }

  // Records under the keys 1 to `count`.
  void WriteRecords(int count) {
    {
      WritePlan plan(*store_, limits_, {clock_.Now(), absl::Hours(24)}, store_->counters());
      for (int i = 1; i <= count; ++i) {
        PutOperation operation;
        operation.stored.record.id = absl::StrCat("r", i);
        operation.descriptor = RandomVector(random_, config_.descriptor_dim);
        operation.descriptor_value = EncodeDescriptor(operation.descriptor, DescriptorPrecision::kFloat32);
        descriptors_.push_back(operation.descriptor);
        ASSERT_TRUE(plan.Put(std::move(operation)).ok());
      }
      ASSERT_TRUE(plan.Finish().ok());
      ASSERT_TRUE(store_->Write(&plan.batch()).ok());
    }
    // Opened again, as a new process would.
    store_.reset();
    store_ = *Store::Open(folder_.path() + "/store", resources_, limits_);
  }

  std::shared_ptr<Segment> Make(uint32_t max_rows) {
    SegmentShape shape;
    shape.chunk = {static_cast<size_t>(config_.descriptor_dim), DescriptorPrecision::kFloat32};
    shape.chunk_rows = kSmallChunk;
    shape.max_rows = max_rows;
    return std::make_shared<Segment>(shape, [this](uint64_t key) { return store_->ReadDescriptor(key); });
  }

  // Writes the files of a segment with these rows, and its entry in the list.
  void WriteSegment(const std::vector<uint64_t>& keys) {
    const auto segment = Make(64);
    for (const uint64_t key : keys) segment->Append({key, "", descriptors_[key - 1].data(), nullptr});
    segment->Publish();
    SegmentManifest manifest;
    SegmentEntry& entry = manifest.segments.emplace_back();
    for (uint32_t chunk = 0; chunk < keys.size() / kSmallChunk; ++chunk) {
      const uint64_t number = manifest.next_file++;
      auto info = segment->WriteChunk(chunk, files_, absl::StrCat(segments_, "/", ChunkFileName(number)));
      ASSERT_TRUE(info.ok()) << info.status();
      info->number = number;
      entry.chunks.push_back(*info);
    }
    segment->GrowLinks(64, nullptr);
    entry.links.emplace().number = manifest.next_file++;
    ASSERT_TRUE(segment
                    ->SaveLinks(segment->rows(), files_,
                                absl::StrCat(segments_, "/", LinksFileName(entry.links->number)), &*entry.links)
                    .ok());
    ASSERT_TRUE(store_->WriteSegmentManifest(manifest).ok());
  }

  absl::StatusOr<LoadedSegments> Load(uint32_t max_rows) {
    DatabaseOptions options;
    options.segments.segment_rows = 64;
    return LoadSegments(*store_, files_, segments_, options,
                        [this, max_rows](bool /*augmented*/) { return Make(max_rows); });
  }

  RocksResources resources_{8 << 20, 8 << 20};
  RecordLimits limits_;
  const Files files_;
  std::mt19937 random_{17};
  std::string segments_;
  std::unique_ptr<Store> store_;
  std::vector<std::vector<float>> descriptors_;
};

TEST_F(SegmentLoaderTest, LinksOfRowsThatAreWhereTheyWereAreTaken) {
  WriteRecords(8);
  WriteSegment({1, 2, 3, 4, 5, 6, 7, 8});
  const auto loaded = Load(64);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->segments.size(), 1u);
  EXPECT_EQ(loaded->segments[0]->rows(), 8u);
  EXPECT_EQ(loaded->segments[0]->linked_rows(), 8u);
}

// The links name rows by their numbers, and those behind the new rows have others now.
TEST_F(SegmentLoaderTest, LinksOfRowsThatOthersHaveMovedAreNot) {
  WriteRecords(12);
  WriteSegment({1, 2, 3, 4, 9, 10, 11, 12});
  const auto loaded = Load(64);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->segments.size(), 1u);
  EXPECT_EQ(loaded->segments[0]->rows(), 12u);
  EXPECT_EQ(loaded->segments[0]->live(), 12);
  EXPECT_EQ(loaded->segments[0]->linked_rows(), 0u);
  EXPECT_TRUE(loaded->known.links.empty());
}

TEST_F(SegmentLoaderTest, MoreRecordsBetweenTwoFilesThanFitASegmentAreDamage) {
  WriteRecords(12);
  SegmentManifest manifest{.next_file = 3, .centroids = std::nullopt, .segments = {}};
  for (const uint64_t key : {uint64_t{1}, uint64_t{12}}) {
    manifest.segments.emplace_back().chunks = {
        {.number = key == 1 ? 1u : 2u, .rows = 1, .first_key = key, .last_key = key}};
  }
  ASSERT_TRUE(store_->WriteSegmentManifest(manifest).ok());
  EXPECT_EQ(Load(8).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SegmentLoaderTest, AListOfAnotherVersionIsRefusedAndItsFilesAreLeft) {
  WriteRecords(4);
  std::ofstream(segments_ + "/000001.rows") << "of another version";
  rocksdb::WriteBatch batch;
  batch.Put(StoreLease(*store_).family(Family::kManifest), ToSlice(kSegmentsKey), Encoder(2).Seal(kSegmentsKey));
  ASSERT_TRUE(store_->Write(&batch).ok());
  const absl::Status refused = Load(64).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::GetErrorInfo(refused).reason, "FORMAT_UNKNOWN");
  EXPECT_TRUE(std::filesystem::exists(segments_ + "/000001.rows"));
}

}  // namespace
}  // namespace sightline::index
