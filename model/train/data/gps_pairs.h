// Pairs of photographs by where they were taken, for training on place recognition (METHODS 3.10): positives of a query
// are the database photographs of its label (the city, in MSLS) within some metres; negatives are those of the same
// label beyond a larger distance. What lies between is neither.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT where a photograph has no position, or no query a
// positive.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const GpsPairs pairs, FindGpsPairs(dataset, 10, 25));
//   for (const GpsPairs::Query& query : pairs.queries) {
//     const std::vector<int64_t> negatives = DrawNegatives(dataset, pairs, query, 5, random);
//   }
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_GPS_PAIRS_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_GPS_PAIRS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/dataset.h"
#include "model/train/scene/random.h"

namespace sightline::train {

struct GpsPairs {
  struct Query {
    int64_t photo = 0;               // index into the dataset, as all below
    std::vector<int64_t> positives;  // at least one, ascending
  };
  std::vector<Query> queries;                  // those with positives, in the dataset's order
  std::vector<std::vector<int64_t>> database;  // by label
  double negative_metres = 25;
};

// Metres along the sphere of the mean radius of the Earth, 6,371,008.8 m (the haversine formula).
double Metres(const Position& a, const Position& b);

// 0 <= positive_metres <= negative_metres. A photograph at exactly positive_metres is a positive.
absl::StatusOr<GpsPairs> FindGpsPairs(const Dataset& dataset, double positive_metres, double negative_metres);

// Whether a database photograph may stand for "another place" to a query: of its label, beyond negative_metres.
bool IsGpsNegative(const Dataset& dataset, const GpsPairs& pairs, int64_t query, int64_t photo);

// Up to `count` different negatives, evenly drawn; fewer where there are not enough.
std::vector<int64_t> DrawNegatives(const Dataset& dataset, const GpsPairs& pairs, const GpsPairs::Query& query,
                                   int count, scene::Random& random);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_GPS_PAIRS_H_
