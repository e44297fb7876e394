// Matching pictures by local features, with OpenCV: what a search could do without any learned model.
//
// ORB: up to 500 points at a long side of 320, mutual nearest neighbours, Hamming distance at most 64 of 256. SIFT: up
// to 500 points, nearest neighbours at less than 0.8 of the distance of the second nearest (Lowe, IJCV 2004). Geometry
// is checked without a homography, by weak geometric consistency (Jegou et al., ECCV 2008): matches vote for how much
// one picture is turned and enlarged against the other, and those of the fullest bin agree.
//
// Threading: pure functions, one thread each. Ownership: values. Failure: INTERNAL with OpenCV's message.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const LocalFeatures query, FindLocal(LocalKind::kOrb, image));
//   SIGHTLINE_ASSIGN_OR_RETURN(const LocalMatches matches, MatchLocal(query, other));
#ifndef SIGHTLINE_TESTS_BENCH_LOCAL_MATCHES_H_
#define SIGHTLINE_TESTS_BENCH_LOCAL_MATCHES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/image/image.h"

namespace sightline::bench {

enum class LocalKind { kOrb, kSift };

struct LocalPoint {
  float angle = 0;  // degrees
  float size = 0;   // diameter in pixels
};

struct LocalFeatures {
  LocalKind kind = LocalKind::kOrb;
  std::vector<LocalPoint> points;
  std::vector<uint8_t> descriptors;  // one after another: 32 bytes each for ORB, 128 floats for SIFT
};

struct LocalMatches {
  int count = 0;
  int agreeing = 0;  // on how far to turn and enlarge
};

// One thread for all that OpenCV does from now on: callers have threads of their own.
void KeepLocalToOneThread();

absl::StatusOr<LocalFeatures> FindLocal(LocalKind kind, const image::Image& image);

// Both of one kind.
absl::StatusOr<LocalMatches> MatchLocal(const LocalFeatures& query, const LocalFeatures& item);

// `query` and `item` are of one length: the points of each match.
int Agreeing(absl::Span<const LocalPoint> query, absl::Span<const LocalPoint> item);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_LOCAL_MATCHES_H_
