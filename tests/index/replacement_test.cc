// Replacement: what becomes of segments that outgrow the one that is to take their place.
#include "index/replacement.h"

#include <gtest/gtest.h>

#include <random>

#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

std::shared_ptr<Segment> MakeSmall(uint32_t max_rows) {
  SegmentShape shape;
  shape.chunk = {4, DescriptorPrecision::kFloat32};
  shape.chunk_rows = 4;
  shape.max_rows = max_rows;
  return std::make_shared<Segment>(shape, [](uint64_t) -> absl::StatusOr<std::vector<float>> {
    return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
  });
}

void Append(Segment& segment, uint64_t key) {
  static std::mt19937 random(5);
  const std::vector<float> descriptor = RandomVector(random, 4);
  segment.Append({key, std::to_string(key), descriptor.data(), nullptr});
}

TEST(ReplacementTest, WhatOutgrowsItsTargetIsNotCopiedBeyondIt) {
  const auto first = MakeSmall(16), tail = MakeSmall(16), target = MakeSmall(12);
  for (uint64_t key = 1; key <= 6; ++key) Append(*first, key);
  first->Publish();
  Append(*tail, 7);
  tail->Publish();
  Replacement replacement({first, tail}, target, nullptr);
  while (replacement.left() > 0) ASSERT_TRUE(replacement.Copy(1).ok());
  EXPECT_EQ(target->rows(), 7u);
  EXPECT_FALSE(target->full());
  // Meanwhile the tail goes on growing.
  for (uint64_t key = 8; key <= 14; ++key) Append(*tail, key);
  tail->Publish();
  absl::StatusOr<bool> copied = true;
  while (copied.ok() && *copied) copied = replacement.Copy(1);
  EXPECT_EQ(copied.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(base::GetErrorInfo(copied.status()).reason, "SEGMENT_OUTGROWN");
  EXPECT_TRUE(target->full());
}

// The file of a segment still has the descriptor of a record that was deleted a moment ago; the store has not.
TEST(ReplacementTest, ARecordThatGoesWhileItIsChangedIsLeftOut) {
  const auto source = MakeSmall(16), target = MakeSmall(16);
  for (uint64_t key = 1; key <= 5; ++key) Append(*source, key);
  source->Publish();
  Replacement replacement({source}, target, [](uint64_t key, std::vector<float>* /*descriptor*/) -> absl::Status {
    if (key != 3) return absl::OkStatus();
    return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
  });
  const auto copied = replacement.Copy(16);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_FALSE(*copied);
  EXPECT_EQ(target->rows(), 4u);
}

}  // namespace
}  // namespace sightline::index
